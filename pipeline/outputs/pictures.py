"""Saved pictures of kept frames: `frames/<relative>/NNNNNN.jpg`, all of a video at once or none."""

import contextlib
import os
from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.outputs.atomic import atomic_folder, remove_tree
from pipeline.outputs.paths import picture_name


class PictureFolder:
    """Takes the pictures of one video while it is decoded; NNNNNN is the frame's `frame_index`."""

    def __init__(self, folder: bytes, kind: Literal["jpeg", "webp"], quality: int) -> None:
        self._folder = folder
        self._kind: Literal["jpeg", "webp"] = kind
        self._quality = quality
        self.bytes_written = 0

    def add(self, frame_index: int, picture: NDArray[np.uint8]) -> None:
        """Write one picture, uint8 (height, width, 3) RGB. Raises OSError."""
        path = self._path(frame_index)
        Image.fromarray(picture).save(os.fsdecode(path), format=self._kind, quality=self._quality)
        self.bytes_written += os.path.getsize(path)

    def keep_only(self, frame_indices: set[int]) -> None:
        """Remove the pictures of frames that were not kept in the end. Raises OSError."""
        wanted = {os.path.basename(self._path(index)) for index in frame_indices}
        for name in os.listdir(self._folder):
            if name not in wanted:
                os.unlink(os.path.join(self._folder, name))

    def _path(self, frame_index: int) -> bytes:
        return os.path.join(self._folder, picture_name(frame_index, self._kind))


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
