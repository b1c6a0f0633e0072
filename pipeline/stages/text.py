"""Stage text: has the model host read what pictures of the one decode show, each only where it may be new."""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.media.result import Picture, ShownFrame
from pipeline.models.client import HostClient
from pipeline.models.text import Pieces
from pipeline.reading.areas import LONGEST_PX, TextAreas, edges_of
from pipeline.reading.engines import Piece, handed_px
from pipeline.reading.merge import LineMerger, TextLine
from pipeline.reading.scale import scaled
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


@dataclass(frozen=True, slots=True)
class Looked:
    """A frame that was looked at, in its turn."""

    time_s: float
    frame_index: int
    number: int = 0
    """That under which its picture was handed over, 0 if it was not."""
    pieces: Pieces | None = None
    """What was read of it earlier; with no number None says that it looks as the one before."""


class TextStage:
    """Has the frames of one video read that the sweep shows, while decoding goes on; an `Onlooker`."""

    def __init__(
        self,
        client: HostClient,
        engine: str,
        settings: TextSettings,
        timed: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """`timed` goes around each frame's work."""
        self._client, self._engine, self._settings, self._timed = client, engine, settings, timed
        self._handed_over = 0
        self.interval_s = settings.interval_s
        self.begin()

    def begin(self) -> None:
        """Forget what was seen: the sweep begins anew."""
        self._client.reset()
        self._areas, self._merger = TextAreas(), LineMerger()
        self._pieces: list[ReadPiece] = []
        self._waiting: deque[Looked] = deque()
        self._read: dict[int, Pieces] = {}
        self._frames_looked_at = self._frames_read = 0
        self._until_s: float | None = None

    def see(self, frame: ShownFrame) -> None:
        """Have a frame read unless its text areas look as before."""
        with self._timed():
            edges = edges_of(frame.luma(LONGEST_PX)) if self._settings.unchanged else None
            self._look(Looked(frame.time_s, frame.frame_index), edges, frame.picture)

    def finish(self, end_s: float) -> FoundText:
        """Return what was found in a video that ends at `end_s`; called once."""
        with self._timed():
            self._go_on(wait=True)
        lines = self._merger.finish(end_s if self._until_s is None else self._until_s)
        return FoundText(
            self._engine, tuple(self._pieces), tuple(lines), self._frames_looked_at, self._frames_read, self._until_s
        )

    def _look(self, frame: Looked, edges: Edges | None, picture: Callable[[], Picture]) -> None:
        """Take the next frame; hand its picture over if it is new and was not read earlier."""
        self._go_on(wait=False)
        if self._until_s is not None:
            return
        if edges is not None and not self._areas.differ(edges):
            frame = Looked(frame.time_s, frame.frame_index)
        elif frame.pieces is None:
            self._handed_over += 1
            frame = Looked(frame.time_s, frame.frame_index, self._handed_over)
            shown = scaled(picture(), handed_px(self._engine, self._settings))
            self._client.submit_page(self._engine, self._handed_over, shown)
        self._waiting.append(frame)

    def _go_on(self, *, wait: bool) -> None:
        """Take what was read by now, or `wait` for all of it, in the order of the frames."""
        for (_, number), pieces in self._client.collect_read(wait=wait).items():
            self._read[number] = self._kept(pieces)
        while self._waiting and (not self._waiting[0].number or self._waiting[0].number in self._read):
            frame = self._waiting.popleft()
            self._take(frame, self._read.pop(frame.number) if frame.number else frame.pieces)

    def _take(self, frame: Looked, pieces: Sequence[Piece] | None) -> None:
        """Take the next frame with what it shows; None = the same as the one before."""
        if self._until_s is None and len(self._pieces) >= self._settings.max_pieces:
            self._until_s = frame.time_s
        if self._until_s is not None:
            return
        self._frames_looked_at += 1
        if pieces is None:
            self._merger.again()
            return
        self._frames_read += 1
        self._merger.add(frame.time_s, pieces)
        self._pieces += [ReadPiece(frame.time_s, frame.frame_index, piece) for piece in pieces]

    def _kept(self, pieces: Pieces) -> Pieces:
        return tuple(
            Piece(visible(piece.text.strip(), _LONGEST), piece.confidence, piece.box)
            for piece in pieces
            if piece.confidence >= self._settings.min_confidence and piece.text.strip()
        )
