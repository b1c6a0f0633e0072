"""Signals of a headless run: the first asks for a checkpoint, a second ends the process at once."""

import os
import select
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Self

INTERRUPTED = 130
"""Exit code of a run that was stopped by a signal."""

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LAST_WORDS_S = 1.0
"""How long the process may go on writing to its terminal after the engine has stopped."""


class Interrupts:
    """A context in which signals stop the engine; `requested` is set by the first one.

    The stopping is done on a thread of its own, so that a main thread stuck in a write to a stalled or vanished
    terminal cannot hold it up; such a process is ended `grace_s` + `LAST_WORDS_S` after the signal. A signal that was
    ignored when the program started (nohup, a background job) stays ignored.
    """

    def __init__(self, stop: Callable[[], None], grace_s: float) -> None:
        self.requested = threading.Event()
        self.stopped = threading.Event()
        self._stop = stop
        self._grace_s = grace_s
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        threading.Thread(target=self._watch, name="signals", daemon=True).start()
        for number in HANDLED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._told)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._writer)

    def _told(self, number: int, _frame: FrameType | None) -> None:
        """Hand the signal to the watching thread: a write to a pipe takes no lock, so it is safe here."""
        os.write(self._writer, bytes([number]))

    def _watch(self) -> None:
        if not os.read(self._reader, 1):
            os.close(self._reader)
            return
        deadline = time.monotonic() + self._grace_s + LAST_WORDS_S
        self.requested.set()
        threading.Thread(target=self._end, name="stop", daemon=True).start()
        select.select([self._reader], [], [], max(0.0, deadline - time.monotonic()))
        if not self._left():
            os._exit(INTERRUPTED)
        os.close(self._reader)

    def _left(self) -> bool:
        """Whether the context was left in time: its end of the pipe is closed, and no second signal came."""
        ready, _, _ = select.select([self._reader], [], [], 0)
        return bool(ready) and not os.read(self._reader, 1)

    def _end(self) -> None:
        self._stop()
        self.stopped.set()
