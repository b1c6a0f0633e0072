"""The rows of the ledger as plain frozen values."""

from dataclasses import dataclass, field
from typing import Any

from pipeline.identity import Identity
from pipeline.model import STAGES, TERMINAL, FailureClass, JobState, RunKind, RunState, Stage

NO_IDENTITY = Identity(0, 0, 0, 0)
DISTRUSTED_NS = -1


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run."""

    run_id: int
    kind: RunKind
    state: RunState
    preset: str
    inputs: tuple[bytes, ...]
    out: bytes
    settings: dict[str, Any]
    """`PipelineSettings.model_dump(mode="json")`."""
    force: bool
    created_s: float
    started_s: float
    ended_s: float
    discovered: bool
    """Whether discovery has walked all inputs."""

    @property
    def is_redo(self) -> bool:
        """Whether it only does again what was damaged: it has no inputs, its jobs were given to it.

        The reports in its folder stay those of the run that was asked for.
        """
        return not self.inputs and self.kind in STAGES


@dataclass(frozen=True, slots=True)
class NewJob:
    """One input as discovery hands it to the ledger."""

    source: bytes
    """Absolute path."""
    relative: bytes
    """Path below its input root, with the prefix of the root's name where there is one."""
    state: JobState
    identity: Identity = NO_IDENTITY
    content_id: str = ""
    reason: str = ""
    failure: FailureClass | None = None
    reused: bool = False
    changed: bool = False
    """Whether there is an output already, of other content or other settings."""
    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What is counted of the attempts at a job, or at a chunk of one.

    `attempt` numbers the attempts for fencing; `attempts` counts only those that are charged to the video.
    """

    state: JobState
    attempt: int
    attempts: int
    crashes: int
    engine_deaths: int
    kills: int
    token: str
    failure: FailureClass | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRecord(Tried):
    """One chunk of a long video."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord(Tried):
    """One job, all that the ledger knows of it.

    `result` is what the worker told when it finished (see the contract of `pipeline.worker`), empty before.
    """

    job_id: int
    run_id: int
    source: bytes
    relative: bytes
    identity: Identity
    content_id: str
    stage: Stage | None
    detail: str
    reason: str
    duplicate_of: int
    """job_id of the job with the same content, 0 = none."""
    reused: bool
    ended_s: float
    result: dict[str, Any]
    division: dict[str, Any] = field(default_factory=dict)
    """How a long video is cut (`pipeline.extract_job.Division`), empty if it is not."""
    chunks: tuple[ChunkRecord, ...] = ()
    chunk: int | None = None
    """The chunk that runs, of a job that was started or closed for that; the attempt and its token are then the
    chunk's."""

    @property
    def tried(self) -> Tried:
        """What attempts are counted for: the chunk that runs, else the job."""
        return self if self.chunk is None else self.chunks[self.chunk]

    def open_chunks(self) -> int:
        """Return how many chunks are to be started."""
        return sum(chunk.state in {JobState.QUEUED, JobState.WAITING} for chunk in self.chunks)

    def running_chunks(self) -> int:
        """Return how many chunks run."""
        return sum(chunk.state is JobState.RUNNING for chunk in self.chunks)

    def chunks_over(self) -> int:
        """Return how many chunks are over, well or not."""
        return sum(chunk.state in TERMINAL for chunk in self.chunks)


@dataclass(frozen=True, slots=True)
class OutputRecord:
    """One output file that was whole when its row was written; kept by (out, relative), apart from runs."""

    out: bytes
    relative: bytes
    output: str
    """Path relative to `out`, decoded with surrogateescape."""
    output_bytes: int
    sha256: str
    mtime_ns: int
    """Modification time when it was written; `DISTRUSTED_NS` marks one that must not be taken by its looks."""
    content_id: str
    stage_keys: dict[str, str]
    identity: Identity
    """Identity of the source when it was done."""
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ending:
    """How one attempt ended, and what that makes of its job.

    `charged` false gives the attempt back: it is not counted against the video.
    """

    state: JobState
    outcome: str
    """done | partial | failed | skipped | given_back | crashed | stalled | killed | surroundings | changed"""
    failure: FailureClass | None = None
    stage: Stage | None = None
    message: str = ""
    detail: str = ""
    reason: str = ""
    charged: bool = True
    crash: bool = False
    kill: bool = False
    result: dict[str, Any] = field(default_factory=dict)
