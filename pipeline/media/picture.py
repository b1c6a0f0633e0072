"""Looking at decoded frames: planes without a copy, crop and rotation, RGB on demand."""

from typing import cast

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from pipeline.media.result import Picture

Plane = NDArray[np.uint8]
Samples = NDArray[np.uint8] | NDArray[np.uint16]
Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""

cv2.setNumThreads(1)  # The decoder threads are the parallelism of a worker.

_PLANAR_8 = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "yuv440p", "yuvj440p"})
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


def _view(plane: VideoPlane, deep: bool) -> Samples:
    buffer = memoryview(cast(bytes, plane))
    rows: Samples = np.frombuffer(buffer, np.uint16) if deep else np.frombuffer(buffer, np.uint8)
    rows = rows.reshape(-1, plane.line_size // (2 if deep else 1))
    return rows[: plane.height, : plane.width]


def planes(frame: VideoFrame, box: Box) -> list[Samples] | None:
    """Return Y, U and V inside `box` (coded pixels) as views without a copy, None for other pixel formats."""
    deep = frame.format.name in _PLANAR_DEEP
    if not deep and frame.format.name not in _PLANAR_8:
        return None
    views = []
    for plane in frame.planes[:3]:
        if plane.line_size <= 0:
            return None
        view = _view(plane, deep)
        across, down = frame.width / plane.width, frame.height / plane.height
        left, top = int(box[0] / across), int(box[1] / down)
        right, bottom = -int(-(box[0] + box[2]) // across), -int(-(box[1] + box[3]) // down)
        views.append(view[top:bottom, left:right])
    return views


def to_eight_bits(plane: Samples, pixel_format: str) -> Plane:
    """Return samples of any depth as uint8."""
    if plane.dtype == np.uint8:
        return plane.astype(np.uint8, copy=False)
    return (plane >> (_PLANAR_DEEP[pixel_format] - 8)).astype(np.uint8)


def luma(frame: VideoFrame, box: Box, longest: int) -> Plane:
    """Return the luma inside `box`, uint8 (h, w), scaled down to at most `longest` pixels on its longer side."""
    found = planes(frame, box)
    if found is None:
        grey = cast(Samples, frame.to_ndarray(format="gray", threads=1))
        grey = grey[box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
    else:
        grey = found[0]
    height, width = grey.shape
    share = longest / max(height, width)
    if share < 1:
        size = max(1, round(width * share)), max(1, round(height * share))
        grey = cast(Samples, cv2.resize(grey, size, interpolation=cv2.INTER_AREA))
    return to_eight_bits(grey, frame.format.name)
