"""Weighs workers from outside, since one that is stuck in C code tells nothing, and says which are over their cap."""

from collections.abc import Callable, Iterable

from pipeline.engine.slots import Worker

READ_S = 0.25
"""How old the memory known of a worker may be before it is read again."""
READS_AT_ONCE = 64
"""Readings in one tick of the engine; one takes about 10 microseconds."""
FRESH_S = 0.02
"""How old it may be when a job is over: jobs may take milliseconds."""


class Scale:
    """Reads the resident memory of workers. `cap_gb` is what each may have, in GB (10^9 bytes); 0 = no cap."""

    def __init__(self, clock: Callable[[], float], cap_gb: Callable[[], float]) -> None:
        self._clock = clock
        self._cap_gb = cap_gb

    def over(self, workers: Iterable[Worker]) -> list[Worker]:
        """Weigh the workers whose turn it is; return those of them that are over the cap."""
        last_s = self._clock() - READ_S
        due = sorted((one for one in workers if one.child and one.weighed_s <= last_s), key=lambda one: one.weighed_s)
        return [worker for worker in due[:READS_AT_ONCE] if self.is_over(worker)]

    def is_over(self, worker: Worker) -> bool:
        """Weigh a worker, unless that was done just now; return whether it is over the cap."""
        now = self._clock()
        if worker.child and now - worker.weighed_s > FRESH_S:
            worker.rss_bytes, worker.weighed_s = worker.child.rss_bytes(), now
        return 0 < self._cap_gb() * 1e9 < worker.rss_bytes

    def sentence(self, worker: Worker) -> str:
        """Return how heavy a worker is and what it may be, as half a sentence."""
        return (
            f"it grew to {worker.rss_bytes / 1e9:.2g} GB of memory, "
            f"and engine.worker_memory_cap_gb allows {self._cap_gb():g}"
        )
