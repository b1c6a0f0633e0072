"""Merges the text of pictures into lines that have a start and an end."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from pipeline.reading.engines import Box, Piece

_ALIKE = 0.75
"""Likeness of two readings from which they are one line, where their boxes overlap."""
_OVERLAP = 0.3


@dataclass(frozen=True, slots=True)
class TextLine:
    """On-screen text from its first picture to the first one without it, `[start_s, end_s)`."""

    start_s: float
    end_s: float
    text: str


@dataclass(slots=True, eq=False)
class _Open:
    start_s: float
    piece: Piece
    """The reading of the highest confidence."""
    box: Box
    """Where it was last."""
    missed_s: float | None = None
    """When it was first not there; one picture in which a line was not read does not end it."""


class LineMerger:
    """Takes the pieces of one picture after another; `finish` ends every line."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._lines: list[TextLine] = []

    def add(self, time_s: float, pieces: Sequence[Piece]) -> None:
        """Take the pieces of the next picture."""
        left = list(self._open)
        begun = []
        for piece in pieces:
            line = max((one for one in left if _same(one, piece)), key=lambda one: _likeness(one, piece), default=None)
            if line is None:
                begun.append(_Open(time_s, piece, piece.box))
                continue
            left.remove(line)
            line.box, line.missed_s = piece.box, None
            if piece.confidence > line.piece.confidence:
                line.piece = piece
        for line in left:
            if line.missed_s is None:
                line.missed_s = time_s
            else:
                self._close(line, line.missed_s)
        self._open += begun

    def again(self) -> None:
        """Take a picture that shows the same as the one before: what was missed in that one is not there."""
        for line in [one for one in self._open if one.missed_s is not None]:
            self._close(line, line.missed_s or 0.0)

    def finish(self, end_s: float) -> list[TextLine]:
        """Return all lines by their start; those still there end at `end_s`."""
        for line in list(self._open):
            self._close(line, end_s if line.missed_s is None else line.missed_s)
        return sorted(self._lines, key=lambda line: (line.start_s, line.end_s))

    def _close(self, line: _Open, end_s: float) -> None:
        self._open.remove(line)
        self._lines.append(TextLine(line.start_s, max(end_s, line.start_s), line.piece.text))


def _same(line: _Open, piece: Piece) -> bool:
    """Whether a piece goes on with a line: the same text wherever it moved, or like text in the same place."""
    if line.piece.text == piece.text:
        return True
    return _overlap(line.box, piece.box) >= _OVERLAP and _alike(line.piece.text, piece.text) >= _ALIKE


def _likeness(line: _Open, piece: Piece) -> tuple[float, float]:
    return _overlap(line.box, piece.box), _alike(line.piece.text, piece.text)


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _overlap(one: Box, other: Box) -> float:
    """Return the share of the smaller box that both cover."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / smaller if smaller > 0 else 0.0
