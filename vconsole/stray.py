"""Keeps what libraries print off the screen: descriptors 1 and 2 lead elsewhere, the console keeps the terminal."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

MOST_BYTES = 64 * 1024
"""The longest piece without an end of line that is kept together."""

LAST_WORDS_S = 0.5
"""How long what was printed last is waited for."""


@contextmanager
def strays_told(tell: Callable[[str], None]) -> Iterator[None]:
    """While inside, hand each line that is written to descriptor 1 or 2 to `tell`, in a thread.

    Textual draws on `sys.__stderr__` and asks `sys.__stdout__` for the size; both are given the terminal under a
    descriptor of their own.
    """
    kept = os.dup(1), os.dup(2)
    reading, writing = os.pipe()
    streams: Any = sys
    before = streams.__stdout__, streams.__stderr__
    with _terminal(1) as out, _terminal(2) as err:
        streams.__stdout__, streams.__stderr__ = out, err
        for fd in (1, 2):
            os.dup2(writing, fd)
        os.close(writing)
        reader = threading.Thread(target=_read, args=(reading, tell), name="strays", daemon=True)
        reader.start()
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError):
                    stream.flush()
            for fd, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, fd)
                os.close(copy)
            streams.__stdout__, streams.__stderr__ = before
            reader.join(LAST_WORDS_S)


@contextmanager
def _terminal(fd: int) -> Iterator[TextIO]:
    """Open a descriptor's file under a descriptor of its own; what a terminal that is gone no longer takes is lost."""
    with open(os.dup(fd), "w", encoding="utf-8", errors="backslashreplace") as stream:
        try:
            yield stream
        finally:
            with suppress(OSError):
                stream.close()


def _read(reading: int, tell: Callable[[str], None]) -> None:
    rest = b""
    with open(reading, "rb", buffering=0) as pipe:
        while piece := pipe.read(MOST_BYTES):
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > MOST_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                if line.strip():
                    tell(line.decode("utf-8", "backslashreplace"))
    if rest.strip():
        tell(rest.decode("utf-8", "backslashreplace"))
