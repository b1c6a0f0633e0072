"""Finds near-duplicate videos: by the cosine of their vectors, and by the frames they share by their hashes.

Both go in blocks, so that the memory does not grow with the square of the videos.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.analysis.settings import AnalysisSettings

Vectors = NDArray[np.float32]
Hashes = NDArray[np.uint64]
Keys = NDArray[np.int64]

BLOCK = 2048
"""Videos compared at once with as many others."""
NEIGHBOURS = 32
"""Frames that a frame is compared with among those that agree with it in a band of bits."""
HASH_CANDIDATES = 10
"""Pairs looked at by their hashes at most, for each that may be kept."""
FLAT_BITS = 2
"""A hash with no more bits set, or unset, is that of an empty picture and tells nothing."""
LEAST_ALIKE = 0.8
"""Cosine below which equal hashes are a chance: plain pictures look the same to a hash."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two near-duplicates, by their places."""

    one: int
    other: int
    similarity: float | None
    """Cosine of their vectors; None where one has none."""
    hash_share: float
    """Share of the frames of the one with fewer that the other has, too."""


@dataclass(frozen=True, slots=True)
class Found:
    """The near-duplicates, the most alike first."""

    pairs: tuple[Pair, ...]
    complete: bool
    """Whether all were kept."""


def near_duplicates(vectors: Vectors, hashes: Sequence[Hashes], settings: AnalysisSettings) -> Found:
    """Return the near-duplicates among videos with vectors (N, D), of length 1 or 0, and with the hashes of frames.

    A video of empty pictures only is like none: black is black.
    """
    keep = settings.max_pairs
    frames = [_telling(one) for one in hashes]
    empty = [bool(len(all_)) and not len(telling) for all_, telling in zip(hashes, frames, strict=True)]
    vectors = np.where(np.array(empty, bool)[:, None], np.float32(0), vectors)
    alike, all_alike = _most_alike(vectors, settings.min_similarity, keep)
    shared, all_shared = _sharing(frames, settings.max_distance, keep * HASH_CANDIDATES)
    count = len(hashes)
    pairs = []
    for key in np.union1d(alike, shared).tolist():
        one, other = divmod(key, count)
        both = vectors[one].any() and vectors[other].any()
        similarity = min(1.0, float(vectors[one] @ vectors[other])) if both else None
        share = _share(frames[one], frames[other], settings.max_distance)
        by_hash = share >= settings.min_hash_share and (similarity is None or similarity >= LEAST_ALIKE)
        if by_hash or (similarity is not None and similarity >= settings.min_similarity):
            pairs.append(Pair(one, other, similarity, share))
    pairs.sort(key=lambda pair: (-(pair.similarity or 0.0), -pair.hash_share, pair.one, pair.other))
    return Found(tuple(pairs[:keep]), all_alike and all_shared and len(pairs) <= keep)


def groups(pairs: Sequence[Pair]) -> list[list[int]]:
    """Return the videos that hang together by pairs, the largest group first."""
    above: dict[int, int] = {}

    def top(place: int) -> int:
        while above.setdefault(place, place) != place:
            above[place] = above[above[place]]
            place = above[place]
        return place

    for pair in pairs:
        above[top(pair.other)] = top(pair.one)
    members: dict[int, list[int]] = {}
    for place in sorted(above):
        members.setdefault(top(place), []).append(place)
    return sorted(members.values(), key=lambda group: (-len(group), group))


def _most_alike(vectors: Vectors, least: float, keep: int) -> tuple[Keys, bool]:
    """Return the pairs with a cosine of at least `least` as `one * N + other`, and whether these are all."""
    count = len(vectors)
    keys, cosines = np.empty(0, np.int64), np.empty(0, np.float32)
    complete = True
    for first, rows in _blocks(vectors):
        for second, others in _blocks(vectors, first):
            found = rows @ others.T
            if first == second:
                found = np.triu(found, 1)
            one, other = np.nonzero((found >= least) & (found > 0))
            keys = np.concatenate([keys, (first + one) * count + second + other])
            cosines = np.concatenate([cosines, found[one, other]])
            if len(keys) > keep:
                best = np.argpartition(-cosines, keep - 1)[:keep]
                keys, cosines, complete = keys[best], cosines[best], False
    return keys, complete


def _blocks(vectors: Vectors, begin: int = 0) -> Iterator[tuple[int, Vectors]]:
    for first in range(begin, len(vectors), BLOCK):
        yield first, vectors[first : first + BLOCK]


def _telling(hashes: Hashes) -> Hashes:
    bits = np.bitwise_count(hashes)
    return np.unique(hashes[(bits > FLAT_BITS) & (bits < 64 - FLAT_BITS)])


def _sharing(frames: Sequence[Hashes], distance: int, most: int) -> tuple[Keys, bool]:
    """Return the pairs of videos that share a frame as `one * N + other`, and whether these are all.

    Two hashes within `distance` agree in at least one of distance + 1 bands of bits. For each band the hashes are
    sorted with it in front, and each is compared with those that follow it.
    """
    count = len(frames)
    owners = np.repeat(np.arange(count), [len(one) for one in frames])
    hashes = np.concatenate([*frames, np.empty(0, np.uint64)])
    found, complete = np.empty(0, np.int64), True
    for turn in np.linspace(0, 64, distance + 1, endpoint=False).astype(np.uint64):
        turned = (hashes << turn) | (hashes >> (np.uint64(64) - turn)) if turn else hashes
        order = np.argsort(turned, kind="stable")
        near, whose = hashes[order], owners[order]
        for step in range(1, min(NEIGHBOURS, len(near) - 1) + 1):
            close = np.bitwise_count(near[step:] ^ near[:-step]) <= distance
            one, other = whose[:-step][close], whose[step:][close]
            keys = np.minimum(one, other) * count + np.maximum(one, other)
            found = np.union1d(found, keys[one != other])
            if len(found) > most:
                found, complete = found[:most], False
    return found, complete


def _share(one: Hashes, other: Hashes, distance: int) -> float:
    fewer, more = sorted((one, other), key=len)
    if not len(fewer):
        return 0.0
    near = np.bitwise_count(fewer[:, None] ^ more[None, :]) <= distance
    return round(float(near.any(axis=1).mean()), 4)
