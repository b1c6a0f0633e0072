"""The few things of a stored feature file that classes, templates and analyses read."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.analysis.folder import Folder
from pipeline.outputs.features import FeatureError, Group, opened
from pipeline.stages.embed import pooled

LOOKED_AT = 32
"""Feature files that are asked which models' vectors they hold, before that is given up."""
Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VideoVectors:
    """The vectors of one model for one video, and where its scenes are."""

    source: str
    start_s: list[float]
    end_s: list[float]
    scenes: Vectors
    """(S, D), a row of zeros for a scene without a kept frame."""
    video: Vectors
    """(D,), zeros where no frame was kept."""
    weights_sha256: str


def held_models(folder: Folder) -> tuple[str, ...]:
    """Return the keys of the models whose vectors the first feature file with any holds; none where a few have none."""
    for name in folder.names[:LOOKED_AT]:
        # One that cannot be read is told when its own turn comes.
        with suppress(FeatureError, OSError), opened(folder.path(name)) as file:
            if keys := tuple(file.get("embeddings", ())):
                return keys
    return ()


def read_vectors(path: bytes, key: str) -> VideoVectors:
    """Return the vectors of model `key`. Raises FeatureError, OSError, and LookupError if there are none of it."""
    with opened(path) as file:
        embedded = file.get(f"embeddings/{key}")
        if embedded is None:
            has = ", ".join(file.get("embeddings", ())) or "none"
            raise LookupError(f"it holds no vectors of {key} (it has: {has})")
        start_s = _values(file, "scenes/start_s")
        scenes, video = vectors_of(file, key, len(start_s))
        return VideoVectors(
            source=str(file.attrs["source_display"]),
            start_s=start_s.tolist(),
            end_s=_values(file, "scenes/end_s").tolist(),
            scenes=scenes,
            video=video,
            weights_sha256=str(embedded.attrs["weights_sha256"]),
        )


def columns(file: Group, group: str, *names: str) -> list[list[Any]]:
    """Return columns of a group as lists, empty ones where the file does not have the group."""
    if group not in file:
        return [[] for _ in names]
    found = (file[group][name] for name in names)
    return [(one.asstr()[()] if one.dtype.kind == "O" else one[()]).tolist() for one in found]


def _values(file: Group, path: str) -> NDArray[Any]:
    """Return the numbers of a dataset, without the objects that h5py makes of it and its groups: most of the time."""
    dataset = h5py.h5d.open(file.id, path.encode())
    found = np.empty(dataset.shape, dataset.dtype)
    dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, found)
    return found


def vectors_of(file: Group, key: str, scene_count: int) -> tuple[Vectors, Vectors]:
    """Return the vectors of the scenes (S, D) and of the video (D,): stored, or the means of those of the frames."""
    if f"scene_vectors/{key}" in file:
        return _values(file, f"scene_vectors/{key}/vectors"), _values(file, f"video/{key}/vectors")[0]
    frames = _values(file, f"embeddings/{key}/vectors")
    scene = _values(file, "frames/scene").astype(np.int64)
    return pooled(frames, scene, scene_count), pooled(frames, np.zeros_like(scene), 1)[0]
