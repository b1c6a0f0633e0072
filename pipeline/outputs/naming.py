"""Gives every input of a run an output name of its own, though only their suffixes differ."""

import os
from collections.abc import Iterable, Iterator
from itertools import count

from pipeline.outputs.paths import safe_name

NAMED = "named"
"""Where a job's result keeps the name of its output, from the moment its input is found."""


class Names:
    """The names of outputs that end in `suffix`; `taken` are pairs of an input and the name that it has already.

    Held as hashes: a run may have a million inputs.
    """

    def __init__(self, suffix: bytes, taken: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._suffix = suffix
        self._owners: dict[int, int] = {}
        self._names: dict[int, bytes] = {}
        for relative, name in taken:
            self._owners.setdefault(hash(name), hash(relative))
            self._names[hash(relative)] = name

    def of(self, relative: bytes) -> bytes:
        """Return the name of an input's output: the same as last time, else the first that no other input has."""
        had = self._names.get(hash(relative))
        if had is not None and had.endswith(self._suffix):
            return had
        for name in candidates(relative, self._suffix):
            if self._owners.setdefault(hash(name), hash(relative)) == hash(relative):
                return name
        raise AssertionError("there is always one more name")

    def former(self, relative: bytes) -> bytes:
        """Return the name of an output that an input has from before in another format, empty if there is none."""
        had = self._names.get(hash(relative), b"")
        return b"" if had.endswith(self._suffix) else had


def candidates(relative: bytes, suffix: bytes) -> Iterator[bytes]:
    """Yield names for the output of `relative`, the best first: a/b.mp4 of a/b.mov, then a/b.mov.mp4, a/b.mov-2.mp4.

    Raises ValueError if `relative` is empty, absolute or climbs out of a folder.
    """
    stem = os.path.splitext(relative)[0]
    yield safe_name(stem, suffix)
    yield safe_name(relative, suffix)
    yield from (safe_name(relative, b"-%d%s" % (number, suffix)) for number in count(2))
