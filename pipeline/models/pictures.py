"""What a model wants its pictures to be, and the resizing and cropping that make them so.

`prepare` does what `open_clip.image_transform(is_train=False)` and timm's `create_transform` do up to the
normalisation, with the same Pillow calls and the same rounding, but without torch: it runs in the workers. The model
host divides by 255 and normalises. It could resize as well, ten times as quickly and within one level of 255, but whole
pictures would have to reach it: of 1080p five, of 4K one, fill the window of a worker that now holds two hundred, and
on the CPU batches of five cost the host more than the worker saves.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RESIZE_MODES = ("shortest", "longest", "squash")
INTERPOLATIONS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}
BLACK = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class PictureSpec:
    """How pictures for one model are prepared, and what its vectors are."""

    key: str
    height: int
    width: int
    resize_mode: str
    """`shortest` covers the target and crops, `longest` fits into it and pads, `squash` ignores the aspect ratio."""
    interpolation: str
    """A key of `INTERPOLATIONS`."""
    fill: tuple[int, int, int]
    """Colour (levels 0-255) of the padding of `longest`."""
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
    scale_height: int = 0
    """Height to which it is resized before `height` rows are cut out of its middle; 0 = `height`."""
    scale_width: int = 0
    pool_frames: int = 0
    """Most frames of which the model itself makes the vector of a scene or video; its vectors of frames then keep their
    length. 0 = it does not, and the mean of vectors of length 1 is taken."""
    compiled: bool = False
    """Whether its forward pass is compiled."""

    def to_message(self) -> dict[str, Any]:
        """Return the fields that cross a process border."""
        return asdict(self)

    @classmethod
    def from_message(cls, fields: Mapping[str, Any]) -> "PictureSpec":
        """Return the spec a host sent. Raises TypeError, KeyError or ValueError if it is none."""
        known = {**fields, "mean": _triple(fields["mean"]), "std": _triple(fields["std"])}
        red, green, blue = fields["fill"]
        return cls(**{**known, "fill": (int(red), int(green), int(blue))})

    @property
    def scale(self) -> tuple[int, int]:
        """Height and width that the resizing aims at."""
        return self.scale_height or self.height, self.scale_width or self.width


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def prepare(picture: NDArray[np.uint8], spec: PictureSpec) -> NDArray[np.uint8]:
    """Return `picture`, uint8 (h, w, 3) RGB, as the model wants it: uint8 (spec.height, spec.width, 3).

    Equal to the inference transforms of open_clip and timm before their conversion to floats.
    """
    image = Image.fromarray(picture)
    target, scale = (spec.height, spec.width), spec.scale
    longest = spec.resize_mode == "longest"
    if spec.resize_mode == "squash":
        size = scale
    elif longest or scale[0] != scale[1]:
        size = _kept_ratio(image, scale, longest=longest)
    else:
        size = _short_side(image, scale[0])
    resized = _resized(image, size, INTERPOLATIONS[spec.interpolation])
    return np.asarray(_padded_crop(resized, target, spec.fill if longest else BLACK))


def _short_side(image: Image.Image, side: int) -> tuple[int, int]:
    width, height = image.size
    long = int(side * max(width, height) / min(width, height))
    return (long, side) if width <= height else (side, long)


def _kept_ratio(image: Image.Image, target: tuple[int, int], *, longest: bool) -> tuple[int, int]:
    width, height = image.size
    ratios = (height / target[0], width / target[1])
    ratio = max(ratios) if longest else min(ratios)
    return round(height / ratio), round(width / ratio)


def _resized(image: Image.Image, size: tuple[int, int], method: Image.Resampling) -> Image.Image:
    if (image.height, image.width) == size:
        return image
    return image.resize((size[1], size[0]), method)


def _padded_crop(image: Image.Image, target: tuple[int, int], fill: tuple[int, int, int]) -> Image.Image:
    """Crop around the centre; where the picture is smaller than the target, pad it first."""
    height, width = target
    missing = (max(0, height - image.height), max(0, width - image.width))
    if any(missing):
        canvas = Image.new(image.mode, (image.width + missing[1], image.height + missing[0]), fill)
        canvas.paste(image, (missing[1] // 2, missing[0] // 2))
        image = canvas
    top = round((image.height - height) / 2.0)
    left = round((image.width - width) / 2.0)
    return image.crop((left, top, left + width, top + height))
