"""All that is known of one job, as frozen plain values: what ledger and feature file say, and small pictures."""

from dataclasses import dataclass
from typing import NamedTuple

from pipeline.model import FailureClass, JobState, RunKind, Stage


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What the probe found in the file; a zero or an empty text is not known."""

    container: str = ""
    video_codec: str = ""
    pixel_format: str = ""
    bit_depth: int = 0
    width: int = 0
    height: int = 0
    fps: float = 0.0
    variable_rate: bool = False
    duration_s: float = 0.0
    size_bytes: int = 0
    rotation_deg: int = 0
    hdr: str = ""
    interlaced: bool = False
    audio_codec: str = ""
    """Empty without sound, or where only the header was read."""
    audio_layout: str = ""
    audio_rate_hz: int = 0
    audio_streams: int = 0
    subtitle_streams: int = 0
    only_header: bool = False
    """Whether the probe failed, so that only the header told something."""

    @property
    def bits_per_s(self) -> float:
        """The bit rate of the whole file, 0 where its length is not known."""
        return self.size_bytes * 8 / self.duration_s if self.duration_s > 0 else 0.0


class SceneFact(NamedTuple):
    """One scene in presentation seconds, half-open."""

    start_s: float
    end_s: float


class FrameFact(NamedTuple):
    """One kept frame, with what it takes to find its picture again."""

    time_s: float
    frame_index: int
    scene: int
    dhash: int
    sharpness: float


class LostFact(NamedTuple):
    """A part of the video that could not be read."""

    start_s: float
    end_s: float
    reason: str


class TextFact(NamedTuple):
    """One line of on-screen text; the fields are columns of `/lines`."""

    start_s: float
    end_s: float
    text: str


class SpeechFact(NamedTuple):
    """One spoken segment; the fields are columns of `/speech`."""

    start_s: float
    end_s: float
    text: str
    confidence: float


class ClassShare(NamedTuple):
    """One class and its probability."""

    name: str
    probability: float


class ClassScene(NamedTuple):
    """The class of one scene; an empty name where none is likely enough."""

    start_s: float
    end_s: float
    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """What `vconsole classify` told of the video."""

    label: str
    """Empty where no class is likely enough."""
    shares: tuple[ClassShare, ...]
    """All classes, the likeliest first; none where no frame was kept."""
    scenes: tuple[ClassScene, ...]
    method: str
    """words, centroid or probe."""
    model: str


@dataclass(frozen=True, slots=True)
class TimelineFacts:
    """What the feature file says of the video's course; of very many frames or scenes only the first are held."""

    duration_s: float
    scenes: tuple[SceneFact, ...]
    frames: tuple[FrameFact, ...]
    lost: tuple[LostFact, ...]
    scenes_total: int
    frames_total: int
    sampling: str
    crop_xywh: tuple[int, int, int, int]
    rotation_deg: int
    text: tuple[TextFact, ...] | None = None
    """On-screen text over time; None where it was not asked for."""
    speech: tuple[SpeechFact, ...] | None = None
    """What is said; None where it was not asked for."""
    language: str = ""
    """Code of the language that is spoken; empty where nothing is said."""


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    """One attempt at the job; times are Unix time, `ended_s` 0 = it is not over."""

    number: int
    outcome: str
    failure: FailureClass | None
    message: str
    started_s: float
    ended_s: float
    chunk: int = -1
    """The chunk that it was made at, of a long video; -1 = the whole."""


@dataclass(frozen=True, slots=True)
class ChunkFacts:
    """One chunk of a long video, in presentation seconds."""

    number: int
    start_s: float
    end_s: float
    state: JobState
    attempts: int
    message: str


@dataclass(frozen=True, slots=True)
class OutputFacts:
    """One output of the job: its absolute path, decoded as file names are, and its size."""

    kind: str
    """features | pictures | video"""
    path: str
    size_bytes: int
    missing: bool = False


class Compared(NamedTuple):
    """One property of a video, as it was and as it became; `after` is empty where there is no output."""

    name: str
    before: str
    after: str


class Oddity(NamedTuple):
    """One thing that was odd about a video, and what was done about it."""

    code: str
    sentence: str
    will: str


@dataclass(frozen=True, slots=True)
class TranscodeFacts:
    """What a transcode made of a video."""

    action: str
    """encoded | remuxed | conforms, empty where it has not come to an end."""
    encoder: str
    ratio: float
    """Bytes of the output for a byte of the source, 0 where there is none."""
    x_real_time: float
    compared: tuple[Compared, ...]
    problems: tuple[Oddity, ...]
    left: tuple[Oddity, ...]
    """What is odd about the output and was not named before."""
    dropped: tuple[str, ...]
    fallback: str
    """Why software encoded it in place of the hardware, empty if not."""
    loss: str
    notes: tuple[str, ...]
    """What else is to be known of the output."""


@dataclass(frozen=True, slots=True)
class JobFacts:
    """One job as ledger and feature file know it at one moment."""

    job_id: int
    run_id: int
    kind: RunKind
    preset: str
    state: JobState
    source: str
    """Absolute path, decoded with surrogateescape."""
    name: str
    size_bytes: int
    attempts_charged: int
    reused: bool
    failure: FailureClass | None
    stage: Stage | None
    message: str
    remedy: str
    detail: str
    reason: str
    ended_s: float
    streams: StreamFacts | None
    """None where no probe told the ledger, as of a video that is not over or could not be opened."""
    seconds: tuple[tuple[Stage, float], ...]
    """Seconds of each stage that ran."""
    attempts: tuple[AttemptFacts, ...]
    outputs: tuple[OutputFacts, ...]
    timeline: TimelineFacts | None
    timeline_note: str
    """Why there is no timeline; empty if there is one."""
    saved_as: str
    """The kind of the saved pictures (jpeg, webp), empty if the preset saved none."""
    pictures_folder: str
    """Where pictures would be saved, decoded with surrogateescape."""
    transcode: TranscodeFacts | None = None
    """What a transcode found and did, None in other runs."""
    chunks: tuple[ChunkFacts, ...] = ()
    """The chunks that a long video is done in, none where it is done in one piece."""
    classes: ClassFacts | None = None
    """Its classes, None where nobody told any of the feature file that is there."""


@dataclass(frozen=True, slots=True)
class SmallPicture:
    """A picture small enough for a terminal: three bytes a pixel, row after row."""

    width: int
    height: int
    rgb: bytes
    saved: bool
    """Whether it is the saved picture; otherwise it was decoded from the video again."""
