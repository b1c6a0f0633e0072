"""Preparing pictures in the worker gives what open_clip's own transform gives."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.models.pictures import PictureSpec, prepare

SIZES = [(320, 240), (240, 320), (64, 64), (1, 50), (50, 1), (37, 91), (1280, 720), (70, 64), (3, 2)]


def spec(height: int, width: int, mode: str, interpolation: str, fill: int = 0) -> PictureSpec:
    return PictureSpec(
        "k", height, width, mode, interpolation, (fill,) * 3, (0, 0, 0), (1, 1, 1), 8, "m", "w", "", "fp32", "cpu"
    )


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("target", [(64, 64), (48, 80)])
def test_prepared_pictures_equal_those_of_open_clip(
    open_clip: Any, mode: str, interpolation: str, target: tuple[int, int]
) -> None:
    transform = open_clip.image_transform(
        target, is_train=False, mean=(0.0,) * 3, std=(1.0,) * 3, resize_mode=mode, interpolation=interpolation,
        fill_color=77,
    )  # fmt: skip
    rng = np.random.default_rng(3)
    for width, height in SIZES:
        picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        theirs = transform(Image.fromarray(picture)).permute(1, 2, 0).numpy()
        # open_clip passes no interpolation to its transform for such targets; its family says bicubic then.
        told = "bicubic" if mode == "shortest" and target[0] != target[1] else interpolation
        ours = prepare(picture, spec(*target, mode, told, 77))
        assert ours.shape == (*target, 3)
        assert np.array_equal(ours, np.rint(theirs * 255).astype(np.uint8)), (mode, interpolation, width, height)


def test_a_spec_survives_the_process_border() -> None:
    made = spec(10, 20, "squash", "bilinear", 9)
    assert PictureSpec.from_message(made.to_message()) == made


def test_what_is_no_spec_is_refused() -> None:
    with pytest.raises(TypeError):
        PictureSpec.from_message({"mean": [0, 0, 0], "std": [1, 1, 1], "fill": [0, 0, 0], "surprise": 1})
