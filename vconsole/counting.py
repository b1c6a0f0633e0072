"""A count that moves on while many files are read: a line on a terminal, or events for programs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from vconsole.output import write_json

EVERY_S = 0.2


@contextmanager
def counting(doing: str, *, as_json: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Yield what is told how many are done, and of how many; a line on a terminal is gone afterwards."""
    shown = not as_json and sys.stderr.isatty()
    last_s = 0.0

    def told(done: int, of: int) -> None:
        nonlocal last_s
        if monotonic() - last_s < EVERY_S:
            return
        last_s = monotonic()
        if as_json:
            write_json({"event": "progress", "done": done, "of": of}, sys.stdout)
        elif shown:
            sys.stderr.write(f"\r\x1b[K{done:,} of {of:,} {doing}")
            sys.stderr.flush()

    try:
        yield told
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
