"""Feature files: read, held in a bounded cache, checked."""

import contextlib
import dataclasses
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import h5py
import numpy as np

from pipeline.outputs.format import (
    BOX,
    FORMAT,
    FORMAT_VERSION,
    MEAN,
    OPTIONAL,
    SPEECH_ATTRS,
    TABLES,
    TEXT,
    Embedding,
    FeatureInfo,
    Features,
    Provenance,
    ScreenText,
    Speech,
    Table,
    problems,
)
from pipeline.outputs.paths import features_path

Group = Any
"""An h5py group or file; h5py has no types."""

GROUPS = frozenset({*TABLES, "embeddings", "scene_vectors", "video"})


class FeatureError(ValueError):
    """A feature file that is not whole; the message says what is wrong with it."""


def read_features(path: bytes, *, vectors: bool = True) -> Features:
    """Return all that the feature file at `path` holds; its embeddings only with `vectors`.

    Raises FeatureError if it cannot be read as one, FileNotFoundError if it is not there.
    """
    with opened(path) as file:
        return _features(file, vectors=vectors)


@contextlib.contextmanager
def opened(path: bytes) -> Iterator[Group]:
    """Yield the feature file at `path` for reading; what goes wrong inside with its contents is a FeatureError.

    Raises FeatureError, FileNotFoundError.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            check_format(file.attrs)
            yield file
    except FileNotFoundError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise FeatureError(f"not readable as a feature file: {error}") from error


def check_format(attrs: Mapping[str, Any]) -> None:
    """Raise FeatureError unless the attributes of a root say that the file is one of ours, and of this version."""
    if attrs.get("format") != FORMAT:
        raise FeatureError("not a feature file")
    version = int(attrs.get("format_version", 0))
    if version != FORMAT_VERSION:
        raise FeatureError(f"format version {version}; this program reads {FORMAT_VERSION}")


def frame_indices(path: bytes) -> list[int]:
    """Return `/frames/frame_index` of a feature file that was checked. Raises OSError, KeyError."""
    with h5py.File(path, "r", locking=False) as file:
        indices: list[int] = file["frames"]["frame_index"][()].tolist()
    return indices


def check_features(path: bytes, *, deep: bool = True) -> list[str]:
    """Return a sentence for each thing that is wrong with the feature file at `path`; none means it is whole.

    Shallow: it opens, and groups, datasets, dtypes and attributes are there. Deep: every dataset is read, and lengths,
    order, finiteness and norms are looked at. Raises FileNotFoundError.
    """
    try:
        if deep:
            return list(problems(read_features(path)))
        with h5py.File(path, "r", locking=False) as file:
            _info(file)
            for name in TABLES:
                if name in file or name not in OPTIONAL:
                    _check_columns(file, name)
    except FileNotFoundError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        return [str(error)]
    return []


class FeatureReader:
    """Reads the feature files of one output folder; keeps those read last, up to `cache_bytes` of arrays."""

    def __init__(self, out: bytes, *, cache_bytes: int = 256 << 20) -> None:
        self._out = out
        self._limit = cache_bytes
        self._held: OrderedDict[bytes, tuple[tuple[int, int, int], Features]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def cached_bytes(self) -> int:
        """Return the size of the arrays that are held."""
        return self._bytes

    def get(self, relative: bytes) -> Features:
        """Return the features of the video at `relative`; read again if the file was replaced.

        Raises FeatureError, FileNotFoundError, and ValueError if `relative` is not a path below a folder.
        """
        path = features_path(self._out, relative)
        status = os.stat(path)
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        with self._lock:
            held = self._held.get(relative)
            if held and held[0] == stamp:
                self._held.move_to_end(relative)
                return held[1]
        features = read_features(path)
        with self._lock:
            self._keep(relative, stamp, features)
        return features

    def _keep(self, relative: bytes, stamp: tuple[int, int, int], features: Features) -> None:
        before = self._held.pop(relative, None)
        if before:
            self._bytes -= before[1].memory_bytes
        self._held[relative] = (stamp, features)
        self._bytes += features.memory_bytes
        while self._bytes > self._limit and self._held:
            _, (_, dropped) = self._held.popitem(last=False)
            self._bytes -= dropped.memory_bytes


def _features(file: Group, *, vectors: bool) -> Features:
    info = _info(file)
    found = {name: _table(file, name) for name in TABLES if name in file or name not in OPTIONAL}
    unknown = set(file) - GROUPS
    if unknown:
        raise FeatureError(f"unknown groups: {', '.join(sorted(unknown))}")
    return Features(
        info=info,
        scenes=found["scenes"],
        frames=found["frames"],
        sampling=str(file["frames"].attrs["sampling"]),
        embeddings={key: _embedding(file, key) for key in file.get("embeddings", ()) if vectors},
        lost=found.get("lost"),
        text=_screen_text(file, found) if "text" in found else None,
        speech=_speech(file, found) if "speech" in found else None,
    )


def _screen_text(file: Group, found: Mapping[str, Table]) -> ScreenText:
    attrs = file["text"].attrs
    until_s = float(attrs["until_s"]) if "until_s" in attrs else None
    return ScreenText(found["text"], found["lines"], str(attrs["engine"]), until_s)


def _speech(file: Group, found: Mapping[str, Table]) -> Speech:
    attrs = {name: str(file["speech"].attrs[name]) for name in SPEECH_ATTRS}
    return Speech(found["speech"], **attrs, lost=found.get("speech_lost"))


def _info(file: Group) -> FeatureInfo:
    attrs = dict(file.attrs)
    check_format(attrs)
    for name in ("format", "format_version"):
        del attrs[name]
    values = {name: value.item() if isinstance(value, np.generic) else value for name, value in attrs.items()}
    missing = {entry.name for entry in dataclasses.fields(FeatureInfo)} - set(values)
    if missing:
        raise FeatureError(f"attributes are missing: {', '.join(sorted(missing))}")
    values["source"] = np.asarray(values["source"], dtype=np.uint8).tobytes()
    values["crop_xywh"] = tuple(int(value) for value in values["crop_xywh"])
    values["stage_keys"] = json.loads(values["stage_keys"])
    values["probe"] = json.loads(values["probe"])
    return FeatureInfo(**values)


def _check_columns(file: Group, name: str) -> None:
    for column, dtype in TABLES[name].items():
        dataset = file[name][column]
        found = TEXT if h5py.check_string_dtype(dataset.dtype) else str(dataset.dtype)
        if dtype == BOX and found == "float32" and dataset.ndim == 2 and dataset.shape[1] == 4:
            continue
        if found != dtype or dataset.ndim != 1:
            raise FeatureError(f"/{name}/{column}: {found} in {dataset.ndim} dimensions is not a column of {dtype}")


def _table(file: Group, name: str) -> Table:
    _check_columns(file, name)
    return {
        column: file[name][column].asstr()[()] if dtype == TEXT else file[name][column][()]
        for column, dtype in TABLES[name].items()
    }


def _embedding(file: Group, key: str) -> Embedding:
    group = file["embeddings"][key]
    names = [entry.name for entry in dataclasses.fields(Provenance) if entry.default is dataclasses.MISSING]
    pooling = str(group.attrs.get("pooling", MEAN))
    vectors = {
        top: file[top][key]["vectors"][()]
        for top in ("embeddings", "scene_vectors", "video")
        if top in file and key in file[top]
    }
    for top, array in vectors.items():
        if array.dtype != np.float32:
            raise FeatureError(f"/{top}/{key}/vectors: {array.dtype} is not float32")
    return Embedding(
        vectors=vectors["embeddings"],
        provenance=Provenance(**{name: str(group.attrs[name]) for name in names}, pooling=pooling),
        scenes=vectors.get("scene_vectors"),
        video=vectors.get("video"),
    )
