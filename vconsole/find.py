"""Finds the frames of an output folder that fit words best, with the same model that made their vectors."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.models.words import encode_words
from pipeline.outputs.features import read_features
from pipeline.outputs.manifest import read_manifest
from pipeline.sections import HostSettings, ModelSettings

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Hit:
    """A frame and how well it fits: `score` is the cosine of its vector and that of the words."""

    source: str
    """As the manifest names the video."""
    scene: int
    start_s: float
    end_s: float
    """The scene's presentation seconds, half-open."""
    time_s: float
    score: float


def encode(words: str, key: str, models: Mapping[str, ModelSettings], host: HostSettings) -> Vector:
    """Return the vector of `words` in the space of model `key`: float32 (D,), L2-normalised.

    The model is loaded in a process of its own. Raises JobError if that fails.
    """
    vectors, _ = encode_words([words], key, models, host)
    vector: Vector = vectors[0]
    return vector


def find(out: bytes, key: str, vector: Vector) -> Iterator[Hit]:
    """Yield the best frame of each video in `out` that has vectors of model `key`, best first.

    Raises OSError or FeatureError if the folder cannot be read.
    """
    hits = []
    for entry in read_manifest(out):
        if "features" not in entry:
            continue
        features = read_features(os.fsencode(Path(os.fsdecode(out)) / entry["features"]))
        if key not in features.embeddings or not len(features.frames["time_s"]):
            continue
        scores = features.embeddings[key].vectors @ vector
        row = int(np.argmax(scores))
        scene = int(features.frames["scene"][row])
        hits.append(
            Hit(
                source=str(entry["source"]),
                scene=scene,
                start_s=float(features.scenes["start_s"][scene]),
                end_s=float(features.scenes["end_s"][scene]),
                time_s=float(features.frames["time_s"][row]),
                score=float(scores[row]),
            )
        )
    yield from sorted(hits, key=lambda hit: -hit.score)
