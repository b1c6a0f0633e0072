"""What one decode of a video hands back: scenes, kept frames, losses and figures, all plain and frozen."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""uint8 (height, width, 3) RGB."""


@dataclass(frozen=True, slots=True)
class SceneSpan:
    """One scene: presentation seconds and frame numbers, both half-open `[start, end)`."""

    start_s: float
    end_s: float
    start_frame: int
    end_frame: int


@dataclass(frozen=True, slots=True)
class LostSpan:
    """A part of the video that could not be read, in presentation seconds, and why."""

    start_s: float
    end_s: float
    reason: str


def no_picture() -> Picture:
    """Raise RuntimeError: the source of a frame whose picture was let go."""
    raise RuntimeError("the picture of a kept frame lives only during on_frame")


@dataclass(frozen=True, slots=True)
class KeptFrame:
    """One frame that was chosen; `dhash` is its 64-bit difference hash, `sharpness` the variance of its Laplacian."""

    time_s: float
    frame_index: int
    """Place in the order of presentation, counted from 0 over the frames the decoder gave."""
    scene: int
    dhash: int
    sharpness: float
    source: Callable[[], Picture] = field(default=no_picture, repr=False, compare=False)
    """Where `picture` comes from; only the frame given to `on_frame` has one."""

    def picture(self) -> Picture:
        """Return the frame as uint8 (height, width, 3) RGB, upright and cropped.

        Converted on demand; valid only during `on_frame`, a RuntimeError afterwards.
        """
        return self.source()


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """A frame that is looked at for what it shows, whether it is kept or not; valid only while it is handed over."""

    time_s: float
    frame_index: int
    luma: Callable[[int], NDArray[np.uint8]] = field(repr=False, compare=False)
    """Returns the luma of the whole upright picture, uint8 (h, w), its longer side at most that many pixels."""
    picture: Callable[[], Picture] = field(repr=False, compare=False)
    """Returns the whole upright picture, not cropped: captions stand in black borders too."""


class Onlooker(Protocol):
    """Sees some of the frames of a sweep in order: the first, the last, the middle, and at regular intervals."""

    @property
    def interval_s(self) -> float:
        """Seconds between the frames it sees."""

    def begin(self) -> None:
        """The sweep begins, or begins anew: what was seen before does not count."""

    def see(self, frame: ShownFrame) -> None:
        """Look at the next frame; it may raise."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one decode of a video found."""

    scenes: tuple[SceneSpan, ...]
    frames: tuple[KeptFrame, ...]
    """The final frames in the order of time, after removal of near-duplicates."""
    sampling: str
    """How the frames were chosen in the end: scenes | uniform | interval | keyframes."""
    frames_decoded: int
    frames_lost: int
    lost: tuple[LostSpan, ...]
    duration_s: float
    """Presentation seconds up to the end of the last frame, as the packets say."""
    fps: float
    """Average frame rate as decoded; 0 for a single frame."""
    seconds: dict[str, float]
    """Wall seconds by stage name: scenes, frames, dedupe, text."""
    bytes_read: int
    variable_rate: bool
    """Whether the frames do not follow each other in equal steps, judged by all of them."""
    cut_off: bool
    """Whether `probe.max_frames` ended the video before its end."""
    false_times: int = 0
    """Pictures whose times could not be and were replaced by those that their neighbours make likely."""
