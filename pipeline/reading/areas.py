"""Tells whether the areas of a picture that may hold text look as they did when it was last read."""

import cv2
import numpy as np
from numpy.typing import NDArray

LONGEST_PX = 960
"""Longest side of the picture that is compared."""
_EDGE = 40
"""Step of luma between neighbours that counts as the edge of a stroke; texture in motion is mostly softer."""
_SHARE = 0.6
"""Share of the largest step around it that an edge must reach: strokes stand out, and a ground that moves behind them
does not count."""
_AROUND = np.ones((9, 17), np.uint8)
_CELL = (16, 8)
"""Height and width of a cell in pixels: strokes stand upright, so a cell is narrow."""
_LEAST = 8
"""Edges in a cell below which it holds no text."""
_CHANGED = 0.5
"""Share of a cell's edges that differ from which it shows something else."""


class TextAreas:
    """Remembers the upright edges of the picture that was read last."""

    def __init__(self) -> None:
        self._edges: NDArray[np.float32] | None = None

    def changed(self, grey: NDArray[np.uint8]) -> bool:
        """Return whether a uint8 (h, w) luma shows other text areas than the one before, and remember it if so."""
        return self.differ(edges_of(grey))

    def differ(self, edges: NDArray[np.float32]) -> bool:
        """Return what `changed` does for a picture with these edges, float32 (h, w) as `edges_of` gives them."""
        before, self._edges = self._edges, edges
        if before is None or before.shape != edges.shape:
            return True
        most = np.maximum(_per_cell(before), _per_cell(edges))
        differ = _per_cell(np.abs(before - edges))
        if bool(((most >= _LEAST) & (differ > _CHANGED * (_per_cell(before) + _per_cell(edges)))).any()):
            return True
        self._edges = before  # A slow change adds up: what counts is the picture that was read.
        return False


def edges_of(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return where the luma steps sideways as much as anything around, float32 (h, w) of 0 and 1, whole cells only."""
    height, width = (side // cell * cell for side, cell in zip(grey.shape, _CELL, strict=True))
    if not height or not width:
        return np.zeros((0, 0), np.float32)
    steps = np.zeros((height, width), np.uint8)
    steps[:, 1:-1] = cv2.absdiff(grey[:height, 2:width], grey[:height, : width - 2])
    edges: NDArray[np.bool_] = steps > np.maximum(_EDGE, _SHARE * cv2.dilate(steps, _AROUND))
    return edges.astype(np.float32)


def _per_cell(edges: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, columns = edges.shape[0] // _CELL[0], edges.shape[1] // _CELL[1]
    sums: NDArray[np.float32] = edges.reshape(rows, _CELL[0], columns, _CELL[1]).sum((1, 3))
    return sums
