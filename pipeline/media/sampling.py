"""Sampling pixels of 4:2:0 frames plane by plane, so that nothing but the samples is converted."""

from typing import cast

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from pipeline.media.picture import Box, Plane

_SMALL_FORMAT = {"yuv420p": "yuv422p", "yuvj420p": "yuvj422p"}


class Sampler:
    """Takes the pixels nearest to a grid of `size` (width, height) over an even `box`; one a thread.

    The result equals converting the whole frame and taking those pixels (either one where two are as near). Samples
    are laid out as 4:2:2 with every luma twice, because swscale converts that pixel by pixel, each sample with its own
    chroma.
    """

    def __init__(self, box: Box, size: tuple[int, int], pixel_format: str) -> None:
        left, top, width, height = box
        self._size = size
        self._rows = ((np.arange(size[1]) + 0.5) * height / size[1]).astype(np.intp)
        self._places = ((left, top, width, self._rows), *((left // 2, top // 2, width // 2, self._rows // 2),) * 2)
        even_height = size[1] + size[1] % 2  # Odd heights take another way through swscale.
        self._small = VideoFrame(2 * size[0], even_height, _SMALL_FORMAT[pixel_format])
        luma, *chroma = (_pixels(self._small, number)[: size[1]] for number in range(3))
        self._targets = (luma[:, : 2 * size[0] : 2], *(plane[:, : size[0]] for plane in chroma))
        self._converter = VideoReformatter()

    @staticmethod
    def suits(frame: VideoFrame, box: Box) -> bool:
        """Whether the frame is 8-bit 4:2:0, top row first, and the box (inside it) does not divide a chroma sample."""
        known = frame.format.name in _SMALL_FORMAT and not any(number % 2 for number in box)
        return known and all(plane.line_size > 0 for plane in frame.planes)

    def sample(self, frame: VideoFrame) -> Plane:
        """Return uint8 (h, w, 3) BGR."""
        for number, (left, top, width, rows) in enumerate(self._places):
            pixels = _pixels(frame, number)[top:, left : left + width]
            self._targets[number][:] = cv2.resize(pixels[rows], self._size, interpolation=cv2.INTER_NEAREST_EXACT)
        small = self._small
        small.colorspace, small.color_range = frame.colorspace, frame.color_range
        done = self._converter.reformat(
            small, small.width, small.height, "bgr24", interpolation=Interpolation.POINT, threads=1
        )
        wide = _pixels(done, 0)[: self._size[1], : small.width * 3].reshape(self._size[1], small.width, 3)
        return cast(Plane, cv2.resize(wide, self._size, interpolation=cv2.INTER_NEAREST))


def _pixels(frame: VideoFrame, number: int) -> Plane:
    """Return the bytes of a plane without a copy, (rows, line size)."""
    plane = frame.planes[number]
    return np.frombuffer(memoryview(cast(bytes, plane)), np.uint8).reshape(-1, plane.line_size)
