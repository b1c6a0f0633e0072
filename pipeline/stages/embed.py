"""The embed stage: vectors of kept frames by the model host, and mean vectors of scenes and of the video."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.media.result import KeptFrame
from pipeline.models.client import HostClient, PictureSpec, prepare
from pipeline.stage_sections import EmbedSettings

Vectors = NDArray[np.float32]

PLAIN, MIRRORED = 0, 1
_AND = ", "
"""Between the names of several devices."""
MOST_NEW_STARTS = 16
"""More often than a sweep can begin anew."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """The vectors of one model for one video; all float32 and L2-normalised."""

    spec: PictureSpec
    frames: Vectors
    """(N, D): row i belongs to frame i."""
    scenes: Vectors | None
    """(S, D), or None if the settings do not ask for it. A scene without frames has zeros."""
    video: Vectors | None
    """(1, D), or None if the settings do not ask for it."""


class Embedder:
    """Sends each chosen frame of one video to the host while decoding goes on; hands the vectors back at the end."""

    def __init__(self, client: HostClient, settings: EmbedSettings, keys: Sequence[str] | None = None) -> None:
        """Embed with the models of `settings`, or only with those of `keys`. Waits until the host has loaded them."""
        client.reset()
        self._client = client
        self._settings = settings
        self._specs = {key: client.spec(key) for key in (settings.models if keys is None else keys)}
        self._handed: dict[int, tuple[int, tuple[float, int, float] | None]] = {}
        self._given: dict[tuple[str, int], Vectors] = {}
        self._devices: dict[str, dict[str, None]] = {}
        """What computed the vectors that were given, by model key, in the order in which it was first told."""
        self._views = (PLAIN, MIRRORED) if settings.augment else (PLAIN,)

    def on_frame(self, frame: KeptFrame) -> None:
        """Hand over the picture of a frame that was chosen; waits while too many bytes are under way.

        A frame that comes again with another picture (the sweep began anew) takes the place of the first.
        Raises JobError (class model) if the host cannot serve.
        """
        look = (frame.time_s, frame.dhash, frame.sharpness)
        serial, before = self._handed.get(frame.frame_index, (-1, None))
        if before == look:
            return
        serial += 1
        self._handed[frame.frame_index] = (serial, look)
        picture = frame.picture()
        for key, spec in self._specs.items():
            prepared = prepare(picture, spec)
            self._client.submit(key, _tag(frame.frame_index, serial, PLAIN), prepared)
            if self._settings.augment:
                # What the model sees is mirrored, not the frame: both views hold the same part of the picture.
                self._client.submit(key, _tag(frame.frame_index, serial, MIRRORED), prepared[:, ::-1])

    def taken(self) -> dict[str, dict[int, Vectors]]:
        """Return the vectors of all frames handed over, float32 (views, D) by frame index, by model key."""
        rows = self._client.collect()
        return {
            key: {
                index: np.stack([rows[key, _tag(index, serial, view)] for view in self._views])
                for index, (serial, _) in self._handed.items()
            }
            for key in self._specs
        }

    def give(self, frame_index: int, vectors: Mapping[str, Vectors], devices: Mapping[str, str]) -> None:
        """Take the vectors (views, D) of a frame that was handed over in an earlier attempt, and what computed them.

        Both by model key; several devices have commas between them.
        """
        self._handed[frame_index] = (0, None)
        for key, rows in vectors.items():
            self._devices.setdefault(key, {}).update(dict.fromkeys(devices[key].split(_AND)))
            for view, row in zip(self._views, rows, strict=True):
                self._given[key, _tag(frame_index, 0, view)] = row

    @property
    def specs(self) -> Mapping[str, PictureSpec]:
        """What the models of this embedder want and give, and with what their vectors so far were made."""
        return {key: self._client.made(key) for key in self._specs}

    def has(self, frame_index: int) -> bool:
        """Whether a frame was handed over or given."""
        return frame_index in self._handed

    def finish(self, frames: Sequence[KeptFrame], scene_count: int) -> dict[str, Embedding]:
        """Return the vectors of the final `frames`, in their order, by model key; superseded ones are dropped.

        Raises JobError (class model) if the host cannot serve, KeyError for a frame that was never handed over.
        """
        rows = self._given | self._client.collect()
        return {key: self._embedding(key, rows, frames, scene_count) for key in self._specs}

    def _embedding(
        self, key: str, rows: dict[tuple[str, int], Vectors], frames: Sequence[KeptFrame], scene_count: int
    ) -> Embedding:
        spec = self._made(key)
        vectors = np.zeros((len(frames), spec.dim), np.float32)
        for place, frame in enumerate(frames):
            serial, _ = self._handed[frame.frame_index]
            for view in self._views:
                vectors[place] += rows[key, _tag(frame.frame_index, serial, view)] / len(self._views)
        of_frames = normalised(vectors) if self._settings.augment or spec.pool_frames else vectors
        if not self._settings.scene_vectors:
            return Embedding(spec, of_frames, None, None)
        groups = np.asarray([frame.scene for frame in frames], np.int64)
        whole = np.zeros(len(frames), np.int64)
        if not spec.pool_frames:
            return Embedding(spec, of_frames, pooled(of_frames, groups, scene_count), pooled(of_frames, whole, 1))
        return Embedding(
            spec, of_frames, self._pooled(spec, vectors, groups, scene_count), self._pooled(spec, vectors, whole, 1)
        )

    def _made(self, key: str) -> PictureSpec:
        """Return what is known of a model, with all that computed the vectors: here, and where they were given."""
        spec = self._client.made(key)
        devices = list(self._devices.get(key, ()))
        if not devices or any(look for _, look in self._handed.values()):
            devices += spec.device.split(_AND)
        return replace(spec, device=_AND.join(dict.fromkeys(devices)))

    def _pooled(self, spec: PictureSpec, vectors: Vectors, groups: NDArray[np.int64], count: int) -> Vectors:
        """Return what the model itself makes of each group: float32 (count, D); zeros for one without members."""
        result = np.zeros((count, spec.dim), np.float32)
        members = {group: vectors[groups == group] for group in sorted(set(groups.tolist()))}
        if members:
            stretches = [thinned(rows, spec.pool_frames) for rows in members.values()]
            result[list(members)] = self._client.pool(spec.key, stretches)
        return result


def thinned(rows: Vectors, most: int) -> Vectors:
    """Return at most `most` of the rows (N, D), evenly spread from the first to the last."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(int)]


def pooled(vectors: Vectors, groups: NDArray[np.int64], count: int) -> Vectors:
    """Return the normalised mean of the normalised vectors (N, D) of each group 0 .. count-1: float32 (count, D).

    The parameter-free pooling of CLIP4Clip (Luo et al. 2021, section 3.3). A group without members has zeros.
    """
    sums = np.zeros((count, vectors.shape[1]), np.float64)
    np.add.at(sums, groups, vectors)
    return normalised(sums)


def normalised(vectors: NDArray[np.floating]) -> Vectors:
    """Return the rows of `vectors` (N, D) with length 1, as float32; a row of zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: Vectors = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return result


def _tag(frame_index: int, serial: int, view: int) -> int:
    return (frame_index * MOST_NEW_STARTS + serial) * 2 + view
