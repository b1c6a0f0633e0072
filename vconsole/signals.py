"""Ends the program on a signal within a set time, even when the terminal no longer reads.

Python runs a signal handler in the main thread, where Textual's loop may be blocked on the terminal. The handler
therefore only puts a word into a queue; a thread of its own closes the engine, asks the main thread to leave, and ends
the process where that does not. A second signal ends it at once. Workers end by themselves when their socket closes.
"""

import os
import select
import signal
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, Literal

from vconsole.exits import Exit

_LEAVE_SCREEN = (
    b"\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?7h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"
    b"\x1b[?2004l\x1b[?2048l\x1b[?1004l\x1b[0m\r\n"
)
"""Undoes what Textual sets; the keyboard first, for the screen that is left to has one of its own."""
_APP_S = 1.0
"""How long the app may take to leave after the engine is closed."""
_TOLD_S = 0.3
"""How long a terminal that reads slowly is waited for at a hard end."""

HEADLESS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends the program; with a screen Ctrl+C is a key, and SIGINT can only come from somebody else."""

_Word = Literal["signal", "gone", "closed", "over"]


@contextmanager
def ended_in_time(
    *,
    close: Callable[[], None],
    leave: Callable[[], None],
    grace_s: Callable[[], float],
    signals: Sequence[signal.Signals] = HEADLESS,
    terminal_fd: int | None = None,
) -> Iterator[Callable[[], bool]]:
    """While inside, a signal calls `close` and `leave` from threads and ends the process after `grace_s` at the latest.

    A signal that was ignored before (nohup, a background job of a script) stays ignored. Yields what tells whether one
    came.

    Args:
        close: Checkpoints and closes the engine; may be called twice.
        leave: Asks the main thread to leave; must not block.
        grace_s: Gives the seconds from the first signal to the hard end.
        signals: The signals that count.
        terminal_fd: A terminal without which there is nothing to go on for: its end counts as a first signal does, also
            where nobody sends SIGHUP, as in a container, or it is ignored.
    """
    words: SimpleQueue[_Word] = SimpleQueue()
    came = threading.Event()

    def heard(_number: int, _frame: FrameType | None) -> None:
        came.set()
        words.put("signal")

    def gone(fd: int) -> None:
        hang_up = select.poll()
        hang_up.register(fd, 0)  # no event is asked for: what is told without that is the end
        hang_up.poll()
        came.set()
        words.put("gone")

    terminal = _terminal_settings()
    heeded = [number for number in signals if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, heard) for number in heeded}
    watcher = threading.Thread(
        target=_watch, args=(words, close, leave, grace_s, terminal), name="signals", daemon=True
    )
    watcher.start()
    if terminal_fd is not None:
        threading.Thread(target=gone, args=(terminal_fd,), name="terminal", daemon=True).start()
    try:
        yield came.is_set
    finally:
        words.put("over")
        watcher.join(grace_s() + _APP_S)
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(
    words: "SimpleQueue[_Word]",
    close: Callable[[], None],
    leave: Callable[[], None],
    grace_s: Callable[[], float],
    terminal: list[Any] | None,
) -> None:
    first = words.get()
    if first == "over":
        return
    excused = first == "gone"  # SIGHUP may follow the end of the terminal, and is no second signal then

    def closing() -> None:
        try:
            close()
        finally:
            words.put("closed")

    threading.Thread(target=closing, name="signals-close", daemon=True).start()
    leave()
    deadline = time.monotonic() + grace_s()
    while True:
        try:
            word = words.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            _end(terminal)
        if word == "over":
            return
        if word == "signal" and not excused:
            _end(terminal)
        excused = excused and word != "signal"
        if word == "closed":
            deadline = min(deadline, time.monotonic() + _APP_S)


def _end(terminal: list[Any] | None) -> None:
    """Give the terminal back as it was, as far as it listens, and end the process."""
    if terminal is not None:
        with suppress(OSError, termios.error):
            fd = os.open(os.ttyname(sys.__stdin__.fileno()), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)  # type: ignore[union-attr]
            _write(fd, _LEAVE_SCREEN)
        with suppress(OSError, termios.error):
            termios.tcsetattr(sys.__stdin__.fileno(), termios.TCSANOW, terminal)  # type: ignore[union-attr]
    os._exit(Exit.INTERRUPTED)


def _write(fd: int, text: bytes) -> None:
    """Write as long as the terminal takes it: what was drawn last may still stand in its way."""
    deadline = time.monotonic() + _TOLD_S
    while text and select.select([], [fd], [], max(0.0, deadline - time.monotonic()))[1]:
        text = text[os.write(fd, text) :]


def _terminal_settings() -> list[Any] | None:
    try:
        return termios.tcgetattr(sys.__stdin__.fileno())  # type: ignore[union-attr]
    except (OSError, termios.error, AttributeError, ValueError):
        return None
