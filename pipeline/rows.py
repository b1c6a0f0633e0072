"""A long sequence shared between snapshots in chunks: a new snapshot costs what changed, not what there is."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress, count, islice, zip_longest
from operator import is_not
from typing import Generic, TypeVar, overload

T = TypeVar("T")
CHUNK = 1024
"""Rows of a chunk; all but the last are full."""


class Rows(Sequence[T]):
    """An immutable sequence in chunks; two of them share each chunk in which nothing changed."""

    __slots__ = ("chunks",)

    def __init__(self, chunks: tuple[tuple[T, ...], ...] = ()) -> None:
        self.chunks = chunks

    @staticmethod
    def of(rows: "Iterable[T]") -> "Rows[T]":
        """Return `rows` in chunks; themselves if they are so already."""
        if isinstance(rows, Rows):
            return rows
        left = iter(rows)
        return Rows(tuple(iter(lambda: tuple(islice(left, CHUNK)), ())))

    def __len__(self) -> int:
        return (len(self.chunks) - 1) * CHUNK + len(self.chunks[-1]) if self.chunks else 0

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        if isinstance(index, slice):
            return tuple(self[one] for one in range(*index.indices(len(self))))
        if index < 0:
            index += len(self)
        if index < 0:
            raise IndexError(index)
        return self.chunks[index // CHUNK][index % CHUNK]

    def __iter__(self) -> Iterator[T]:
        return chain.from_iterable(self.chunks)

    def changed_since(self, old: "Rows[T]") -> Iterator[int]:
        """Yield the index of each row that is not the same object as in `old`, new ones included, in order."""
        for number, (before, after) in enumerate(zip_longest(old.chunks, self.chunks, fillvalue=())):
            if before is not after:
                first = number * CHUNK
                yield from compress(count(first), map(is_not, before, after))
                yield from range(first + len(before), first + len(after))


class Table(Generic[T]):
    """The rows as their one writer holds them: chunks that changed since the last `rows()` are lists, others tuples."""

    def __init__(self) -> None:
        self._chunks: list[list[T] | tuple[T, ...]] = []
        self._changed: set[int] = set()
        self._rows: Rows[T] = Rows()

    def __len__(self) -> int:
        return (len(self._chunks) - 1) * CHUNK + len(self._chunks[-1]) if self._chunks else 0

    def __iter__(self) -> Iterator[T]:
        return chain.from_iterable(self._chunks)

    def __getitem__(self, index: int) -> T:
        return self._chunks[index // CHUNK][index % CHUNK]

    def __setitem__(self, index: int, row: T) -> None:
        self._open(index // CHUNK)[index % CHUNK] = row

    def append(self, row: T) -> None:
        """Add a row behind the others."""
        if not self._chunks or len(self._chunks[-1]) == CHUNK:
            self._chunks.append(())
        self._open(len(self._chunks) - 1).append(row)

    def rows(self) -> Rows[T]:
        """Return the rows as they are now; the same object as before if nothing changed."""
        if self._changed:
            chunks = list(self._rows.chunks)
            chunks += [()] * (len(self._chunks) - len(chunks))
            for number in self._changed:
                chunks[number] = self._chunks[number] = tuple(self._chunks[number])
            self._changed.clear()
            self._rows = Rows(tuple(chunks))
        return self._rows

    def _open(self, number: int) -> list[T]:
        chunk = self._chunks[number]
        if isinstance(chunk, tuple):
            chunk = self._chunks[number] = list(chunk)
            self._changed.add(number)
        return chunk
