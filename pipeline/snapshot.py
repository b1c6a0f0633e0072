"""An immutable picture of the engine at one moment: all that a screen may read.

Every type is frozen and holds plain values only, so that a snapshot can cross a process border later.
Text fields that come from outside are raw; whoever shows them goes through `pipeline.text.visible`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.lab import LabView
from pipeline.machine import HostView, MachineView
from pipeline.model import FailureClass, JobState, RunKind, RunState, Stage
from pipeline.text import plural


@dataclass(frozen=True, slots=True)
class JobRow:
    """One video of the active run."""

    job_id: int
    name: str
    """Path relative to its input root, decoded with surrogateescape."""
    state: JobState
    stage: Stage | None = None
    progress: float = 0.0
    """Share of the job that is done, 0 to 1."""
    duration_s: float = 0.0
    rate: float = 0.0
    """Seconds of video per second while it runs; 0 when unknown."""
    size_ratio: float = 0.0
    """Bytes of the output for a byte of the source, of a transcode; 0 when unknown."""
    attempts: int = 0
    waiting_for: str = ""
    """What the job waits for while it runs or is to be tried again, empty if nothing."""
    scenes: int = 0
    frames: int = 0
    action: str = ""
    """What a transcode did (encoded, remuxed), empty in other runs and before it is done."""
    note: str = ""
    """The reason of a skipped, partial, cut off or failed job."""
    media: str = ""
    """What kind of video it is, as JSON; one text serves all videos of the kind. Empty before it is done."""
    failure: FailureClass | None = None
    label: str = ""
    """Its class, as `vconsole classify` told it of the feature file that is there; empty where there is none."""
    reused: bool = False
    """Whether its output was whole already."""
    worker: int = -1
    """Slot of the worker that has it; -1 = none."""
    chunks: int = 0
    """Chunks that a long video is done in, 0 = it is done in one piece."""
    chunks_over: int = 0
    """How many of them are over."""

    @property
    def parts_over(self) -> str:
        """How many chunks of a long video are over, in words; empty where it is done in one piece."""
        return f"chunks {self.chunks_over}/{self.chunks}" if self.chunks else ""

    @property
    def made(self) -> str:
        """What it came out as, once it is done."""
        if self.action:
            return f"{self.action}, size {100 * self.size_ratio:.0f}%"
        made = f"{plural(self.scenes, 'scene')}, {plural(self.frames, 'frame')}"
        return f"{self.label}, {made}" if self.label else made


@dataclass(frozen=True, slots=True)
class FailureRow:
    """One failed or quarantined video."""

    job_id: int
    name: str
    state: JobState
    failure: FailureClass
    stage: Stage | None
    message: str
    remedy: str
    attempts: int
    at_s: float
    """Unix time."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StageView:
    """Throughput of one stage over the active run."""

    stage: Stage
    done: int
    """Jobs that have passed this stage in this engine's life."""
    items_per_s: float
    """Frames (or pictures, for embed) a second over the last window."""
    video_s_per_s: float
    """Seconds of video per second of wall time over the last window."""
    p50_s: float
    p95_s: float
    queue_depth: int
    """Jobs that wait for this stage."""
    busy_share: float
    """Share of the workers (of the model host for embed) busy with it, 0 to 1."""
    bytes_waiting: int
    history: tuple[float, ...] = ()
    """items_per_s at past moments, oldest first."""


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One slot of the worker pool."""

    slot: int
    pid: int
    state: str
    """starting | idle | busy | waiting | stopping"""
    job_id: int = 0
    stage: Stage | None = None
    rss_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the operator should know: a worker died, the host was restarted, the run is held up."""

    at_s: float
    """Unix time."""
    level: str
    """info | warning | error"""
    text: str
    """Untrusted where it quotes a library or a name."""


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """The numbers behind `workers = auto`."""

    workers: int
    decode_threads: int
    by_cores: int
    by_memory: int
    by_gpu: int | None
    sentence: str
    cores: int
    free_memory_bytes: int
    encode_threads: int = 0
    """Encoder threads of each worker, 0 where none encodes."""


@dataclass(frozen=True, slots=True)
class RunView:
    """The active run, or the last one."""

    run_id: int
    kind: RunKind
    state: RunState
    preset: str
    inputs: tuple[str, ...]
    out: str
    started_s: float
    """Unix time."""
    elapsed_s: float
    total: int
    counts: tuple[tuple[JobState, int], ...]
    """Jobs by state; the counts sum to `total`."""
    discovering: bool = False
    loading: bool = False
    """Whether jobs that the ledger knows of the run are still being taken in."""
    reused: int = 0
    """Jobs that were whole already and not done again."""
    eta_s: float | None = None
    eta_low_s: float | None = None
    eta_high_s: float | None = None
    video_s_per_s: float = 0.0
    bytes_read: int = 0
    bytes_written: int = 0
    bottleneck: str = ""
    """One sentence that names the stage everything else waits for."""
    paused_because: str = ""

    def count(self, *states: JobState) -> int:
        """Return how many jobs are in any of `states`."""
        return sum(number for state, number in self.counts if state in states)


@dataclass(frozen=True, slots=True)
class ClassifyView:
    """The classification at hand."""

    run_id: int
    done: int = 0
    """Videos that are classified."""
    of: int = 0
    """All there are; 0 until the process that classifies has told it."""
    stopping: bool = False
    """Whether it was cancelled and is about to end."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A line of the run history."""

    run_id: int
    kind: RunKind
    state: RunState
    preset: str
    out: str
    created_s: float
    total: int
    failed: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole picture. `serial` grows by one with each new snapshot; unchanged rows keep their identity."""

    serial: int = 0
    taken_s: float = 0.0
    """Unix time."""
    run: RunView | None = None
    jobs: Sequence[JobRow] = ()
    """In the order of discovery, by rising `job_id`; the engine gives `Rows`, which share what is the same."""
    failures: tuple[FailureRow, ...] = ()
    """Newest first, at most `engine.events_kept`."""
    stages: tuple[StageView, ...] = ()
    workers: tuple[WorkerView, ...] = ()
    workers_recycled: int = 0
    """Workers that this engine replaced for their age (`engine.recycle_after`) or their memory, none of them dead."""
    worker_plan: WorkerPlan | None = None
    hosts: tuple[HostView, ...] = ()
    machine: MachineView = field(default_factory=MachineView)
    notices: tuple[Notice, ...] = ()
    """Newest first, at most `engine.events_kept`."""
    runs: tuple[RunSummary, ...] = ()
    lab: LabView | None = None
    """The benchmark that is measured now, None where there is none."""
    classify: ClassifyView | None = None
    """The classification at hand, None where there is none."""
    fatal: str = ""
    """Why the engine can go no further, empty if it can."""
