"""Stage text: reads what pictures of the one decode show, each only where it may say something new."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from pipeline.media.result import ShownFrame
from pipeline.reading.areas import LONGEST_PX, TextAreas
from pipeline.reading.engines import Piece, Reader
from pipeline.reading.merge import LineMerger, TextLine
from pipeline.sections import TextSettings
from pipeline.text import visible


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

    def see(self, frame: ShownFrame) -> None:
        """Read a frame unless its text areas look as before."""
        with self._timed():
            self._looked_at += 1
            if self._settings.unchanged and not self._areas.changed(frame.luma(LONGEST_PX)):
                self._merger.again()
                return
            self._read += 1
            pieces = [
                Piece(visible(piece.text.strip()), piece.confidence, piece.box)
                for piece in self._load().read(frame.picture())
                if piece.confidence >= self._settings.min_confidence and piece.text.strip()
            ]
            self._merger.add(frame.time_s, pieces)
            self._pieces += [ReadPiece(frame.time_s, frame.frame_index, piece) for piece in pieces]

    def finish(self, end_s: float) -> FoundText:
        """Return what was found in a video that ends at `end_s`; called once."""
        lines = self._merger.finish(end_s)
        return FoundText(self._engine, tuple(self._pieces), tuple(lines), self._looked_at, self._read)
