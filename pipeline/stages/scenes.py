"""Stage scenes: PySceneDetect's detectors decide, fed with scores that the decoder threads have taken."""

from array import array
from bisect import bisect_left
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.media.detectors import (
    AdaptiveDetector,
    ContentDetector,
    FrameTimecode,
    HashDetector,
    SceneDetector,
    ThresholdDetector,
    Timecode,
    framerate_to_fraction,
)
from pipeline.media.result import SceneSpan
from pipeline.media.score import Score
from pipeline.stage_sections import ScenesSettings

_LEAST_FPS = 1e-3
"""A rate below this is a broken clock; PySceneDetect refuses it below a billionth."""
_MICROSECOND = Fraction(1, 1_000_000)


class _Adaptive(AdaptiveDetector):  # type: ignore[misc]
    """PySceneDetect's detector, handed the score in place of the picture."""

    def _calculate_frame_score(self, timecode: FrameTimecode, frame_img: float) -> float:
        return frame_img


class _Content(ContentDetector):  # type: ignore[misc]
    """PySceneDetect's detector, handed the score in place of the picture."""

    def _calculate_frame_score(self, timecode: FrameTimecode, frame_img: float) -> float:
        return frame_img


class _Hash(HashDetector):  # type: ignore[misc]
    """PySceneDetect's detector, handed the hash in place of the picture."""

    @staticmethod
    def hash_frame(frame_img: NDArray[np.bool_], hash_size: int, factor: int) -> NDArray[np.bool_]:
        return frame_img


def _detector(settings: ScenesSettings) -> SceneDetector:
    """Return the detector; a threshold that is not set is PySceneDetect's own default."""
    name = "adaptive_threshold" if settings.detector == "adaptive" else "threshold"
    options = {} if settings.threshold is None else {name: settings.threshold}
    kinds = {"adaptive": _Adaptive, "content": _Content, "threshold": ThresholdDetector, "hash": _Hash}
    return kinds[settings.detector](min_scene_len=settings.min_scene_len, **options)


class Scenes:
    """Turns scores into cuts, online; `feed` frames in order, then `finish`.

    Times are presentation seconds of the file. The detector itself sees time as PySceneDetect's own reader gives
    it: microseconds since the first frame, with the nominal frame rate.
    """

    def __init__(self, settings: ScenesSettings, fps: float) -> None:
        self._detector = _detector(settings) if settings.enabled else None
        self._rate = framerate_to_fraction(fps) if fps >= _LEAST_FPS else Fraction(25)
        self._times = array("d")
        self._cuts: list[int] = []

    def feed(self, time_s: float, score: Score) -> list[float]:
        """Take the next frame and return the times of the cuts that are now certain, each a frame's time."""
        self._times.append(time_s)
        if self._detector is None:
            return []
        return self._place(self._detector.process_frame(self._code(time_s), score))

    @property
    def times_s(self) -> NDArray[np.float64]:
        """The times of all frames fed so far, (N,)."""
        return np.array(self._times)

    def finish(self) -> list[float]:
        """Return the cuts that only the end of the video makes certain."""
        if self._detector is None or not self._times:
            return []
        return self._place(self._detector.post_process(self._code(self._times[-1])))

    def spans(self, end_s: float) -> tuple[SceneSpan, ...]:
        """Return the scenes of a video that ends at `end_s`; no cut means one scene, no frame means none."""
        if not self._times:
            return ()
        marks = [0, *self._cuts, len(self._times)]
        return tuple(
            SceneSpan(
                start_s=self._times[first],
                end_s=self._times[last] if last < len(self._times) else max(end_s, self._times[-1]),
                start_frame=first,
                end_frame=last,
            )
            for first, last in pairwise(marks)
        )

    def _code(self, time_s: float) -> FrameTimecode:
        ticks = round((time_s - self._times[0]) * 1_000_000)
        return FrameTimecode(Timecode(pts=max(0, ticks), time_base=_MICROSECOND), self._rate)

    def _place(self, codes: list[FrameTimecode]) -> list[float]:
        found = []
        for code in codes:
            frame = bisect_left(self._times, self._times[0] + code.seconds - 1e-6)
            if frame >= len(self._times) or frame <= (self._cuts[-1] if self._cuts else 0):
                continue
            self._cuts.append(frame)
            found.append(self._times[frame])
        return found
