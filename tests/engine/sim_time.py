"""Virtual time for the simulation: a heap of events with their trace, and an asyncio loop that is stepped by hand."""

import asyncio
import heapq
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

TRACED = 50
"""Events that are kept to be shown beside a violation."""


class Violation(AssertionError):  # noqa: N818 - it is the simulation's word
    """A rule of the scheduler was broken; the message holds the events before it."""


@dataclass(frozen=True, slots=True)
class Act:
    """What an event does: in the life of one engine, in that of whichever is there, or outside of any."""

    do: Callable[[], None]
    life: object = None
    outside: bool = False


class Timeline:
    """Events in order of time; the same events give the same digest."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.steps = 0
        self.kinds: Counter[str] = Counter()
        self.trace: deque[str] = deque(maxlen=TRACED)
        self._heap: list[tuple[float, int, str, Act]] = []
        self._number = 0
        self._digest = blake2b(digest_size=8)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def after(self, delay_s: float, kind: str, act: Act) -> None:
        """Let `act` happen `delay_s` from now; times fall on milliseconds, so that events meet."""
        self._number += 1
        when_s = self.now_s + round(delay_s, 3)
        heapq.heappush(self._heap, (when_s, self._number, kind, act))

    def next_s(self) -> float:
        return self._heap[0][0]

    def take(self) -> tuple[str, Act]:
        """Go to the next event and return it."""
        when_s, _, kind, act = heapq.heappop(self._heap)
        self.now_s = max(self.now_s, when_s)
        return kind, act

    def jump(self, seconds: float) -> None:
        """Let time pass without anything happening, as when the machine is suspended."""
        self.now_s += seconds
        self._heap = [(when_s + seconds, *rest) for when_s, *rest in self._heap]

    def step(self, kind: str) -> None:
        """Count one event."""
        self.steps += 1
        self.note(kind)

    def note(self, kind: str, detail: object = "") -> None:
        """Add to the trace what an event brought about."""
        self.kinds[kind] += 1
        line = f"{self.now_s:.3f} {kind} {detail}"
        self.trace.append(line)
        self._digest.update(line.encode())


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop that waits for nothing: what is ready runs when `settle` is called."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        super().__init__()
        self._now_s = now_s
        self._selector = self
        self._clock_resolution = 1e-6
        self.errors: list[str] = []
        self.set_exception_handler(lambda _, context: self.errors.append(repr(context.get("exception", context))))

    def time(self) -> float:
        return self._now_s()

    def select(self, _timeout: float | None) -> list[Any]:
        return []

    def _process_events(self, _events: list[Any]) -> None:
        return

    def _write_to_self(self) -> None:
        return

    def next_timer_s(self) -> float:
        """Return when the next timer of the loop is due."""
        return min((timer.when() for timer in self._scheduled if not timer.cancelled()), default=float("inf"))

    def settle(self) -> None:
        """Run what is ready, and what that makes ready."""
        asyncio._set_running_loop(self)
        try:
            self._run_once()
            while self._ready:
                self._run_once()
        finally:
            asyncio._set_running_loop(None)

    def abandon(self) -> None:
        """Throw away what waits: the process is gone."""
        asyncio._set_running_loop(self)
        try:
            for task in asyncio.all_tasks(self):
                task._log_destroy_pending = False
                task.get_coro().close()
        finally:
            asyncio._set_running_loop(None)
        self.close()
