"""The weight-free `perceptual` descriptor: numpy only, the same on any machine, good for finding near-duplicates.

A picture is squashed to 128 x 128 and described by three parts of equal weight, each of length 1 unless it is zero:

- colour layout, 12 numbers: the mean colours of 8 x 8 cells in YCbCr (BT.601, full range), their DCT, and its first
  6 + 3 + 3 coefficients in zigzag order. After the Color Layout Descriptor of MPEG-7: Kasutani and Yamada 2001, "The
  MPEG-7 color layout descriptor"; ISO/IEC 15938-3; the numbers are not quantised here.
- edge histogram, 80 numbers: in each of 4 x 4 parts the share of blocks that are a vertical, horizontal, 45 degree,
  135 degree or undirected edge. After the Edge Histogram Descriptor of MPEG-7: Won, Park and Park 2002, "Efficient use
  of MPEG-7 edge histogram descriptor"; ISO/IEC 15938-3; blocks of 4 x 4 pixels, threshold 11, not quantised.
- low frequencies, 64 signs: the DCT of the luma at 32 x 32, rows and columns 1 to 8, each above its median or not.
  After pHash: Zauner 2010, "Implementation and benchmarking of perceptual image hash functions". The cosine of two such
  parts is 1 - 2 d / 64 with d the Hamming distance of the hashes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SettingsError
from pipeline.models.families.interface import Checkpoint, Model, Note, Origin, Pictures, Usage, Vectors
from pipeline.models.pictures import BLACK, PictureSpec
from pipeline.sections import HostSettings, ModelSettings

VERSION = "1"
"""Raise it when the numbers change: vectors are then computed again."""
SIDE = 128
CELLS, PARTS, HASHED, LOW = 8, 4, 32, 8
COEFFICIENTS = (6, 3, 3)
"""Of luma and of both chromas."""
EDGE_THRESHOLD = 11.0
DIM = sum(COEFFICIENTS) + PARTS * PARTS * 5 + LOW * LOW

Floats = NDArray[np.float64]

_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]], np.float64
)
_EDGES = np.array(
    [[1, -1, 1, -1], [1, 1, -1, -1], [2**0.5, 0, 0, -(2**0.5)], [0, 2**0.5, -(2**0.5), 0], [2, -2, -2, 2]], np.float64
)
"""Filters for the four quarters of a block, row by row: vertical, horizontal, 45 degrees, 135 degrees, undirected."""


class Perceptual:
    """The descriptor as a family; there is one model of it."""

    needs_weights = False
    files: tuple[str, ...] = ()
    config = ""

    def check(self, key: str, model: ModelSettings) -> None:
        """Accept: there is nothing that could be missing."""

    def origin(self, key: str, model: ModelSettings) -> Origin:
        """Refuse: there is nothing to fetch."""
        raise SettingsError(f"model {key} has no weights to fetch; it works as it is")

    def identity(self, model: ModelSettings) -> bytes:
        """Return the version of the descriptor."""
        return VERSION.encode()

    def load(self, checkpoint: Checkpoint, host: HostSettings, note: Note) -> Model:
        """Return the model."""
        return PerceptualModel(checkpoint.key)


class PerceptualModel:
    """The descriptor; it runs on the CPU whatever `host.device` says."""

    def __init__(self, key: str) -> None:
        self.spec = PictureSpec(
            key, SIDE, SIDE, "squash", "bicubic", BLACK, (0, 0, 0), (1, 1, 1), DIM, "perceptual", f"version {VERSION}",
            "", "fp32", "cpu",
        )  # fmt: skip

    def encode_pictures(self, pictures: Pictures) -> Vectors:
        """Return float32 (N, 156), L2-normalised."""
        colours = np.stack(pictures).astype(np.float64) @ _YCC.T
        luma = colours[..., 0]
        parts = (colour_layout(colours), edge_histogram(luma), low_frequencies(luma))
        return _unit(np.concatenate([_unit(part) for part in parts], axis=1)).astype(np.float32)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Refuse: it knows no words."""
        raise LookupError("the perceptual descriptor knows no texts")

    def pool(self, frames: Vectors) -> Vectors:
        """Refuse: the mean is taken of these vectors."""
        raise LookupError("the perceptual descriptor has no temporal head")

    def usage(self) -> Usage:
        """Return zeros: it holds nothing."""
        return Usage()

    def release_memory(self) -> None:
        """Hold nothing."""


def colour_layout(colours: Floats) -> Floats:
    """Return the low DCT coefficients (N, 12) of the mean colours of the cells of YCbCr pictures (N, side, side, 3)."""
    means = _means(colours, CELLS) - [128, 0, 0]
    turned = dct(np.moveaxis(means, -1, 1))
    order = _zigzag(CELLS)
    chosen = [turned[:, channel, *order[:, :count]] for channel, count in enumerate(COEFFICIENTS)]
    return np.concatenate(chosen, axis=1)


def edge_histogram(luma: Floats) -> Floats:
    """Return the shares (N, 80) of the kinds of edges among the blocks of each part of pictures (N, side, side)."""
    count, blocks = len(luma), SIDE // 4
    quarters = _means(luma[..., None], SIDE // 2)[..., 0]
    block = quarters.reshape(count, blocks, 2, blocks, 2).transpose(0, 1, 3, 2, 4).reshape(count, blocks, blocks, 4)
    strength = np.abs(block @ _EDGES.T).round(6)  # lest the last bits decide between two kinds
    kind = strength.argmax(axis=-1)
    found = (kind[..., None] == np.arange(5)) & (strength.max(axis=-1, keepdims=True) >= EDGE_THRESHOLD)
    return _means(found.astype(np.float64), PARTS).reshape(count, -1)


def low_frequencies(luma: Floats) -> Floats:
    """Return +1 or -1 (N, 64): whether each low frequency of pictures (N, side, side) is above their median."""
    turned = dct(_means(luma[..., None], HASHED)[..., 0])
    # Rounded, lest the last bits of a plain picture decide.
    low = turned[:, 1 : LOW + 1, 1 : LOW + 1].reshape(len(luma), -1).round(6)
    return np.where(low > np.median(low, axis=1, keepdims=True), 1.0, -1.0)


def dct(values: Floats) -> Floats:
    """Return the orthonormal two-dimensional DCT-II over the last two axes, which have equal length."""
    size = values.shape[-1]
    rows, columns = np.mgrid[:size, :size]
    matrix = np.cos(np.pi * (2 * columns + 1) * rows / (2 * size)) * np.where(rows == 0, 1 / size, 2 / size) ** 0.5
    turned: Floats = matrix @ values @ matrix.T
    return turned


def _means(values: Floats, cells: int) -> Floats:
    """Return the means of `cells` x `cells` equal cells of square pictures (N, side, side, channels)."""
    count, side, _, channels = values.shape
    step = side // cells
    means: Floats = values.reshape(count, cells, step, cells, step, channels).mean(axis=(2, 4))
    return means


def _zigzag(size: int) -> NDArray[np.intp]:
    """Return rows and columns (2, size * size) in the order in which JPEG and MPEG-7 read coefficients."""
    places = [(row, column) for row in range(size) for column in range(size)]
    places.sort(key=lambda place: (sum(place), place[0] if sum(place) % 2 else place[1]))
    return np.array(places, np.intp).T


def _unit(rows: Floats) -> Floats:
    unit: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit
