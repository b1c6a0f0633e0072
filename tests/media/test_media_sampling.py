"""Sampling a frame gives the very pixels of the converted frame."""

import av
import numpy as np
import pytest
from media_make import textured

from pipeline.media.sampling import Sampler

Box = tuple[int, int, int, int]


def noisy(width: int, height: int, pixel_format: str) -> av.VideoFrame:
    noise = np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = np.where(noise > 200, noise, textured(1, width, height))
    return av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixel_format)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p"])
@pytest.mark.parametrize(
    ("coded", "box", "size"),
    [
        ((1280, 720), (0, 0, 1280, 720), (256, 144)),
        ((1280, 720), (40, 92, 1200, 536), (256, 113)),
        ((1922, 804), (2, 2, 1920, 800), (256, 107)),
    ],
)
@pytest.mark.parametrize(("colorspace", "color_range"), [(1, 1), (5, 1), (1, 2), (2, 0)])
def test_samples_equal_those_of_the_converted_frame(
    pixel_format: str, coded: tuple[int, int], box: Box, size: tuple[int, int], colorspace: int, color_range: int
) -> None:
    frame = noisy(*coded, pixel_format)
    frame.colorspace, frame.color_range = colorspace, color_range
    assert Sampler.suits(frame, box)
    left, top, width, height = box
    whole = frame.to_ndarray(format="bgr24")
    columns = left + ((np.arange(size[0]) + 0.5) * width / size[0]).astype(int)
    rows = top + ((np.arange(size[1]) + 0.5) * height / size[1]).astype(int)
    assert np.array_equal(Sampler(box, size, pixel_format).sample(frame), whole[np.ix_(rows, columns)])
