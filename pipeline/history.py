"""What is remembered of a run: a line of the history, and all that ledger and reports tell of one run.

Every type is frozen and holds plain values only. Text that comes from outside is raw, as in a snapshot.
"""

from dataclasses import dataclass

from pipeline.model import JobState, RunKind, RunState, Stage


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run as the ledger knows it; it may still go on."""

    run_id: int
    kind: RunKind
    state: RunState
    preset: str
    inputs: tuple[str, ...]
    """Empty for a run that only did again what was found damaged."""
    out: str
    force: bool
    created_s: float
    """Unix time, as the next one."""
    started_s: float
    """0 = it never began."""
    elapsed_s: float
    """From its begin to its end, what lay between an interruption and its going on included; 0 = not over yet."""
    counts: tuple[tuple[JobState, int], ...]
    """Jobs by state, in the order of the states."""

    def count(self, *states: JobState) -> int:
        """Return how many jobs are in any of `states`."""
        return sum(number for state, number in self.counts if state in states)

    @property
    def total(self) -> int:
        """How many jobs it has."""
        return sum(number for _, number in self.counts)

    @property
    def stored_in(self) -> str:
        """The folder with the feature files of its videos, empty where it has none."""
        folders = {RunKind.EXTRACT: self.out, RunKind.CLASSIFY: next(iter(self.inputs), "")}
        return folders.get(self.kind, "")


@dataclass(frozen=True, slots=True)
class History:
    """The newest runs, newest first, and how many there are."""

    runs: tuple[PastRun, ...]
    total: int


@dataclass(frozen=True, slots=True)
class StageTime:
    """What one stage did for the videos that a run made itself."""

    stage: Stage
    videos: int
    seconds: float
    """Summed over workers."""
    video_s: float
    """Seconds of video that these videos have."""

    @property
    def rate(self) -> float:
        """Seconds of video per second in the stage; 0 = not known."""
        return self.video_s / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class SettingValue:
    """One setting of a run."""

    name: str
    """`section.key`."""
    value: str
    default: str
    """What this version has; empty for a setting that it does not know."""


@dataclass(frozen=True, slots=True)
class RunDetails:
    """All that is remembered of one run."""

    run: PastRun
    read_s: float
    """Unix time of the reading."""
    reused: int
    """Videos that were whole already and not done again."""
    at_work_s: float
    """Seconds in which at least one video was worked on, as far as attempts came to an end."""
    made_video_s: float
    """Seconds of video that it made itself."""
    scenes: int
    frames: int
    source_bytes: int
    output_bytes: int
    stages: tuple[StageTime, ...]
    settings: tuple[SettingValue, ...]
    """All of them, in the order of the schema."""
    versions: tuple[tuple[str, str], ...]
    machine: tuple[tuple[str, str], ...]
    untold: str
    """Why versions and machine are not known, empty if they are."""
    why: str = ""
    """Why a classification did not come to its end, empty where that is not known or it did."""
    classes: tuple[tuple[str, int], ...] = ()
    """Of a classification the videos of each class, that of the most first; an empty name where none was likely."""

    @property
    def rate(self) -> float:
        """Seconds of video per second at work; 0 = not known."""
        return self.made_video_s / self.at_work_s if self.at_work_s > 0 else 0.0
