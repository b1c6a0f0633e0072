"""What a decoder thread tells of one decoded frame, and of the cases it cannot tell in parallel."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.media.picture import frame_bytes
from pipeline.media.score import Measure, Score

if TYPE_CHECKING:
    VideoPacket: TypeAlias = Packet[VideoStream]
else:
    VideoPacket = Packet  # PyAV's class takes no parameter at run time.


class IrregularError(Exception):
    """The video cannot be decoded this way: it is `damaged`, its `times` do not grow, or it is of another structure.

    `keyless`: none of its keyframes is to be seen.
    """

    def __init__(self, reason: str, *, damaged: bool = False, times: bool = False, keyless: bool = False) -> None:
        super().__init__(reason)
        self.damaged = damaged
        self.times = times
        self.keyless = keyless


@dataclass(slots=True)
class Candidate:
    """A decoded frame that may be kept, weighed, with its picture."""

    time_s: float
    frame_index: int
    frame: VideoFrame | None
    """None where only what was measured of it is still known."""
    sharpness: float
    good: bool
    """Neither black nor empty."""
    held_bytes: int
    dhash: int | None = None
    """Its difference hash, None until it is asked for."""


@dataclass(slots=True)
class Seen:
    """One decoded frame."""

    time_s: float
    score: Score | None = None
    """None for the first frame of a stretch: its score follows from the stretch before."""
    measure: Measure | None = None
    """Only with a None score."""
    keyframe: bool = False
    damaged: bool = False
    candidate: Candidate | None = None
    shown: VideoFrame | None = None
    """The picture, where its text may be wanted."""
    rank: int = -1
    """Place in the order of presentation where the decoder saw only keyframes; -1 = count."""
    lost: tuple[float, ...] = ()
    """Times of promised pictures before this one that did not come."""


def held_bytes(seen: Seen) -> int:
    """Return the memory of the pictures that a frame that was seen holds on to."""
    if seen.candidate:
        return seen.candidate.held_bytes
    return frame_bytes(seen.shown) if seen.shown else 0
