"""What the parts of the engine share on its loop."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.engine.active import ActiveRun
from pipeline.engine.fleet import Hosts
from pipeline.engine.kinds import KINDS
from pipeline.engine.ledger_thread import LedgerThread
from pipeline.engine.tuning import EXTRACTING, cores, free_memory_bytes, plan_workers
from pipeline.engine.workers import Pool
from pipeline.errors import VconsoleError
from pipeline.lab import LabView
from pipeline.sections import EngineSettings
from pipeline.settings import Settings
from pipeline.snapshot import ClassifyView, Notice, RunSummary, WorkerPlan


@dataclass
class Core:
    """The engine's state; only its own loop touches it."""

    settings: Settings
    state_dir: Path
    clock: Callable[[], float]
    """Monotonic seconds: for every pause and deadline, so that a changed wall clock does no harm."""
    wall_clock: Callable[[], float]
    """Unix time: only to be shown and recorded."""
    ledger: LedgerThread
    gpu_memory_bytes: Callable[[], Sequence[int]]
    """Total memory of each GPU, for the number of workers."""
    gpu_names: Callable[[], Sequence[str]]
    """What the GPUs are called, for the reports."""
    active: ActiveRun | None = None
    fatal: str = ""
    ledger_trouble: str = ""
    runs: tuple[RunSummary, ...] = ()
    lab: LabView | None = None
    """The benchmark that is measured now."""
    classify: ClassifyView | None = None
    """The classification at hand."""
    closing: bool = False
    dirty: bool = True
    notices: deque[Notice] = field(default_factory=deque)
    worker_plan: WorkerPlan = field(init=False)
    pool: Pool = field(init=False)
    hosts: Hosts = field(init=False)

    def plan_workers(self, limits: EngineSettings, wanted: int | None = None) -> None:
        """Set how many workers there are to be: `wanted`, or what the settings say, for the kind of the active run."""
        run = self.active
        self.worker_plan = plan_workers(
            limits,
            core_count=cores(),
            free_memory_bytes=free_memory_bytes(),
            gpu_memory_bytes=self.gpu_memory_bytes(),
            wanted=wanted,
            share=KINDS[run.record.kind].share(run.settings) if run else EXTRACTING,
        )
        self.pool.limits = limits
        self.pool.target = self.worker_plan.workers
        self.dirty = True

    def shortest_host(self) -> int:
        """Return the number of the model host that the next video goes to."""
        workers = self.pool.workers.values()
        under_way = [one for worker in workers for one in (worker.running, *worker.leased) if one is not None]
        return self.hosts.shortest(Counter(one.host for one in under_way))

    def touch(self) -> None:
        """Let the next snapshot be built anew."""
        self.dirty = True

    def heed_ledger(self, what: str | VconsoleError) -> None:
        """Take the trouble that the ledger has, "" where it has passed; an error when nothing more can be done."""
        if isinstance(what, VconsoleError):
            self.give_up(what)
            return
        if what != self.ledger_trouble:
            self.note("error" if what else "info", what or "The ledger can be written again; the run goes on.")
        self.ledger_trouble = what

    def note(self, level: str, text: str) -> None:
        """Tell the operator something; the oldest notices make room."""
        self.notices.appendleft(Notice(self.wall_clock(), level, text))
        while len(self.notices) > self.settings.engine.events_kept:
            self.notices.pop()
        self.dirty = True

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Do `work` on the loop; an error that comes out of it ends the engine."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.give_up(error)

    def give_up(self, error: BaseException) -> None:
        """Go no further: the ledger or the engine itself failed."""
        if not self.fatal:
            remedy = error.remedy if isinstance(error, VconsoleError) else "Start vconsole again."
            self.fatal = f"{error or type(error).__name__} {remedy}".strip()
            self.note("error", self.fatal)
