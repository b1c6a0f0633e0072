"""How quick the machine itself is just now, told by a fixed piece of work that is timed between the calls.

A core whose neighbours share its caches, its memory or its other half is slower for seconds or minutes, by up to two
fifths on a rented machine; what runs on it is slower by about the same, and so is this piece of work.
"""

import time
import zlib
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np

Piece = Callable[[], float]
"""Does the piece of work and returns its seconds."""

SHARE = 0.05
"""Share of the time of calls that pieces take."""
LEAST, MOST = 5, 50
"""Pieces beside one block of calls."""
REACH = 1
"""Blocks on each side whose pieces tell the pace of a block, too."""


def piece_of_work() -> Piece:
    """Return a piece of a millisecond: packing bytes, passing over memory, and turning a picture's bytes to floats."""
    rng = np.random.default_rng(1)
    packed = rng.integers(0, 20, 20_000, np.uint8).tobytes()
    memory = rng.random(1_000_000, np.float32)
    sums, picture = np.empty_like(memory), rng.integers(0, 255, (4, 224, 224, 3), np.uint8)

    def piece() -> float:
        began = time.perf_counter()
        zlib.compress(packed, 6)
        np.add(memory, 1, out=sums)
        np.multiply(picture.astype(np.float32), 1 / 255).transpose(0, 3, 1, 2).copy()
        return time.perf_counter() - began

    return piece


def beside(piece: Piece, seconds: float) -> list[float]:
    """Return the seconds of pieces done beside calls that took so long in all."""
    done: list[float] = []
    while len(done) < LEAST or (sum(done) < SHARE * seconds and len(done) < MOST):
        done.append(piece())
    return done


def paces(pieces_s: Sequence[Sequence[float]]) -> list[float]:
    """Return the median seconds of a piece beside each block, from those of the block and of its neighbours."""
    return [
        median(one for near in pieces_s[max(0, place - REACH) : place + REACH + 1] for one in near)
        for place in range(len(pieces_s))
    ]
