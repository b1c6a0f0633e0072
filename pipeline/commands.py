"""What an operator can ask of the engine: small frozen values that cross into its thread."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.model import FailureClass, RunKind

if TYPE_CHECKING:  # a process that only shows what runs needs no schema
    from pipeline.settings import PipelineSettings

MOST_WORKERS = 256
"""How many workers can be asked for."""


@dataclass(frozen=True, slots=True)
class StartRun:
    """Discover `inputs` (absolute paths), plan them against the ledger and start."""

    kind: RunKind
    inputs: tuple[bytes, ...]
    out: bytes
    preset: str
    settings: "PipelineSettings"
    force: bool = False


@dataclass(frozen=True, slots=True)
class ResumeRun:
    """Go on with an interrupted or cancelled run; `run_id` 0 = the newest interrupted one."""

    run_id: int = 0


@dataclass(frozen=True, slots=True)
class OpenRun:
    """Show a run that is done or cancelled, with its videos, as the last one is shown; nothing of it is started."""

    run_id: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Start no further job; jobs that run are stopped at their next frame and wait."""


@dataclass(frozen=True, slots=True)
class Unpause:
    """Go on after a pause or a drain."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Finish what runs, start nothing more."""


@dataclass(frozen=True, slots=True)
class CancelRun:
    """Stop what runs and give the run up; what is done stays done."""

    run_id: int


@dataclass(frozen=True, slots=True)
class CancelJob:
    """Stop one job."""

    job_id: int


@dataclass(frozen=True, slots=True)
class Retry:
    """Send jobs back to the queue: those named, or all of one failure class, or (neither given) all that failed."""

    job_ids: tuple[int, ...] = ()
    failure: FailureClass | None = None


@dataclass(frozen=True, slots=True)
class SetWorkers:
    """Change the number of workers while the run goes on, 1 to `MOST_WORKERS`."""

    count: int


Command = StartRun | ResumeRun | OpenRun | Pause | Unpause | Drain | CancelRun | CancelJob | Retry | SetWorkers
