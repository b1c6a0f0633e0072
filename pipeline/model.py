"""Run, job and stage: their kinds, their states and the legal transitions between those."""

from enum import StrEnum


class RunKind(StrEnum):
    """What the operator asked for."""

    EXTRACT = "extract"
    TRANSCODE = "transcode"
    BENCHMARK = "benchmark"
    CLASSIFY = "classify"


class RunState(StrEnum):
    """The state of a run; `interrupted` means its engine died or was stopped, and `resume` goes on with it."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DRAINING = "draining"
    DONE = "done"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class JobState(StrEnum):
    """The state of a job: one video in one run."""

    SETTLING = "settling"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


TERMINAL = frozenset(
    {
        JobState.DONE,
        JobState.PARTIAL,
        JobState.FAILED,
        JobState.QUARANTINED,
        JobState.SKIPPED,
        JobState.CANCELLED,
    }
)
"""States a job does not leave by itself."""

BAD = frozenset({JobState.FAILED, JobState.QUARANTINED})
"""States of a job that ended without an output and counts as failed."""

RETRYABLE = BAD | {JobState.CANCELLED, JobState.PARTIAL}
"""States the operator may send back to the queue."""

JOB_TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.SETTLING: frozenset({JobState.QUEUED, JobState.SKIPPED, JobState.FAILED, JobState.CANCELLED}),
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.SKIPPED, JobState.DONE, JobState.CANCELLED}),
    JobState.RUNNING: frozenset(
        {
            JobState.DONE,
            JobState.PARTIAL,
            JobState.FAILED,
            JobState.QUARANTINED,
            JobState.SKIPPED,
            JobState.WAITING,
            JobState.QUEUED,
            JobState.SETTLING,
            JobState.CANCELLED,
        }
    ),
    JobState.WAITING: frozenset({JobState.QUEUED, JobState.RUNNING, JobState.CANCELLED}),
    JobState.DONE: frozenset(),
    JobState.PARTIAL: frozenset({JobState.QUEUED}),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.QUARANTINED: frozenset({JobState.QUEUED}),
    JobState.SKIPPED: frozenset({JobState.QUEUED, JobState.SETTLING}),  # a duplicate whose original failed
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
}
"""Every move a job may make; the ledger refuses any other."""


class Stage(StrEnum):
    """One step of a job."""

    PROBE = "probe"
    CROP = "crop"
    SCENES = "scenes"
    FRAMES = "frames"
    DEDUPE = "dedupe"
    EMBED = "embed"
    TEXT = "text"
    SPEECH = "speech"
    WRITE = "write"
    TRANSCODE = "transcode"
    VERIFY = "verify"


STAGES: dict[RunKind, tuple[Stage, ...]] = {
    RunKind.EXTRACT: (
        Stage.PROBE,
        Stage.CROP,
        Stage.SCENES,
        Stage.FRAMES,
        Stage.DEDUPE,
        Stage.EMBED,
        Stage.TEXT,
        Stage.SPEECH,
        Stage.WRITE,
    ),
    RunKind.TRANSCODE: (Stage.PROBE, Stage.TRANSCODE, Stage.VERIFY),
}
"""The stages of each kind of run that takes videos through stages, in order; the console offers only these kinds."""


class FailureClass(StrEnum):
    """The class of a failure: what kind of thing went wrong."""

    CORRUPT = "corrupt"
    UNSUPPORTED = "unsupported"
    EMPTY = "empty"
    IO = "io"
    TIMEOUT = "timeout"
    STALLED = "stalled"
    OUT_OF_MEMORY = "out_of_memory"
    WORKER_CRASHED = "worker_crashed"
    MODEL = "model"
    SETTINGS = "settings"
    DISK_FULL = "disk_full"
    PROTOCOL = "protocol"
    TOO_LARGE = "too_large"
    ENCRYPTED = "encrypted"
    CHANGED = "changed"
