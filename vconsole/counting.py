"""A count that moves on while many files are read, on a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

EVERY_S = 0.1


@contextmanager
def counting(doing: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Yield what is told how many are done, and of how many; the line is gone afterwards."""
    shown = not quiet and sys.stderr.isatty()
    last_s = 0.0

    def told(done: int, of: int) -> None:
        nonlocal last_s
        if shown and (done == of or monotonic() - last_s >= EVERY_S):
            last_s = monotonic()
            sys.stderr.write(f"\r\x1b[K{done:,} of {of:,} {doing}")
            sys.stderr.flush()

    try:
        yield told
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
