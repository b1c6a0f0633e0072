"""Stage text: reads what pictures of the one decode show, each only where it may say something new."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.media.result import Picture, ShownFrame
from pipeline.reading.areas import LONGEST_PX, TextAreas, edges_of
from pipeline.reading.engines import Piece, Reader
from pipeline.reading.merge import LineMerger, TextLine
from pipeline.stage_sections import TextSettings
from pipeline.text import visible

Edges = NDArray[np.float32]
_LONGEST = 1000
"""Characters of a piece of text that are kept: a picture that is nothing but one line has fewer."""


@dataclass(frozen=True, slots=True)
class ReadPiece:
    """A piece of text in a frame that was read."""

    time_s: float
    frame_index: int
    piece: Piece


@dataclass(frozen=True, slots=True)
class FoundText:
    """The text of one video."""

    engine: str
    """The engine and its version."""
    pieces: tuple[ReadPiece, ...]
    lines: tuple[TextLine, ...]
    looked_at: int
    """Frames that were looked at."""
    read: int
    """Frames that were read, because their text areas had changed."""
    until_s: float | None
    """From when on nothing was read, because there was as much text as `text.max_pieces` allows; None if all was."""


class TextStage:
    """Reads the frames of one video that the sweep shows; an `Onlooker`."""

    def __init__(
        self,
        engine: str,
        load: Callable[[], Reader],
        settings: TextSettings,
        timed: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """`load` is called when the first frame is read; `timed` goes around each frame's work."""
        self._engine, self._load, self._settings, self._timed = engine, load, settings, timed
        self.interval_s = settings.interval_s
        self.begin()

    def begin(self) -> None:
        """Forget what was seen: the sweep begins anew."""
        self._areas, self._merger = TextAreas(), LineMerger()
        self._pieces: list[ReadPiece] = []
        self._looked_at = self._read = 0
        self._until_s: float | None = None

    def see(self, frame: ShownFrame) -> None:
        """Read a frame unless its text areas look as before."""
        with self._timed():
            edges = edges_of(frame.luma(LONGEST_PX)) if self._settings.unchanged else None
            self._look(frame.time_s, frame.frame_index, edges, lambda: self._pieces_in(frame.picture()))

    def _look(self, time_s: float, frame_index: int, edges: Edges | None, read: Callable[[], list[Piece]]) -> bool:
        """Take the next frame; return whether it was read."""
        if self._until_s is None and len(self._pieces) >= self._settings.max_pieces:
            self._until_s = time_s
        if self._until_s is not None:
            return False
        self._looked_at += 1
        if edges is not None and not self._areas.differ(edges):
            self._merger.again()
            return False
        self._read += 1
        pieces = read()
        self._merger.add(time_s, pieces)
        self._pieces += [ReadPiece(time_s, frame_index, piece) for piece in pieces]
        return True

    def _pieces_in(self, picture: Picture) -> list[Piece]:
        return [
            Piece(visible(piece.text.strip(), _LONGEST), piece.confidence, piece.box)
            for piece in self._load().read(picture)
            if piece.confidence >= self._settings.min_confidence and piece.text.strip()
        ]

    def finish(self, end_s: float) -> FoundText:
        """Return what was found in a video that ends at `end_s`; called once."""
        lines = self._merger.finish(end_s if self._until_s is None else self._until_s)
        return FoundText(self._engine, tuple(self._pieces), tuple(lines), self._looked_at, self._read, self._until_s)
