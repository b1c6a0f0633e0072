"""Measuring one decoded frame: what PySceneDetect's detectors compare, and how good a picture it is."""

from typing import Literal, cast

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from scenedetect.detectors import HashDetector
from scenedetect.scene_manager import compute_downscale_factor

from pipeline.media.picture import Box, Plane, Samples, full_range, luma, planes, to_eight_bits

Measure = NDArray[np.uint8] | NDArray[np.float64] | NDArray[np.bool_]
Score = float | NDArray[np.bool_]
DetectorName = Literal["adaptive", "content", "threshold", "hash"]

_HASH_SIZE, _HASH_LOWPASS = 8, 2
_WEIGH_LONGEST = 512


def _bt601(full: bool) -> NDArray[np.float32]:
    """Return the 3 x 4 matrix from Y, U, V to B, G, R that swscale uses when it is told no colour space."""
    scale, chroma, offset = (1.0, 1.0, 0.0) if full else (255 / 219, 255 / 224, 16.0)
    red, green_u, green_v, blue = 1.402 * chroma, 0.344136 * chroma, 0.714136 * chroma, 1.772 * chroma
    matrix = np.array([[scale, blue, 0], [scale, -green_u, -green_v], [scale, 0, red]], np.float32)
    shift = -(matrix[:, 0] * offset + (matrix[:, 1] + matrix[:, 2]) * 128)
    return np.hstack([matrix, shift[:, None]]).astype(np.float32)


_MATRICES = {full: _bt601(full) for full in (False, True)}


class Meter:
    """Measures frames for one of PySceneDetect's detectors; has no memory, so any thread may measure any frame.

    Frames are sampled as `SceneManager` with auto downscale does (bilinear, width about 256), but plane by plane
    before the conversion to BGR, so that the full picture is never converted.
    """

    def __init__(self, detector: DetectorName, box: Box) -> None:
        self.detector = detector
        self._box = box
        width, height = box[2], box[3]
        factor = compute_downscale_factor(max(width, height))
        self._size = (max(1, round(width / factor)), max(1, round(height / factor))) if factor > 1 else (width, height)

    def tiny(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Return the frame as a small uint8 (h, w, 3) BGR picture; always of the same size."""
        box = self._box if frame.width >= self._box[0] + self._box[2] else (0, 0, frame.width, frame.height)
        if box[1] + box[3] > frame.height:
            box = (0, 0, frame.width, frame.height)
        found = planes(frame, box)
        if found is None:
            whole = frame.to_ndarray(format="bgr24", threads=1)
            whole = whole[box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
            return cast(Plane, cv2.resize(whole, self._size, interpolation=cv2.INTER_LINEAR))
        name = frame.format.name
        small = [
            to_eight_bits(cast(Samples, cv2.resize(plane, self._size, interpolation=cv2.INTER_LINEAR)), name)
            for plane in found
        ]
        return cast(Plane, cv2.transform(cv2.merge(small), _MATRICES[full_range(frame)]))

    def measure(self, frame: VideoFrame) -> Measure:
        """Return what two frames are compared by: HSV, mean of BGR (1,), or hash bits (8, 8)."""
        small = self.tiny(frame)
        if self.detector == "threshold":
            return np.array([np.mean(small)])
        if self.detector == "hash":
            bits: NDArray[np.bool_] = HashDetector.hash_frame(small, _HASH_SIZE, _HASH_LOWPASS)
            return bits
        return cast(Plane, cv2.cvtColor(small, cv2.COLOR_BGR2HSV))

    def compare(self, before: Measure | None, after: Measure) -> Score:
        """Return the score of a frame, `before` being the measure of the one before it (None for the first)."""
        if self.detector == "threshold":
            return float(after[0])
        if self.detector == "hash":
            return after.astype(np.bool_, copy=False)
        if before is None:
            return 0.0
        return float(cv2.norm(cast(Plane, after), cast(Plane, before), cv2.NORM_L1)) / after.size


def weigh(frame: VideoFrame, box: Box) -> tuple[float, float, float]:
    """Return sharpness (variance of the Laplacian), entropy in bits and mean luma (0-255, full range) inside `box`.

    Sharpness after Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (ICPR 2000).
    """
    if box[0] + box[2] > frame.width or box[1] + box[3] > frame.height:
        box = (0, 0, frame.width, frame.height)
    grey = luma(frame, box, _WEIGH_LONGEST)
    _, spread = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel()
    shares = counts[counts > 0] / grey.size
    mean = float(np.dot(counts, np.arange(256)) / grey.size)
    if not full_range(frame):
        mean = (mean - 16) * 255 / 219
    return float(spread[0, 0] ** 2), float(-(shares * np.log2(shares)).sum()), mean
