"""Waits for a condition in place of a time."""

import time
from collections.abc import Callable

PATIENCE_S = 100.0


def until(holds: Callable[[], object], what: str = "", *, limit_s: float = PATIENCE_S) -> None:
    """Wait until a condition holds; AssertionError with `what` if it never does."""
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, f"never came: {what or holds}"
        time.sleep(0.01)
