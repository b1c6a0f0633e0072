"""What an engine that reads text is asked and what it answers: a picture of any size, and its pieces of text."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.reading.engines import Piece

Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A picture that is to be read."""

    picture: NDArray[np.uint8]
    """uint8 (height, width, 3) RGB."""

    @property
    def nbytes(self) -> int:
        """Return the size of the picture."""
        return self.picture.nbytes

    def blank(self) -> "Page":
        """Return a page like it on which nothing stands."""
        return Page(np.zeros_like(self.picture))


@dataclass(frozen=True, slots=True)
class TextSpec:
    """Which engine reads text, where it runs, and how many pictures it takes at once."""

    key: str
    model: str
    """The engine and its version."""
    precision: str
    device: str
    batch_size: int
    weights_sha256: str = ""

    def to_message(self) -> dict[str, Any]:
        """Return the fields that cross a process border."""
        return asdict(self)


def packed(pieces: Sequence[Piece]) -> bytes:
    """Return pieces as they cross a process border."""
    return json.dumps([[piece.text, piece.confidence, piece.box] for piece in pieces]).encode()


def unpacked(data: bytes | bytearray) -> Pieces:
    """Return what was `packed`. Raises ValueError or TypeError if it is none."""
    return tuple(
        Piece(str(text), float(confidence), (float(x0), float(y0), float(x1), float(y1)))
        for text, confidence, (x0, y0, x1, y1) in json.loads(data)
    )
