"""What the benchmark lab measures and has measured, as plain facts for a screen; text from outside is raw.

Every type is frozen and holds plain values only, so that it can cross a process border as JSON.
"""

from dataclasses import dataclass

from pipeline.history import PastRun


@dataclass(frozen=True, slots=True)
class LabResult:
    """One subject that was measured, or could not be."""

    name: str
    message: str = ""
    """Why it could not be measured, and what to do; empty if it was."""
    unit: str = ""
    calls: int = 0
    p50_s: float = 0.0
    """Median seconds an item."""
    p99_s: float = 0.0
    items_per_s: float = 0.0
    video_s_per_s: float = 0.0
    mb_per_s: float = 0.0
    floor: str = ""
    """The name of its floor, empty if none was measured."""
    floor_share: float = 0.0
    reasons: tuple[str, ...] = ()
    """Why it is INVALID and what to do about it; empty = VALID."""
    times_s: tuple[float, ...] = ()
    """Seconds of its calls, the last ones."""

    @property
    def measured(self) -> bool:
        """Whether there are figures."""
        return not self.message


@dataclass(frozen=True, slots=True)
class LabView:
    """The benchmark that is measured now."""

    run_id: int
    planned: tuple[str, ...] = ()
    """The names of all subjects, in order; empty until the process that measures has told them."""
    name: str = ""
    """The subject at hand."""
    phase: str = "starting"
    """starting | loading | warming | measuring | over"""
    calls: int = 0
    """Timed calls of it so far."""
    wanted: int = 0
    """Calls that were asked for; more are made where they take less than the least time."""
    times_s: tuple[float, ...] = ()
    """Seconds of calls of the subject at hand, a few each second, the last ones."""
    results: tuple[LabResult, ...] = ()
    stopping: bool = False
    """Whether it was cancelled and is about to end."""


@dataclass(frozen=True, slots=True)
class LabChange:
    """One subject in two reports."""

    name: str
    before_s: float
    after_s: float
    """Seconds an item, tenth percentile."""
    pace: float
    """By how much the machine itself was slower than before; taken out of the changes."""
    change: float
    """after / before - 1, at the same pace."""
    low: float
    high: float
    """The 95 % interval of the change."""
    median_change: float
    """The same of the median."""
    verdict: str
    """slower | faster | same"""
    trusted: bool
    """Whether both results are VALID."""


@dataclass(frozen=True, slots=True)
class LabComparison:
    """Two reports side by side."""

    before: str
    after: str
    changes: tuple[LabChange, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    differs: tuple[tuple[str, str, str], ...]
    """What else is not the same: what, before, after."""


@dataclass(frozen=True, slots=True)
class LabReport:
    """A benchmark of the past, as ledger and report tell of it."""

    run: PastRun
    results: tuple[LabResult, ...] = ()
    findings: tuple[str, ...] = ()
    """What limits what, in sentences."""
    facts: tuple[tuple[str, str], ...] = ()
    """Machine, method and versions."""
    untold: str = ""
    """Why there is no report, empty if there is one."""
    comparison: LabComparison | None = None
    """With its baseline, where it has one."""
    gate: tuple[tuple[str, str], ...] = ()
    """What the regression gate says: regression, not judged or passed, and a sentence; none = there is no gate."""
    notes: tuple[str, ...] = ()
    """What was done, in sentences, where that is not plain from what was measured."""
    doubts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Why results are INVALID and what to do, each reason once, and what was found of which results."""


@dataclass(frozen=True, slots=True)
class LabChoices:
    """What can be measured here."""

    extractors: tuple[tuple[str, bool], ...]
    """Each model and whether its weights are here."""
    stages: tuple[str, ...]
    presets: tuple[str, ...]
    """Those of extract runs."""
    transcodes: tuple[str, ...]
    """The presets of transcode runs."""


@dataclass(frozen=True, slots=True)
class LabRequest:
    """What the operator wants measured; texts are as they were typed."""

    extractors: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()
    """Of extract or transcode runs."""
    floors: bool = False
    """Whether this machine's floors are wanted whatever stands on them, decoding of every codec too."""
    services: str = ""
    """The path of a file that describes HTTP services."""
    inputs: tuple[str, ...] = ()
    """Videos, pictures and folders of them; none = they are made up."""
    sweep: str = ""
    """KEY=A,B,C, several with spaces between."""
    iterations: str = "20"
    warmup_iterations: str = "3"
    min_seconds: str = "16"
    max_seconds: str = "60"
    baseline: str = ""
    """The path of an earlier report or of its folder; none = it is compared with nothing."""
    allowed_percent: str = ""
    """By how much a subject may be slower than in the baseline; none = no gate."""
