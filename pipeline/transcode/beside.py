"""Work that a thread of its own does beside the one that gives it, in order and a few items behind."""

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")

_TICK_S = 0.2


class Beside(Generic[Item]):
    """Use as a context manager: leaving it ends the thread, and what was given and is not done yet stays undone.

    What `work` raises is raised to the giver, by the next `give` or by `finish`; nothing more is worked on after that.
    """

    def __init__(self, work: Callable[[Item], None], most: int, name: str) -> None:
        """At most `most` items wait; who gives one more waits for room."""
        self._work = work
        self._waiting: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._room: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(most):
            self._room.put(None)
        self._error: BaseException | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> "Beside[Item]":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def give(self, item: Item) -> None:
        """Have an item worked on after those before it."""
        self._refuse()
        self._room.get()
        self._waiting.put(item)

    def finish(self, tick: Callable[[], object]) -> None:
        """Return when all is done; `tick` is called again and again until then."""
        self._waiting.put(None)
        while self._thread.is_alive():
            tick()
            self._thread.join(_TICK_S)
        self._refuse()

    def _refuse(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            if not self._stopped:  # What comes after an error is taken and dropped, so that no giver waits for ever.
                try:
                    self._work(item)
                except BaseException as error:  # noqa: BLE001 - the giver raises it
                    self._error, self._stopped = error, True
            self._room.put(None)
