"""What a model wants its pictures to be, and the resizing and cropping that make them so.

`prepare` does what `open_clip.image_transform(is_train=False)` does up to the normalisation, with the same Pillow calls
and the same rounding, but without torch: it runs in the workers. The model host divides by 255 and normalises.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RESIZE_MODES = ("shortest", "longest", "squash")


@dataclass(frozen=True, slots=True)
class PictureSpec:
    """How pictures for one model are prepared, and what its vectors are."""

    key: str
    height: int
    width: int
    resize_mode: str
    """`shortest` covers the target and crops, `longest` fits into it and pads, `squash` ignores the aspect ratio."""
    interpolation: str
    """`bicubic` or `bilinear`."""
    fill: int
    """Level (0-255) of the padding of `longest`."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    dim: int
    """Length of a vector."""
    model: str
    """Architecture."""
    weights: str
    """Where the weights come from: a tag, a repository or a file."""
    weights_sha256: str
    precision: str
    device: str

    def to_message(self) -> dict[str, Any]:
        """Return the fields that cross a process border."""
        return asdict(self)

    @classmethod
    def from_message(cls, fields: Mapping[str, Any]) -> "PictureSpec":
        """Return the spec a host sent. Raises TypeError, KeyError or ValueError if it is none."""
        known = {**fields, "mean": _triple(fields["mean"]), "std": _triple(fields["std"])}
        return cls(**known)


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def prepare(picture: NDArray[np.uint8], spec: PictureSpec) -> NDArray[np.uint8]:
    """Return `picture`, uint8 (h, w, 3) RGB, as the model wants it: uint8 (spec.height, spec.width, 3).

    Equal to open_clip's own inference transform before its conversion to floats.
    """
    image = Image.fromarray(picture)
    target = (spec.height, spec.width)
    if spec.resize_mode == "squash":
        image = _resized(image, target, spec.interpolation)
    elif spec.resize_mode == "longest":
        image = _resized(image, _kept_ratio(image, target, longest=True), spec.interpolation)
        image = _padded_crop(image, target, spec.fill)
    elif spec.height == spec.width:
        image = _padded_crop(_resized(image, _short_side(image, spec.height), spec.interpolation), target, 0)
    else:
        # open_clip passes no interpolation to this transform, so it is bicubic whatever the model asks for.
        image = _padded_crop(_resized(image, _kept_ratio(image, target, longest=False), "bicubic"), target, 0)
    return np.asarray(image)


def _short_side(image: Image.Image, side: int) -> tuple[int, int]:
    width, height = image.size
    long = int(side * max(width, height) / min(width, height))
    return (long, side) if width <= height else (side, long)


def _kept_ratio(image: Image.Image, target: tuple[int, int], *, longest: bool) -> tuple[int, int]:
    width, height = image.size
    ratios = (height / target[0], width / target[1])
    ratio = max(ratios) if longest else min(ratios)
    return round(height / ratio), round(width / ratio)


def _resized(image: Image.Image, size: tuple[int, int], interpolation: str) -> Image.Image:
    if (image.height, image.width) == size:
        return image
    method = Image.Resampling.BILINEAR if interpolation == "bilinear" else Image.Resampling.BICUBIC
    return image.resize((size[1], size[0]), method)


def _padded_crop(image: Image.Image, target: tuple[int, int], fill: int) -> Image.Image:
    """Crop around the centre; where the picture is smaller than the target, pad it first."""
    height, width = target
    missing = (max(0, height - image.height), max(0, width - image.width))
    if any(missing):
        canvas = Image.new(image.mode, (image.width + missing[1], image.height + missing[0]), (fill,) * 3)
        canvas.paste(image, (missing[1] // 2, missing[0] // 2))
        image = canvas
    top = round((image.height - height) / 2.0)
    left = round((image.width - width) / 2.0)
    return image.crop((left, top, left + width, top + height))
