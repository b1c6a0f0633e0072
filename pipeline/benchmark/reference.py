"""Reference inputs that every build makes alike, and whether vectors of them are what they were."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.benchmark.report import Output, Report

FILE = Path(__file__).with_name("reference.json")
"""Vectors of the reference inputs by name of the model and kind of input, for models whose weights are packaged."""
COUNT = 4
TEXTS = ("a red circle", "a blue square", "a green star", "a yellow heart")
LEAST_SIMILARITY = {"fp32": 0.9999, "fp16": 0.995, "bf16": 0.99, "int8": 0.98}
"""Cosine below which a vector of this precision is wrong."""
DIGITS = 5
UNIT = 1e-2
"""How far the length of a vector may be from 1."""

Vectors = NDArray[np.float32]


def reference_pictures(height: int, width: int) -> list[NDArray[np.uint8]]:
    """Return pictures uint8 (height, width, 3) made of whole numbers alone, so that they are the same everywhere."""
    rows, columns = np.mgrid[0:height, 0:width]
    made = []
    for number in range(COUNT):
        waves = [(rows * (number + channel) + columns * (2 * number + 3 - channel)) % 256 for channel in range(3)]
        made.append(np.stack(waves, axis=-1).astype(np.uint8))
    return made


def checked(vectors: Vectors, count: int) -> Vectors:
    """Return vectors (count, D) as they are. Raises ValueError if they cannot be right whatever the model is."""
    if vectors.ndim != 2 or len(vectors) != count:
        raise ValueError(f"{count} vectors were expected, and the shape is {vectors.shape}")
    if not np.isfinite(vectors).all():
        raise ValueError("a vector is not finite")
    lengths = np.linalg.norm(vectors, axis=1)
    if np.abs(lengths - 1).max() > UNIT:
        raise ValueError(f"a vector has the length {lengths[np.abs(lengths - 1).argmax()]:.3f}, not 1")
    return vectors


def compared(
    target: str, input_kind: str, vectors: Sequence[Sequence[float]], precision: str, baseline: Report | None
) -> Output:
    """Return what is to be said of the vectors of the reference inputs, compared with those that are known."""
    rounded = tuple(tuple(round(float(value), DIGITS) for value in row) for row in vectors)
    name, known = _known(target, input_kind, baseline)
    dim = len(rounded[0]) if rounded else 0
    if not rounded or not known:
        return Output(dim=dim, vectors=rounded)
    if [len(row) for row in rounded] != [len(row) for row in known]:
        problem = f"{len(rounded)} vectors of {dim} numbers; the reference has {len(known)} of {len(known[0])}"
        return Output(dim=dim, vectors=rounded, reference=name, problem=problem)
    similarity = float(_cosines(np.asarray(rounded), np.asarray(known)).min())
    least = LEAST_SIMILARITY.get(precision, min(LEAST_SIMILARITY.values()))
    problem = "" if similarity >= least else f"similarity to the reference is {similarity:.4f}, {least} is expected"
    return Output(dim=dim, vectors=rounded, reference=name, similarity=similarity, problem=problem)


def _known(target: str, input_kind: str, baseline: Report | None) -> tuple[str, Sequence[Sequence[float]]]:
    packaged = _packaged().get(target, {}).get(input_kind, ())
    if packaged:
        return "packaged with the program", packaged
    for result in baseline.results if baseline else ():
        same = (result.kind, result.target, result.input) == ("extractor", target, input_kind)
        if same and result.output.vectors and not result.output.problem:
            return "the baseline", result.output.vectors
    return "", ()


@cache
def _packaged() -> dict[str, dict[str, list[list[float]]]]:
    found: dict[str, dict[str, list[list[float]]]] = json.loads(FILE.read_bytes()) if FILE.is_file() else {}
    return found


def _cosines(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    found: NDArray[np.float64] = (left * right).sum(axis=1) / np.where(scale > 0, scale, 1)
    return found
