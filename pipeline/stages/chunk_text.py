"""Stage text of a video in chunks: what each chunk's pictures show, and what one reading of them all would say."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.media.result import Picture, ShownFrame
from pipeline.models.text import Pieces
from pipeline.reading.areas import LONGEST_PX, edges_of
from pipeline.reading.engines import Piece
from pipeline.stages.dedupe import HASHED_LONGEST, dhash
from pipeline.stages.text import Edges, Looked, TextStage


@dataclass(frozen=True, slots=True)
class PackedEdges:
    """Edges as compressed bits: some kilobytes in place of two megabytes, for there are thousands of them."""

    height: int
    width: int
    bits: bytes

    @staticmethod
    def of(edges: Edges) -> "PackedEdges":
        """Return edges packed."""
        height, width = edges.shape
        return PackedEdges(height, width, zlib.compress(np.packbits(edges.astype(np.bool_)).tobytes(), 1))

    def unpacked(self) -> Edges:
        """Return the edges. Raises zlib.error, ValueError for bits that were not packed so."""
        bits = np.frombuffer(zlib.decompress(self.bits), np.uint8)
        return np.unpackbits(bits, count=self.height * self.width).reshape(self.height, self.width).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Look:
    """A frame that was looked at."""

    time_s: float
    frame_index: int
    dhash: int
    """Of its whole picture."""
    edges: PackedEdges | None
    """None where every picture is read."""
    pieces: Pieces | None
    """None if it was not read: it looked as the one before in its chunk."""

    def told(self) -> list[Any]:
        """Return the look as plain values, without its edges."""
        pieces = None
        if self.pieces is not None:
            pieces = [[piece.text, float(piece.confidence), [*map(float, piece.box)]] for piece in self.pieces]
        return [self.time_s, self.frame_index, self.dhash, pieces]

    @staticmethod
    def of(told: Sequence[Any], edges: PackedEdges | None) -> "Look":
        """Return the look that was `told`."""
        time_s, frame_index, value, pieces = told
        if pieces is not None:
            pieces = tuple(Piece(text, confidence, tuple(box)) for text, confidence, box in pieces)
        return Look(time_s, frame_index, value, edges, pieces)


class ChunkText(TextStage):
    """Looks at the frames of one chunk and remembers what it saw."""

    def begin(self) -> None:
        """Forget what was seen: the sweep begins anew."""
        super().begin()
        self._shown: list[tuple[Looked, int, PackedEdges | None]] = []
        self._found: dict[int, Pieces] = {}

    def see(self, frame: ShownFrame) -> None:
        """Have a frame read unless its text areas look as before in this chunk."""
        with self._timed():
            edges = edges_of(frame.luma(LONGEST_PX)) if self._settings.unchanged else None
            looked = Looked(frame.time_s, frame.frame_index)
            self._look(looked, edges, frame.picture)
            packed = None if edges is None else PackedEdges.of(edges)
            self._shown.append((looked, dhash(frame.luma(HASHED_LONGEST)), packed))

    def looks(self) -> tuple[Look, ...]:
        """Return what was seen, once all of it is read."""
        with self._timed():
            self._go_on(wait=True)
        return tuple(
            Look(one.time_s, one.frame_index, value, edges, self._found.get(one.frame_index))
            for one, value, edges in self._shown
        )

    def _take(self, frame: Looked, pieces: Sequence[Piece] | None) -> None:
        super()._take(frame, pieces)
        if pieces is not None:
            self._found[frame.frame_index] = tuple(pieces)


class JoinedText(TextStage):
    """Takes the looks of all chunks in order and decides again what was to be read."""

    def take(self, look: Look, picture: Callable[[], Picture]) -> None:
        """Take the next look; its `picture` is asked for if it must be read and was not."""
        with self._timed():
            looked = Looked(look.time_s, look.frame_index, pieces=look.pieces)
            self._look(looked, None if look.edges is None else look.edges.unpacked(), picture)


def packed_edges(looks: Sequence[Look]) -> dict[str, Any]:
    """Return the edges of looks as plain arrays."""
    edges = [look.edges for look in looks if look.edges is not None]
    return {
        "edges": np.frombuffer(b"".join(one.bits for one in edges), np.uint8),
        "edge_shapes": np.array([(one.height, one.width, len(one.bits)) for one in edges], np.int64).reshape(-1, 3),
    }


def unpacked_looks(told: Sequence[Sequence[Any]], columns: dict[str, Any]) -> tuple[Look, ...]:
    """Return the looks that were `told`, with their edges. Raises ValueError, KeyError where they do not fit."""
    bits, shapes = columns.pop("edges").tobytes(), columns.pop("edge_shapes").tolist()
    if not shapes:
        return tuple(Look.of(one, None) for one in told)
    looks, at = [], 0
    for one, (height, width, size) in zip(told, shapes, strict=True):
        looks.append(Look.of(one, PackedEdges(height, width, bits[at : at + size])))
        at += size
    return tuple(looks)
