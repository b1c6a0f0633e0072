"""The schema of an analysis (`analysis.json`), which a screen shows too; `vconsole analysis --schema` prints it."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from pipeline.section import Section


class Spread(Section):
    """Figures of a set of values."""

    total: float
    mean: float
    p10: float
    p50: float
    p90: float
    max: float


class Bin(Section):
    """Part of a histogram: low <= value < high, the last one with its end; it may be wider than the others."""

    low: float
    high: float
    videos: int


class ClassCount(Section):
    """One class; videos without one stand under an empty name."""

    name: str
    videos: int
    seconds: float = Field(description="Seconds of those videos.")
    scenes: int = Field(description="Scenes of all videos that are of this class.")


class Frequent(Section):
    """An on-screen line or a spoken word."""

    text: str
    videos: int = Field(description="Videos in which it is seen or spoken.")
    amount: float = Field(description="Seconds that a line is seen; how often a word is spoken.")


class Duplicate(Section):
    """Two videos that are nearly the same."""

    one: str
    other: str
    similarity: float | None = Field(description="Cosine of their vectors; null where one has none.")
    hash_share: float = Field(description="Share of the frames of the one with fewer that the other has, too.")


class Problem(Section):
    """A feature file that could not be read."""

    features: str
    problem: str


class Analysis(Section):
    """What the videos of a folder are, all together."""

    format: Literal["vconsole-analysis"] = "vconsole-analysis"
    format_version: Literal[1] = 1
    created_utc: str
    folder: str
    run: int = Field(0, description="The run whose videos these are; 0 = all of the folder.")
    videos: int = Field(description="Videos that could be read.")
    partial: int = Field(description="Those of which part could not be read when they were extracted.")
    duration_s: Spread
    durations: tuple[Bin, ...]
    scenes: Spread = Field(description="Scenes of a video.")
    cuts_per_min: Spread
    cuts: tuple[Bin, ...] = Field(description="Histogram of the cuts a minute.")
    resolutions: dict[str, int] = Field(description="Videos by width x height, the most frequent first.")
    codecs: dict[str, int]
    languages: dict[str, int] = Field(description="Videos with speech by its language.")
    classes: tuple[ClassCount, ...] = Field(description="Empty where nobody classified them.")
    with_text: int = Field(description="Videos whose on-screen text was looked for.")
    with_speech: int = Field(description="Videos that were listened to for speech.")
    lines: tuple[Frequent, ...]
    words: tuple[Frequent, ...] = Field(description="Words of four letters or more: shorter ones say little.")
    vectors: str = Field(description="Model whose vectors told near-duplicates; empty without any.")
    duplicates: tuple[Duplicate, ...] = Field(description="The most alike first.")
    duplicates_complete: bool = Field(description="False if there are more than analysis.max_pairs.")
    groups: tuple[tuple[str, ...], ...] = Field(description="Videos that hang together as near-duplicates.")
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class AnalysisStep:
    """How far an analysis under way is."""

    done: int = 0
    of: int = 0
    """0 before it is known."""
    failure: str = ""
    """Why it ended without a report, and what to do about it."""
    over: bool = False
