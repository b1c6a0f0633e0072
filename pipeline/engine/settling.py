"""Files that may still be written to: looked at again until two looks in a row see the same."""

import asyncio
import heapq
import os
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.engine.active import ActiveRun
from pipeline.engine.core import Core
from pipeline.engine.faults import Trouble
from pipeline.engine.ledger import Ledger
from pipeline.engine.records import JobRecord
from pipeline.engine.scheduler import Report
from pipeline.engine.surroundings import Surroundings, trouble_of
from pipeline.engine.threads import in_thread
from pipeline.identity import Identity, content_id, identity_of, open_regular
from pipeline.model import FailureClass, JobState


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at a file saw; `content_id` is empty unless it had stopped changing."""

    job_id: int
    source: bytes
    identity: Identity
    content_id: str = ""
    error: str = ""
    trouble: Trouble | None = None
    """Why the file could not be looked at through no fault of its own."""


class Settling:
    """The settling files of the active run; a thread looks at them, one round at a time."""

    def __init__(
        self,
        core: Core,
        queue: Callable[[ActiveRun, JobRecord], None],
        free: Callable[[ActiveRun, list[JobRecord]], None],
        held: Callable[[ActiveRun, Trouble], None],
        idle: Callable[[], None],
    ) -> None:
        self._core = core
        self._queue = queue
        self._free = free
        self._held = held
        self._idle = idle
        self._due: list[tuple[float, int]] = []
        self._seen: dict[int, tuple[bytes, Identity]] = {}
        self._run: ActiveRun | None = None
        self._looking: asyncio.Task[None] | None = None

    def add(self, run: ActiveRun, job: JobRecord) -> None:
        """Look at a file again after `engine.settle_s`."""
        if run is not self._run:
            self._run, self._due, self._seen = run, [], {}
        self._seen[job.job_id] = (job.source, job.identity)
        heapq.heappush(self._due, (self._core.clock() + run.settings.engine.settle_s, job.job_id))

    def tick(self) -> None:
        """Begin a round if files are due and none is under way."""
        core, run = self._core, self._run
        if run is None or run is not core.active or (self._looking and not self._looking.done()):
            return
        now = core.clock()
        due: list[tuple[int, bytes, Identity]] = []
        while self._due and self._due[0][0] <= now and len(due) < run.settings.engine.scan_batch:
            job_id = heapq.heappop(self._due)[1]
            if job_id in self._seen and (row := run.row(job_id)) and row.state is JobState.SETTLING:
                due.append((job_id, *self._seen.pop(job_id)))
        if due:
            self._looking = core.spawn(self._round(run, due))

    async def _round(self, run: ActiveRun, due: list[tuple[int, bytes, Identity]]) -> None:
        try:
            looks = await in_thread(lambda: [_look(*one, run.surroundings) for one in due])
        except OSError as error:
            looks = [_Look(*one, trouble=trouble_of(error, run.record.out)) for one in due]
        if trouble := next((look.trouble for look in looks if look.trouble), None):
            self._held(run, trouble)
        now_s = self._core.wall_clock()

        def settle(ledger: Ledger) -> tuple[list[JobRecord], list[JobRecord]]:
            freed = []
            for look in looks:
                if look.error:
                    ledger.fail(look.job_id, FailureClass.IO, look.error, now_s)
                    freed += ledger.free_twins(look.job_id)
                elif look.content_id:
                    ledger.settle(look.job_id, look.identity, look.content_id)
            return [job for look in looks if (job := ledger.job(look.job_id)) is not None], freed

        jobs, freed = await self._core.ledger.submit(settle)
        self._free(run, freed)
        for look, job in zip(looks, jobs, strict=True):
            run.put(job)
            if job.state is JobState.SETTLING and run is self._run:
                self._seen[look.job_id] = (look.source, look.identity)
                pause_s = max(run.settings.engine.settle_s, 0.1)
                heapq.heappush(self._due, (self._core.clock() + pause_s, look.job_id))
            elif job.state is JobState.QUEUED:
                self._queue(run, job)
        self._core.dirty = True
        self._idle()


def _look(job_id: int, source: bytes, before: Identity, surroundings: Surroundings) -> _Look:
    try:
        descriptor = open_regular(source)
        try:
            identity = identity_of(os.fstat(descriptor))
            content = content_id(descriptor) if identity == before else ""
        finally:
            os.close(descriptor)
    except OSError as error:
        report = Report("failed", FailureClass.IO, errno=error.errno or 0)
        trouble = surroundings.at_fault(report, source, alone=False)
        told = "" if trouble else f"cannot be read: {error.strerror}"
        return _Look(job_id, source, before, error=told, trouble=trouble)
    return _Look(job_id, source, identity, content)
