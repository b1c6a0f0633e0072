"""What is known of a media file: frozen, plain values that become JSON by `dataclasses.asdict`."""

from dataclasses import dataclass
from fractions import Fraction

_SQUARE = 0.01


@dataclass(frozen=True, slots=True)
class HdrFacts:
    """What a video tells of HDR beside its colours."""

    mastering: tuple[float, ...] = ()
    """The display it was mastered on: x and y of red, green, blue and white, darkest and brightest candela a square
    metre; empty where the file does not say."""
    light: tuple[int, ...] = ()
    """Candela a square metre of the brightest pixel, and of the brightest picture on average; empty likewise."""
    dynamic: tuple[str, ...] = ()
    """Kinds of metadata that change from picture to picture: Dolby Vision, HDR10+, HDR Vivid."""

    @property
    def static(self) -> bool:
        """Whether it has what HDR10 says once for the whole video."""
        return bool(self.mastering or self.light)


NO_HDR = HdrFacts()


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """The video stream that is read."""

    index: int
    codec: str
    profile: str
    tag: str
    """The four characters by which the container calls the codec."""
    width: int
    height: int
    """As coded, before rotation."""
    rotation_deg: int
    """Clockwise turn that makes the picture upright: 0, 90, 180 or 270."""
    mirrored: bool
    """Whether the picture is to be mirrored left to right once it was turned."""
    sar: str
    """Shape of a pixel, width:height."""
    pixel_format: str
    bit_depth: int
    range: str
    """tv | pc, empty where the file does not say."""
    matrix: str
    primaries: str
    transfer: str
    """Of the colours, in FFmpeg's words (bt709, smpte2084 ...); empty where the file does not say."""
    interlaced: bool
    field_order: str
    """tff | bff, empty where pictures are whole or nothing says."""
    fps: float
    """Average, as the times of the pictures say; 0 for a single one."""
    header_fps: float
    rate: str
    """The constant rate nearest to it, as a fraction."""
    variable: bool
    frames: int
    """Pictures to be seen, by the packets."""
    hidden: int
    """Pictures that an edit list hides."""
    keyframe_gap_s: float
    """Longest time from one keyframe to the next."""
    start_s: float
    """In presentation seconds."""
    duration_s: float
    """From its first picture to the end of its last, as the packets say."""
    bit_rate: int
    language: str
    hdr_told: HdrFacts = NO_HDR

    @property
    def hdr(self) -> str:
        """Empty, or how it is HDR: pq | hlg."""
        return {"smpte2084": "pq", "arib-std-b67": "hlg"}.get(self.transfer, "")

    @property
    def shape(self) -> Fraction:
        """Width of a pixel by its height; 1 where that is so nearly that nobody sees it."""
        exact = Fraction(self.sar.replace(":", "/"))
        return Fraction(1) if abs(exact - 1) <= _SQUARE else exact

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height of the picture in its own pixels, turned upright."""
        return (self.height, self.width) if self.rotation_deg in (90, 270) else (self.width, self.height)


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """One sound track."""

    index: int
    codec: str
    profile: str
    channels: int
    layout: str
    rate_hz: int
    language: str
    title: str
    default: bool
    start_s: float
    duration_s: float
    packets: int
    bit_rate: int
    decodable: bool
    lone_channel: int
    """The only channel of several in which anything was heard, counted from 0; -1 where there is no such one."""
    damaged: bool = False
    """Whether it was tried and not all of it decodes."""


@dataclass(frozen=True, slots=True)
class SubtitleFacts:
    """One subtitle track; `text` is False for pictures of text."""

    index: int
    codec: str
    language: str
    text: bool


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """What the times of the packets are like."""

    backward: int
    """Places where the decoding times of a stream go back."""
    jumps: int
    """Places where they go on by much more than a picture, though no stream has anything to show in between."""
    missing: int
    """Pictures that do not say when they are shown."""
    repeated: int
    """Pictures that have the time of another one."""

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with it."""
        return not (self.backward or self.jumps or self.missing or self.repeated)


@dataclass(frozen=True, slots=True)
class DamageFacts:
    """What the container shows of damage before anything is decoded."""

    marked: int
    """Video packets that are cut or marked as damaged."""
    faults: tuple[str, ...]
    """Places that could not be read."""
    missing_bytes: int
    """What is promised behind the end of the file."""
    missing_frames: int
    """Pictures that the index promises and the file does not hold."""
    short_s: float
    """Seconds that the header promises past the end of the packets."""

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return bool(self.marked or self.faults or self.missing_bytes or self.missing_frames)


@dataclass(frozen=True, slots=True)
class Decoded:
    """How much of the video decodes, once that was tried."""

    frames: int
    lost: int
    damaged: int
    """Pictures that came out with errors in them."""
    sound_errors: int

    @property
    def whole(self) -> bool:
        """Whether all of it decodes without error."""
        return not (self.lost or self.damaged or self.sound_errors)

    @property
    def share(self) -> float:
        """The share of the pictures that decode without error, 0 to 1."""
        whole = self.frames + self.lost
        return (self.frames - self.damaged) / whole if whole else 0.0


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """What a file holds."""

    container: str
    """FFmpeg's name of the format."""
    format: str
    """mp4 | mov | mkv | webm where it is one of these, else as `container`."""
    size_bytes: int
    header_duration_s: float
    """0 where the header does not say."""
    duration_s: float
    """From the first to the last of picture and sound, as the packets say."""
    start_s: float
    """Presentation time 0 in the file's own clock."""
    video: VideoFacts
    other_videos: int
    covers: int
    audio: tuple[AudioFacts, ...]
    subtitles: tuple[SubtitleFacts, ...]
    data: tuple[str, ...]
    """Tracks of something else, by the name of their codec."""
    attachments: int
    chapters: int
    timecode: str
    title: str
    tags: tuple[tuple[str, str], ...]
    """Names and values of what is said of the file as a whole, but for what tells of its container; values cut."""
    index: str
    """Where mp4 and mov keep their index: front | end | fragments; empty for other containers."""
    is_picture: bool
    mark: str
    """What vconsole wrote into a file that it made, empty for others."""
    clock: ClockFacts
    damage: DamageFacts
    decoded: Decoded | None = None
