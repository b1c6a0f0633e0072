"""What is known of one chunk of a long video, in a file of its own until the whole video's result is written."""

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.media.record import Record, packed, unpacked
from pipeline.outputs.atomic import atomic_file
from pipeline.outputs.paths import chunks_folder
from pipeline.stages.chunk_text import Look, packed_edges, unpacked_looks

VERSION = 1
"""Raised when what a chunk's file holds means something else."""
_VECTORS = "vectors:"

Vectors = Mapping[str, Mapping[int, NDArray[np.float32]]]
"""float32 (views, D) by index of the frame in the chunk, by model key."""


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """The result of one chunk."""

    record: Record
    vectors: Vectors
    weights: Mapping[str, str]
    """What made the vectors, by model key."""
    devices: Mapping[str, str]
    """What computed them, by model key."""
    looks: tuple[Look, ...]
    """Where text is wanted, the frames that were looked at; their `frame_index` counts from the chunk's start too."""
    seconds: Mapping[str, float]
    """Wall seconds by stage."""
    decoding: Mapping[str, str]
    """What the result tells of the GPU that decoded it; empty where none did."""


def chunk_key(stage_keys: Mapping[str, str], start: int | None, end: int | None) -> str:
    """Return the key of a chunk: what its result depends on."""
    wanted = json.dumps([VERSION, sorted(stage_keys.items()), start, end])
    return hashlib.blake2b(wanted.encode(), digest_size=10).hexdigest()


def chunk_path(output: bytes, number: int) -> bytes:
    """Return where a chunk of the video whose feature file is `output` lies."""
    return os.path.join(chunks_folder(output), b"%05d.npz" % number)


def pictures_folder(path: bytes) -> bytes:
    """Return where the saved pictures of the chunk at `path` lie."""
    return path.removesuffix(b".npz")


def write_chunk(path: bytes, key: str, chunk: StoredChunk) -> None:
    """Write a chunk's file, whole or not at all. Raises OSError."""
    looks = [look.told() for look in chunk.looks]
    told = {name: dict(getattr(chunk, name)) for name in ("weights", "devices", "seconds", "decoding")}
    facts = {"key": key, "looks": looks} | told
    columns = packed(chunk.record) | packed_edges(chunk.looks)
    columns["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    for model, rows in chunk.vectors.items():
        columns[f"{_VECTORS}{model}"] = np.array(list(rows.values()), np.float32)
        columns["frame_index"] = np.array(list(rows), np.int64)
    with atomic_file(path) as part, open(part, "wb") as file:
        np.savez(file, **columns)


def read_chunk(path: bytes, key: str) -> StoredChunk | None:
    """Return the chunk at `path`, None if there is none of this key that is whole. Raises OSError."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            columns: dict[str, Any] = {name: archive[name] for name in archive.files}
        facts = json.loads(columns.pop("facts").tobytes())
        indices = columns.pop("frame_index", np.zeros(0, np.int64)).tolist()
        models = [name for name in columns if name.startswith(_VECTORS)]
        vectors = {name.removeprefix(_VECTORS): dict(zip(indices, columns.pop(name), strict=True)) for name in models}
        if facts["key"] != key:
            return None
        looks = unpacked_looks(facts["looks"], columns)
        told = {name: facts[name] for name in ("weights", "devices", "seconds", "decoding")}
        return StoredChunk(unpacked(columns), vectors, looks=looks, **told)
    except (FileNotFoundError, NotADirectoryError, zipfile.BadZipFile, ValueError, KeyError, EOFError, TypeError):
        return None
