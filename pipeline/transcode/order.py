"""What is to be made of a video, and what was made of it."""

from dataclasses import dataclass, field

from pipeline.media.engines import Engines
from pipeline.stage_sections import ProbeSettings
from pipeline.transcode.facts import MediaFacts
from pipeline.transcode.recipe import Recipe
from pipeline.transcode.settings import TranscodeSettings


@dataclass(slots=True)
class Made:
    """What was made."""

    frames: int = 0
    """Pictures in the output."""
    shown: int = 0
    """Pictures of the source that were decoded or copied."""
    hidden: int = 0
    """Pictures that were copied though an edit list hides them."""
    lost: int = 0
    damaged: int = 0
    sound_errors: int = 0
    repeated: int = 0
    left_out: int = 0
    span_s: float = 0.0
    """From the first picture of the output to the end of its last; 0 where that is not known."""
    sounds: int = 0
    """Sound tracks in which there is anything."""
    subtitles: int = 0
    """Subtitle tracks in which there is anything."""
    losses: list[tuple[float, str]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    """What turned out on the way not to fit into the output."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made of what."""

    path: bytes
    part: bytes
    facts: MediaFacts
    recipe: Recipe
    settings: TranscodeSettings
    probe: ProbeSettings
    mark: str
    decode_threads: int
    encode_threads: int
    engines: Engines | None = None
    """Where a GPU decodes; None where software does."""


class LossError(Exception):
    """Something of the source cannot be decoded, and nothing is to be lost."""
