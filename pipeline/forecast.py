"""What a choice of folders holds and what a run over it would do: the facts that the screens of a new run show."""

from dataclasses import dataclass, replace
from enum import StrEnum

from pipeline.health import Grade


@dataclass(frozen=True, slots=True)
class Holding:
    """What a file or a folder holds, as far as it was counted; a video is told by its name alone."""

    videos: int = 0
    source_bytes: int = 0
    known_s: float = 0.0
    """Seconds of video of those whose length earlier runs have found."""
    known_bytes: int = 0
    """Bytes of those."""
    expected_s: float | None = None
    """Seconds of video of all, those of unknown length taken by their bytes; None where nothing tells how."""
    over: bool = False
    """Whether nothing more will be counted."""
    capped: bool = False
    """Whether counting ended before everything was seen."""
    problem: str = ""
    """Why something in it could not be looked at, empty if all could."""


class Verdict(StrEnum):
    """What a run would do with one input."""

    TO_DO = "to do"
    CHANGED = "changed"
    DONE = "done already"
    DUPLICATE = "duplicate"
    SETTLING = "settling"
    SKIPPED = "skipped"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """One input of a planned run."""

    relative: bytes
    verdict: Verdict
    reason: str
    size_bytes: int
    output: bytes = b""
    """The output relative to the output folder, empty if there will be none."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a run needs, whether it is there, and what to do if not; only a fault keeps a run from it."""

    name: str
    grade: Grade
    text: str
    remedy: str = ""


NOTHING_TO_DO = "nothing to do"
"""Name of the check that says so."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast earlier runs of a kind went, and how much they wrote."""

    runs: tuple[int, ...]
    """Their numbers, the newest first."""
    low: float
    """Bytes of source a second of the slowest of them."""
    high: float
    """Bytes of source a second of the fastest."""
    written_share: float
    """Bytes written for each byte of source."""
    same_preset: bool
    """Whether they had the preset that is planned for."""


class PlanState(StrEnum):
    """How far planning has come."""

    CHECKING = "checking"
    LOOKING = "looking"
    COMPLETE = "complete"
    CANCELLED = "cancelled"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Tally:
    """How many inputs have one verdict."""

    verdict: Verdict
    count: int
    source_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do, as far as it is known; nothing has been changed for it."""

    state: PlanState = PlanState.CHECKING
    checks: tuple[Check, ...] = ()
    tallies: tuple[Tally, ...] = ()
    """In the order of `Verdict`, those with an input only."""
    looked_at: int = 0
    """Inputs that have a verdict."""
    last: bytes = b""
    """The one that got it last."""
    jobs: tuple[PlannedJob, ...] = ()
    """The first of them, once planning is over."""
    pace: Pace | None = None
    """None before planning is over, or if no earlier run tells it."""

    def again(self) -> "Plan":
        """Return the plan of the same run that does again what is done already; it needs no more room than now."""
        redone = tuple(replace(job, verdict=Verdict.TO_DO) if job.verdict is Verdict.DONE else job for job in self.jobs)
        both = (Verdict.TO_DO, Verdict.DONE)
        to_do = Tally(Verdict.TO_DO, self.count_of(*both), self.bytes_of(*both))
        others = tuple(tally for tally in self.tallies if tally.verdict not in both)
        checks = tuple(check for check in self.checks if check.name != NOTHING_TO_DO)
        return replace(self, checks=checks, jobs=redone, tallies=(to_do, *others) if to_do.count else others)

    def bytes_of(self, *verdicts: Verdict) -> int:
        """Return how many bytes of source have any of `verdicts`."""
        return sum(tally.source_bytes for tally in self.tallies if tally.verdict in verdicts)

    def count_of(self, *verdicts: Verdict) -> int:
        """Return how many inputs have any of `verdicts`."""
        return sum(tally.count for tally in self.tallies if tally.verdict in verdicts)

    @property
    def refused(self) -> bool:
        """Whether the run would surely fail."""
        return any(check.grade is Grade.FAULT for check in self.checks)

    @property
    def time_s(self) -> tuple[float, float] | None:
        """Return the least and the most seconds that the work is expected to take, None if nothing tells."""
        work = self.bytes_of(*WORK)
        return (work / self.pace.high, work / self.pace.low) if self.pace else None

    @property
    def written_bytes(self) -> float | None:
        """Return how many bytes are expected to be written, None if nothing tells."""
        return self.bytes_of(*WORK) * self.pace.written_share if self.pace else None


WORK = frozenset({Verdict.TO_DO, Verdict.CHANGED, Verdict.SETTLING})
"""Verdicts that lead to an output."""
