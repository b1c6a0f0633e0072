"""Looking at decoded frames: planes without a copy, crop and rotation, RGB on demand."""

from typing import cast

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from pipeline.media.result import Picture

Plane = NDArray[np.uint8]
Samples = NDArray[np.uint8] | NDArray[np.uint16]
Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""

cv2.setNumThreads(1)  # The decoder threads are the parallelism of a worker.

_PLANAR_8 = frozenset(
    {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "yuv440p", "yuvj440p", "nv12", "nv16", "gray"}
)
_PLANAR_DEEP = {f"yuv{layout}p{bits}le": bits for layout in ("420", "422", "444") for bits in (9, 10, 12, 14)}
_FULL_RANGE = 2


def to_rgb(frame: VideoFrame, rotation_deg: int, crop: Box) -> Picture:
    """Return the frame as uint8 (height, width, 3) RGB, turned upright, then cropped to `crop` where it fits."""
    picture = cast(Picture, frame.to_ndarray(format="rgb24", threads=1))
    if rotation_deg:
        picture = np.rot90(picture, -rotation_deg // 90)
    x, y, width, height = crop
    if x + width <= picture.shape[1] and y + height <= picture.shape[0]:
        picture = picture[y : y + height, x : x + width]
    return np.ascontiguousarray(picture)


def coded_box(crop: Box, rotation_deg: int, coded_width: int, coded_height: int) -> Box:
    """Return where the upright box `crop` lies in the picture as it is coded, before rotation."""
    x, y, width, height = crop
    if rotation_deg == 90:
        return y, coded_height - x - width, height, width
    if rotation_deg == 180:
        return coded_width - x - width, coded_height - y - height, width, height
    if rotation_deg == 270:
        return coded_width - y - height, x, height, width
    return crop


def fits(box: Box, width: int, height: int) -> bool:
    """Whether the box lies inside a picture of this size."""
    return box[0] >= 0 and box[1] >= 0 and box[0] + box[2] <= width and box[1] + box[3] <= height


def full_range(frame: VideoFrame) -> bool:
    """Whether luma runs from 0 to 255 rather than from 16 to 235."""
    return int(frame.color_range) == _FULL_RANGE or frame.format.name.startswith("yuvj")


def frame_bytes(frame: VideoFrame) -> int:
    """Return the memory that holding the decoded frame costs."""
    return sum(plane.buffer_size for plane in frame.planes)


def luma(frame: VideoFrame, box: Box, longest: int) -> Plane:
    """Return the luma inside `box` (the whole frame where it does not fit), uint8 (h, w).

    It is halved until its longer side is at most `longest` pixels; each halving averages 2 x 2 pixels.
    """
    if not fits(box, frame.width, frame.height):
        box = (0, 0, frame.width, frame.height)
    grey = _first_plane(frame)[box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
    while max(grey.shape) > longest:
        height, width = max(1, grey.shape[0] // 2), max(1, grey.shape[1] // 2)
        even = grey[: 2 * height, : 2 * width]
        grey = cast(Samples, cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA))
    if grey.dtype == np.uint8:
        return cast(Plane, grey)
    return (grey >> (_PLANAR_DEEP[frame.format.name] - 8)).astype(np.uint8)


def _first_plane(frame: VideoFrame) -> Samples:
    """Return the luma without a copy where the pixel format keeps it apart in whole bytes."""
    name, plane = frame.format.name, frame.planes[0]
    deep = name in _PLANAR_DEEP
    if not (deep or name in _PLANAR_8) or plane.line_size <= 0:
        return cast(Samples, frame.to_ndarray(format="gray", threads=1))
    buffer = memoryview(cast(bytes, plane))
    rows: Samples = np.frombuffer(buffer, np.uint16) if deep else np.frombuffer(buffer, np.uint8)
    return rows.reshape(-1, plane.line_size // rows.itemsize)[: plane.height, : plane.width]
