"""Stage probe: what a file is, judged by its packets rather than by its header."""

from dataclasses import dataclass

from pipeline.settings import ProbeSettings


@dataclass(frozen=True, slots=True)
class Probe:
    """What a file holds; plain values only (`dataclasses.asdict` gives JSON)."""

    container: str
    """FFmpeg's name of the format, e.g. `mov,mp4,m4a,3gp,3g2,mj2`."""
    video_codec: str
    audio_codec: str
    """Empty without sound."""
    width: int
    """Of the upright picture, rotation applied."""
    height: int
    rotation_deg: int
    """Clockwise turn that makes the decoded picture upright: 0, 90, 180 or 270."""
    duration_s: float
    """What the packets say if they were read, else what the header says; 0 when unknown."""
    header_duration_s: float
    fps: float
    """True average; 0 for a single picture."""
    variable_rate: bool
    frames: int
    """Pictures that the packets promise; 0 when unknown."""
    start_s: float
    """Earliest start of any stream in the file's own clock: presentation time 0."""
    pixel_format: str
    bit_depth: int
    hdr: str
    """Empty, or the transfer: pq | hlg."""
    colour_space: str
    full_range: bool
    interlaced: bool
    audio_layout: str
    audio_rate_hz: int
    is_picture: bool
    """Whether the file is a still picture: a one-frame input."""
    video_stream: int
    """Index of the stream that is read."""
    subtitle_streams: int
    audio_streams: int
    size_bytes: int
    seconds: float
    """Wall time of the probe."""


def probe(path: bytes, settings: ProbeSettings) -> Probe:
    """Return what the file at `path` (absolute) holds.

    Raises JobError (stage probe): empty without a picture, corrupt, unsupported, encrypted, too_large, io.
    """
    raise NotImplementedError(path, settings)
