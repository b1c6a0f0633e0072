"""Saved pictures of kept frames: `frames/<relative>/NNNNNN.jpg`, all of a video at once or none."""

import contextlib
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.outputs.atomic import atomic_folder, remove_tree
from pipeline.outputs.paths import picture_name
from pipeline.outputs.saved import PicturesSum, sum_of


class PictureFolder:
    """Takes the pictures of one video while it is decoded; NNNNNN is the frame's `frame_index`."""

    def __init__(self, folder: bytes, kind: Literal["jpeg", "webp"], quality: int) -> None:
        self._folder = folder
        self._kind: Literal["jpeg", "webp"] = kind
        self._quality = quality
        self._written: dict[bytes, tuple[int, str]] = {}

    @property
    def sum(self) -> PicturesSum:
        """What the pictures are that were written and kept."""
        return sum_of(self._written)

    def add(self, frame_index: int, picture: NDArray[np.uint8]) -> None:
        """Write one picture, uint8 (height, width, 3) RGB. Raises OSError."""
        image = io.BytesIO()
        Image.fromarray(picture).save(image, format=self._kind, quality=self._quality)
        self.put(frame_index, image.getvalue())

    def put(self, frame_index: int, data: bytes) -> None:
        """Write one picture that is encoded already. Raises OSError."""
        name = picture_name(frame_index, self._kind)
        with open(os.path.join(self._folder, name), "wb") as file:
            file.write(data)
        self._written[name] = (len(data), hashlib.sha256(data).hexdigest())

    def keep_only(self, frame_indices: set[int]) -> None:
        """Remove the pictures of frames that were not kept in the end. Raises OSError."""
        wanted = {picture_name(index, self._kind) for index in frame_indices}
        for name in set(self._written) - wanted:
            os.unlink(os.path.join(self._folder, name))
            del self._written[name]


@contextlib.contextmanager
def saved_pictures(
    folder: bytes, kind: Literal["none", "jpeg", "webp"], quality: int
) -> Iterator[PictureFolder | None]:
    """Yield where to put a video's pictures; after the block `folder` holds those and nothing else.

    With `none` it yields None and what an earlier run left in `folder` goes. On an error `folder` stays as it was.
    Raises OSError.
    """
    if kind == "none":
        yield None
        remove_tree(folder)
        return
    with atomic_folder(folder) as part:
        yield PictureFolder(part, kind, quality)


def unreadable_pictures(folder: bytes, names: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the names of the pictures in `folder` that cannot be decoded to their end."""
    for name in names:
        try:
            with Image.open(os.fsdecode(os.path.join(folder, name))) as picture:
                picture.load()
        except Exception:  # noqa: BLE001 - damaged pictures make Pillow raise anything
            yield name
