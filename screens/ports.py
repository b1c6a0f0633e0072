"""What screens need from outside `screens`: somebody to look at, to ask, and to plan a run before it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:  # what is named here for its type alone would delay the first picture
    import threading
    from collections.abc import Iterable, Iterator, Mapping

    from pipeline.analysis_report import Analysis, AnalysisStep
    from pipeline.commands import Command, StartRun
    from pipeline.forecast import Holding, Plan
    from pipeline.health import Health
    from pipeline.history import History, PastRun, RunDetails
    from pipeline.job_facts import FrameFact, JobFacts, SmallPicture
    from pipeline.lab import LabChoices, LabComparison, LabReport, LabRequest
    from pipeline.model import RunKind
    from pipeline.settings import PipelineSettings, Preset
    from pipeline.shelf import FetchStep, ShelvedModel, Verified
    from pipeline.snapshot import Snapshot
    from screens.sheet import Key, Saved, Sheet

Step = TypeVar("Step", covariant=True)
"""What is told of something that is under way."""


class Source(Protocol):
    """The engine as a screen sees it; neither call ever blocks."""

    def latest(self) -> Snapshot:
        """Return the newest snapshot."""
        ...

    def send(self, command: Command) -> None:
        """Ask for something; whether it was done shows in a later snapshot."""
        ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a run would surely fail, and what to do about it."""

    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the operator filled in for a new run; paths are absolute bytes."""

    kind: RunKind
    inputs: tuple[bytes, ...]
    out: bytes
    preset: str
    changes: tuple[tuple[str, str], ...] = ()
    """Settings that differ from those of the preset: section.key and its value as text, empty for the default."""


@dataclass(frozen=True, slots=True)
class ClassifyRequest:
    """What the operator filled in for a classification; texts are as they were typed, paths absolute bytes."""

    folder: bytes
    """The output folder of the run whose videos are classified."""
    labels: str
    """Words with commas between; empty = by examples."""
    examples: bytes
    method: str
    vectors: str
    min_probability: str


class Planning(Protocol):
    """What the screens of a new run ask; all but `settings` may take long, so they are called from a thread."""

    def settings(self, preset: str, changes: Mapping[str, str]) -> PipelineSettings | Refusal:
        """Return the settings of a run with `preset` and `changes` laid over it."""
        ...

    def count(self, path: bytes, stop: threading.Event, tell: Callable[[Holding], object]) -> Holding:
        """Return what a file or folder holds; `tell` is given the number so far."""
        ...

    def plan(self, request: RunRequest, stop: threading.Event, tell: Callable[[Plan], object]) -> Plan | Refusal:
        """Return what a run would do; `tell` is given the plan so far."""
        ...

    def command(self, request: RunRequest) -> StartRun | Refusal:
        """Return the command that starts the run, or why that would surely fail."""
        ...


class SettingsStore(Protocol):
    """The settings in all their layers, and the file behind them."""

    def read(self) -> Sheet | Refusal:
        """Return the settings as they stand on the disk now; looks there, so a screen calls it from a thread."""
        ...

    def check(self, key: Key, text: str) -> str:
        """Return at once what is wrong with `text` as the value of a setting; empty if nothing is."""
        ...

    def save(self, sheet: Sheet, edits: Mapping[Key, str]) -> Saved | Refusal:
        """Write edits, an empty text for what is taken out, into the file that `sheet` shows; from a thread."""
        ...


class JobReader(Protocol):
    """Reads the disk, so a screen calls it from a thread."""

    def __call__(self, job_id: int, /) -> JobFacts | Refusal:
        """Return all that is known of the job with a number."""
        ...


class Album(Protocol):
    """Shows the kept frames of one video; it is closed when its screen is."""

    def picture(self, job: JobFacts, frame: FrameFact, width: int, height: int) -> SmallPicture | str:
        """Return a frame within `width` x `height` pixels, or why it cannot be shown; may take seconds."""
        ...

    def close(self) -> None:
        """End what it holds; from any thread."""
        ...


class Underway(Protocol[Step]):
    """Something long that goes on elsewhere: an examination of this machine, a download of weights, an analysis."""

    def steps(self) -> Iterator[Step]:
        """Yield how far it is, at last that it is over; blocks in between, so a screen iterates in a thread."""
        ...

    def close(self) -> None:
        """End it, from any thread and at once; `steps` then ends, too."""
        ...


class Shelf(Protocol):
    """The models of the catalogue; `models` and `verify` read the disk, so a screen calls them from a thread."""

    def models(self) -> tuple[ShelvedModel, ...] | Refusal:
        """Return every model."""
        ...

    def verify(self, key: str) -> Verified:
        """Return what is found of the weights of a model, read as a whole."""
        ...

    def fetch(self, key: str) -> Underway[FetchStep]:
        """Begin to fetch the weights of a model."""
        ...


class Analyst(Protocol):
    """Analyses what a run made; `known` reads the disk, so a screen calls it from a thread."""

    def known(self, out: str) -> Analysis | Refusal | None:
        """Return the analysis that lies in an output folder, None if there is none."""
        ...

    def analyse(self, run_id: int) -> Underway[AnalysisStep]:
        """Begin to analyse the outputs of a run."""
        ...


class Classes(Protocol):
    """Classifications; each call may take seconds, so a screen makes it from a thread."""

    def usual(self) -> ClassifyRequest | Refusal:
        """Return what the settings say; its folder is empty."""
        ...

    def command(self, request: ClassifyRequest) -> StartRun | Refusal:
        """Return the command that classifies a folder, or why that would surely fail."""
        ...


class RunHistory(Protocol):
    """What is remembered of all runs; each call reads the disk, so a screen makes it from a thread."""

    def runs(self) -> History | Refusal:
        """Return the newest runs."""
        ...

    def details(self, run_id: int) -> RunDetails | Refusal:
        """Return all that is remembered of one run."""
        ...

    def again(self, run_id: int) -> StartRun | Refusal:
        """Return the command that starts a run once more, after the checks of a new one."""
        ...


@dataclass(frozen=True, slots=True)
class Exported:
    """Files that are whole on the disk; paths are absolute bytes."""

    videos: int
    paths: tuple[bytes, ...]


class FailedVideos(Protocol):
    """What the disk knows of failed videos; each call may take seconds, so a screen calls it from a thread."""

    def sources(self, job_ids: Iterable[int]) -> tuple[bytes, ...] | Refusal:
        """Return the absolute paths of videos."""
        ...

    def export(self, run_id: int, folder: bytes, dismissed: frozenset[int]) -> Exported | Refusal:
        """Write every failed video of a run as JSON and as CSV into a folder."""
        ...

    def dismissed(self, run_id: int) -> frozenset[int]:
        """Return the jobs of a run that were dismissed."""
        ...

    def dismiss(self, run_id: int, job_ids: frozenset[int]) -> Refusal | None:
        """Keep which jobs of a run are dismissed, in place of what was kept."""
        ...


class Lab(Protocol):
    """The benchmark lab; each call may take seconds, so a screen makes it from a thread."""

    def choices(self) -> LabChoices | Refusal:
        """Return what can be measured."""
        ...

    def prepare(self, request: LabRequest) -> StartRun | Refusal:
        """Return the command that has something measured, or why that would surely fail."""
        ...

    def again(self, run_id: int) -> StartRun | Refusal:
        """Return the command that measures once more what a run has measured."""
        ...

    def reports(self) -> tuple[PastRun, ...] | Refusal:
        """Return the benchmarks there have been, newest first."""
        ...

    def report(self, run: PastRun) -> LabReport:
        """Return what is known of one of them."""
        ...

    def compare(self, before: PastRun, after: PastRun) -> LabComparison | Refusal:
        """Return what `after` has changed against `before`."""
        ...

    def export(self, run: PastRun, folder: bytes) -> Exported | Refusal:
        """Write the reports of one into a folder."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """All of it; `vconsole` fills it in once, and each screen takes what it needs."""

    source: Source
    planning: Planning
    presets: Mapping[str, Preset]
    settings: SettingsStore
    history: RunHistory
    refresh_hz: float
    """How often a screen looks at the newest snapshot."""
    job_facts: JobReader
    album: Callable[[], Album]
    """Gives the pictures of one more video."""
    keep: Callable[[str], str]
    """Puts a text into a file, for a terminal that takes nothing into its clipboard, and says where; or why not."""
    examine: Callable[[], Underway[Health]]
    """Gives a new examination of this machine; it begins when it is asked for its steps."""
    failed: FailedVideos
    shelf: Shelf
    lab: Lab
    analyst: Analyst
    classes: Classes
