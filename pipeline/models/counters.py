"""What the batchers of a host have done and hold, counted together."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipeline.models.lane import Waiting


@dataclass(slots=True)
class Counters:
    """Read by the statistics at any time; any batcher's thread may count."""

    pictures_done: int = 0
    batches_done: int = 0
    busy_s: float = 0.0
    """Time in which a batch ran, counted once where two did."""
    queue_pictures: int = 0
    queue_bytes: int = 0
    memory_share: float = 0.0
    """Share of the device's memory that was taken after the last batch."""
    cleanups: int = 0
    """How often cached memory was given back because of `host.cleanup_threshold`."""
    _running: int = 0
    """Batches that run now."""
    _counted_s: float = 0.0
    """The time up to which theirs is in `busy_s`."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def queued(self, items: Sequence[Waiting]) -> None:
        """Count items that wait from now on."""
        self._count(len(items), sum(item.asked.nbytes for item in items))

    def taken(self, items: Sequence[Waiting]) -> None:
        """Count items that wait no more."""
        self._count(-len(items), -sum(item.asked.nbytes for item in items))

    def done(self, pictures: int) -> None:
        """Count a batch."""
        with self._lock:
            self.pictures_done += pictures
            self.batches_done += 1

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Count the time of the block."""
        with self._lock:
            self._running += 1
            if self._running == 1:
                self._counted_s = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                now = time.monotonic()
                self.busy_s += now - self._counted_s
                self._counted_s = now
                self._running -= 1

    def _count(self, pictures: int, size_bytes: int) -> None:
        with self._lock:
            self.queue_pictures += pictures
            self.queue_bytes += size_bytes
