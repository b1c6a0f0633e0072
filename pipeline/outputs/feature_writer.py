"""Writes feature files: whole or not at all, and read back before they get their names."""

import dataclasses
import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from pipeline.identity import sha256_of
from pipeline.outputs.atomic import atomic_file
from pipeline.outputs.features import FeatureError, Group, read_features
from pipeline.outputs.format import (
    BOX,
    FORMAT,
    FORMAT_VERSION,
    MEAN,
    SPEECH_ATTRS,
    TABLES,
    TEXT,
    Embedding,
    FeatureInfo,
    Features,
    ScreenText,
    Speech,
    Table,
    problems,
)


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: size, checksum and modification time of the file under its final name."""

    size_bytes: int
    sha256: str
    mtime_ns: int


def write_features(path: bytes, features: Features, *, compression: str = "none", deep_verify: bool = True) -> Written:
    """Write a feature file under its final name, whole or not at all.

    With `deep_verify` every dataset is read back from the file and compared before the name is given.
    Raises OSError, and FeatureError if `features` cannot be true or the file does not hold them.
    """
    wrong = list(problems(features))
    if wrong:
        raise FeatureError("; ".join(wrong))
    image = _image(features, compression)
    checksum = hashlib.sha256(image).hexdigest()
    with atomic_file(path) as part:
        with open(part, "wb") as file:
            file.write(image)
        if deep_verify:
            _compare(part, features, checksum)
    status = os.stat(path)
    return Written(status.st_size, checksum, status.st_mtime_ns)


def _image(features: Features, compression: str) -> bytes:
    """Return the bytes of the file.

    Built in memory, so that a full disk shows up as one plain OSError and not inside the HDF5 library, which keeps
    a broken file open then.
    """
    buffer = io.BytesIO()
    options = {"compression": "gzip", "shuffle": True} if compression == "gzip" else {}
    with h5py.File(buffer, "w") as file:
        _write_info(file, features.info)
        for name, columns in features.tables.items():
            _write_table(file, name, columns, options)
        if features.text is not None:
            file["text"].attrs["engine"] = features.text.engine
            if features.text.until_s is not None:
                file["text"].attrs["until_s"] = features.text.until_s
        if features.speech is not None:
            for name in SPEECH_ATTRS:
                file["speech"].attrs[name] = getattr(features.speech, name)
        file["frames"].attrs["sampling"] = features.sampling
        for key, embedding in features.embeddings.items():
            _write_embedding(file, key, embedding, options)
    return buffer.getvalue()


def _write_info(file: Group, info: FeatureInfo) -> None:
    file.attrs["format"] = FORMAT
    file.attrs["format_version"] = FORMAT_VERSION
    values = {entry.name: getattr(info, entry.name) for entry in dataclasses.fields(info)}
    values |= {
        "source": np.frombuffer(info.source, dtype=np.uint8),
        "crop_xywh": np.array(info.crop_xywh, dtype=np.int32),
        "stage_keys": json.dumps(dict(info.stage_keys), sort_keys=True),
        "probe": json.dumps(dict(info.probe), sort_keys=True),
    }
    for name, value in values.items():
        file.attrs[name] = value


def _write_table(file: Group, name: str, columns: Table, options: Mapping[str, Any]) -> None:
    group = file.create_group(name)
    for column, dtype in TABLES[name].items():
        kind = h5py.string_dtype() if dtype == TEXT else "float32" if dtype == BOX else dtype
        values = columns[column]
        # An empty dataset cannot be chunked, so it cannot be compressed either.
        group.create_dataset(column, data=values, dtype=kind, **(options if len(values) else {}))


def _write_embedding(file: Group, key: str, embedding: Embedding, options: Mapping[str, Any]) -> None:
    for top, vectors in (
        ("embeddings", embedding.vectors),
        ("scene_vectors", embedding.scenes),
        ("video", embedding.video),
    ):
        if vectors is not None:
            group = file.require_group(top).create_group(key)
            group.create_dataset("vectors", data=vectors, dtype="float32", **(options if len(vectors) else {}))
    attrs = file["embeddings"][key].attrs
    attrs["dim"] = embedding.vectors.shape[1]
    for name, value in dataclasses.asdict(embedding.provenance).items():
        if (name, value) != ("pooling", MEAN):
            attrs[name] = value


def _compare(part: bytes, features: Features, checksum: str) -> None:
    """Raise FeatureError unless the file at `part` holds exactly `features`."""
    if sha256_of(part) != checksum:
        raise FeatureError("the file on the disk is not what was written")
    if not _equal(read_features(part), features):
        raise FeatureError("the datasets read back are not those that were written")


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return one is not None and other is not None and np.array_equal(one, other)
    if isinstance(one, Features | FeatureInfo | Embedding | ScreenText | Speech) and type(one) is type(other):
        names = [entry.name for entry in dataclasses.fields(one)]
        return all(_equal(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    return bool(one == other)
