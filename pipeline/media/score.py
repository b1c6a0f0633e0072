"""Measuring one decoded frame: what PySceneDetect's detectors compare, and how good a picture it is."""

from typing import Literal, cast

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from pipeline.media.detectors import HashDetector, compute_downscale_factor
from pipeline.media.picture import Box, Plane, fits, full_range, luma
from pipeline.media.sampling import Sampler

Measure = NDArray[np.uint8] | NDArray[np.float64] | NDArray[np.bool_]
Score = float | NDArray[np.bool_]
DetectorName = Literal["adaptive", "content", "threshold", "hash"]

_HASH_SIZE, _HASH_LOWPASS = 8, 2
_WEIGH_LONGEST = 640
_SMALL_REDUCTION, _SMALL_PIXELS = 3.0, 500_000
_BGR = "bgr24"


class Meter:
    """Measures frames for one of PySceneDetect's detectors; one a thread, because it holds a converter.

    Frames are sampled as `SceneManager` with auto downscale does (width about 256) and converted by swscale as
    OpenCV's reader does, but only the samples are converted: picked from the planes of 8-bit 4:2:0, by swscale's point
    sampling from others. A small picture, or one that is hardly reduced, is converted whole and reduced by OpenCV,
    exactly as PySceneDetect does.
    """

    def __init__(self, detector: DetectorName, box: Box, coded_width: int, coded_height: int) -> None:
        self._detector = detector
        factor = compute_downscale_factor(max(box[2], box[3]))
        self._sampled = factor > _SMALL_REDUCTION and coded_width * coded_height > _SMALL_PIXELS
        self._size = max(1, round(box[2] / factor)), max(1, round(box[3] / factor))
        if self._sampled:
            self._scaled = max(1, round(coded_width / factor)), max(1, round(coded_height / factor))
            left = min(round(box[0] / factor), self._scaled[0] - self._size[0])
            top = min(round(box[1] / factor), self._scaled[1] - self._size[1])
            self._box: Box = (left, top, *self._size)
        else:
            self._scaled = coded_width, coded_height
            self._box = box
        self._converter = VideoReformatter()
        self._coded, self._coded_box = (coded_width, coded_height), box
        self._samplers: dict[str, Sampler] = {}

    def tiny(self, frame: VideoFrame) -> Plane:
        """Return the frame as a small uint8 (h, w, 3) BGR picture; always of the same size."""
        whole = self._sampled and (frame.width, frame.height) == self._coded
        if whole and Sampler.suits(frame, self._coded_box):
            name = frame.format.name
            if name not in self._samplers:
                self._samplers[name] = Sampler(self._coded_box, self._size, name)
            return self._samplers[name].sample(frame)
        width, height = self._scaled
        if not self._sampled and (frame.width, frame.height) != self._scaled:
            width, height = frame.width, frame.height
        small = self._converter.reformat(
            frame,
            width,
            height,
            _BGR,
            interpolation=Interpolation.POINT,
            threads=1,
        )
        plane = small.planes[0]
        rows = np.frombuffer(memoryview(cast(bytes, plane)), np.uint8).reshape(height, plane.line_size)
        picture = rows[:, : width * 3].reshape(height, width, 3)
        if fits(self._box, width, height):
            left, top, wide, high = self._box
            picture = picture[top : top + high, left : left + wide]
        if picture.shape[1::-1] != self._size:
            picture = cast(Plane, cv2.resize(picture, self._size, interpolation=cv2.INTER_LINEAR))
        return picture

    def measure(self, frame: VideoFrame) -> Measure:
        """Return what two frames are compared by: HSV, mean of BGR (1,), or hash bits (8, 8)."""
        small = self.tiny(frame)
        if self._detector == "threshold":
            return np.array([np.mean(small)])
        if self._detector == "hash":
            bits: NDArray[np.bool_] = HashDetector.hash_frame(small, _HASH_SIZE, _HASH_LOWPASS)
            return bits
        return cast(Plane, cv2.cvtColor(small, cv2.COLOR_BGR2HSV))


def compare(detector: DetectorName, before: Measure | None, after: Measure) -> Score:
    """Return the score of a frame, `before` being the measure of the one before it (None for the first)."""
    if detector == "threshold":
        return float(after[0])
    if detector == "hash":
        return after.astype(np.bool_, copy=False)
    if before is None:
        return 0.0
    return float(cv2.norm(cast(Plane, after), cast(Plane, before), cv2.NORM_L1)) / after.size


def weigh(frame: VideoFrame, box: Box) -> tuple[float, float, float]:
    """Return sharpness (variance of the Laplacian), entropy in bits and mean luma (0-255, full range) inside `box`.

    Sharpness after Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (ICPR 2000).
    """
    grey = luma(frame, box, _WEIGH_LONGEST)
    _, spread = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel()
    shares = counts[counts > 0] / grey.size
    mean = float(np.dot(counts, np.arange(256)) / grey.size)
    if not full_range(frame):
        mean = (mean - 16) * 255 / 219
    return float(spread[0, 0] ** 2), float(-(shares * np.log2(shares)).sum()), mean
