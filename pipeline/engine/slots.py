"""One slot of the pool: the worker in it, and the attempt that it has."""

from collections import deque
from dataclasses import dataclass, field

from pipeline.engine.child import Child
from pipeline.engine.records import JobRecord
from pipeline.model import Stage
from pipeline.snapshot import WorkerView


@dataclass(slots=True)
class Running:
    """One attempt that a worker has."""

    job: JobRecord
    alone: bool
    started_s: float
    host: int = 0
    """The number of the model host that its pictures go to."""
    stage: Stage | None = None
    share: float = 0.0
    """How much of it is done, 0 to 1."""
    video_s: float = 0.0
    frames: int = 0
    bytes_read: int = 0
    bytes_out: int = 0
    """Bytes of the output so far, 0 where it is written at once at the end."""
    counted: dict[Stage, int] = field(default_factory=dict)
    """Items of each stage that progress messages have told of."""
    waiting: str = ""
    stopping: str = ""
    """Why it was asked to stop (stopped | cancelled), empty if it was not."""
    lost: str = ""
    """Why the engine killed its worker (stalled | timeout | protocol | memory), empty if it did not."""
    lost_because: str = ""
    """What there is to say about that, in words."""


@dataclass(slots=True)
class Worker:
    """One slot of the pool and the program in it."""

    slot: int
    child: Child | None = None
    ready: bool = False
    heard_s: float = 0.0
    running: Running | None = None
    reserved: bool = False
    """Whether the ledger is being asked for a job, or for jobs ahead, for it."""
    leased: deque[Running] = field(default_factory=deque)
    """Jobs it was handed ahead: not begun, so not charged."""
    quick: bool = False
    """Whether its last job took so little time that it should not wait for the next."""
    alone: bool = False
    """Whether the job it has, or is to have, runs with no other beside it."""
    jobs_done: int = 0
    told_run: int = 0
    rss_bytes: int = 0
    """Its resident memory when it was weighed last."""
    weighed_s: float = 0.0
    retiring: bool = False
    killed: str = ""

    @property
    def free(self) -> bool:
        """Whether it can be given a job."""
        return self.ready and self.running is None and not self.reserved and not self.retiring

    def view(self) -> WorkerView:
        """Return what a screen may know of it."""
        running = self.running
        if self.retiring or (running and running.stopping):
            state = "stopping"
        elif not self.ready:
            state = "starting"
        elif running is None:
            state = "idle"
        else:
            state = "waiting" if running.waiting else "busy"
        return WorkerView(
            self.slot,
            self.child.pid if self.child else 0,
            state,
            running.job.job_id if running else 0,
            running.stage if running else None,
            self.rss_bytes,
        )
