"""The order of the queue: by what the operator chose, narrowed by a filter, kept up row by row.

The engine replaces only the rows that changed, so an update looks at the chunks that changed and moves single rows;
sorting 100,000 rows twice a second would take the time that the keys need.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

from pipeline.model import FailureClass, JobState, Stage
from pipeline.rows import Rows
from pipeline.snapshot import JobRow
from pipeline.text import visible

_GROUPS: dict[JobState, int] = {
    JobState.RUNNING: 0,
    JobState.WAITING: 1,
    JobState.SETTLING: 1,
    JobState.QUEUED: 2,
    JobState.FAILED: 3,
    JobState.QUARANTINED: 3,
    JobState.PARTIAL: 4,
    JobState.DONE: 4,
    JobState.CANCELLED: 5,
    JobState.SKIPPED: 5,
}
_ATTENTION = (
    JobState.FAILED,
    JobState.QUARANTINED,
    JobState.PARTIAL,
    JobState.WAITING,
    JobState.SETTLING,
    JobState.RUNNING,
    JobState.QUEUED,
    JobState.DONE,
    JobState.SKIPPED,
    JobState.CANCELLED,
)
_RANKS = {state: rank for rank, state in enumerate(_ATTENTION)}
_MOVED_ONE_BY_ONE = 500
"""Changed rows up to which each is moved; sorting all is quicker for more."""

SORTS: dict[str, Callable[[JobRow], Any]] = {
    "running first": lambda row: _GROUPS[row.state],
    "name": lambda row: _searched(row),
    "length": lambda row: -row.duration_s,
    "state": lambda row: _RANKS[row.state],
    "rate": lambda row: -row.rate if row.state is JobState.RUNNING else 0.0,
}
"""Name of an order -> what it sorts by: the longest, the quickest and what needs attention come first."""


class QueueOrder:
    """A view of the rows of a snapshot in the order in which they are shown, narrowed by a filter."""

    def __init__(self) -> None:
        self._jobs: Rows[JobRow] = Rows()
        self._needle = ""
        self._words: tuple[JobState | Stage | FailureClass, ...] = ()
        self._sort = next(iter(SORTS))
        self._names: list[str] = []
        self._keys: list[Any] = []
        self._running: set[int] = set()
        self._shown = array("q")

    def __len__(self) -> int:
        return len(self._shown)

    @property
    def needle(self) -> str:
        """The filter: a row is kept if its name, class, state, stage or failure class contains this text."""
        return self._needle

    @property
    def sort(self) -> str:
        """The name of the order, one of `SORTS`."""
        return self._sort

    def filter(self, needle: str) -> None:
        """Keep only the rows that contain `needle`, whatever its case; empty keeps all."""
        if needle.casefold() != self._needle:
            self._needle = needle.casefold()
            self._words = tuple(word for word in (*JobState, *Stage, *FailureClass) if self._needle in word)
            self._arrange()

    def sort_by(self, name: str) -> None:
        """Take another order; equal rows stay as discovered."""
        self._sort = name
        self._rekey()
        self._arrange()

    def update(self, jobs: Sequence[JobRow]) -> None:
        """Take the rows of a newer snapshot, which are in the order of their numbers."""
        old, self._jobs = self._jobs, Rows.of(jobs)
        known = len(old)
        if len(jobs) < known or (known and jobs[0].job_id != old[0].job_id):
            self._rebuild()
            return
        changed = list(self._jobs.changed_since(old))
        if len(changed) > _MOVED_ONE_BY_ONE or any(
            index < known and self._jobs[index].job_id != old[index].job_id for index in changed
        ):
            self._rebuild()
            return
        for index in changed:
            self._take(index, self._jobs[index], old[index] if index < known else None)

    def row(self, position: int) -> JobRow:
        """Return the row shown at `position`."""
        return self._jobs[self._shown[position]]

    def job(self, job_id: int) -> JobRow | None:
        """Return the row of a job, shown or not."""
        index = self._index(job_id)
        return None if index is None else self._jobs[index]

    def position(self, job_id: int) -> int | None:
        """Return where a job is shown, or None if the filter hides it."""
        index = self._index(job_id)
        return None if index is None else self._position(index)

    def first_running(self) -> int | None:
        """Return the first position at which a running job is shown, or None."""
        shown = (self._position(index) for index in self._running)
        return min((position for position in shown if position is not None), default=None)

    def _position(self, index: int) -> int | None:
        place = bisect_left(self._shown, (self._keys[index], index), key=self._rank)
        return place if place < len(self._shown) and self._shown[place] == index else None

    def _index(self, job_id: int) -> int | None:
        index = bisect_left(self._jobs, job_id, key=_number)
        return index if index < len(self._jobs) and self._jobs[index].job_id == job_id else None

    def _rank(self, index: int) -> tuple[Any, int]:
        return self._keys[index], index

    def _take(self, index: int, row: JobRow, old: JobRow | None) -> None:
        """Move one row from where it was to where it belongs."""
        key, place = SORTS[self._sort](row), None
        if old is None:
            self._names.append(_searched(row))
            self._keys.append(key)
        else:
            place = self._position(index)
            if (row.name, row.label) != (old.name, old.label):
                self._names[index] = _searched(row)
        stays = self._keys[index] == key and (place is not None) == self._keeps(index, row)
        (self._running.add if row.state is JobState.RUNNING else self._running.discard)(index)
        if stays:
            return
        if place is not None:
            del self._shown[place]
        self._keys[index] = key
        if self._keeps(index, row):
            self._shown.insert(bisect_left(self._shown, (key, index), key=self._rank), index)

    def _rebuild(self) -> None:
        self._names = [_searched(row) for row in self._jobs]
        self._running = {index for index, row in enumerate(self._jobs) if row.state is JobState.RUNNING}
        self._rekey()
        self._arrange()

    def _rekey(self) -> None:
        key = SORTS[self._sort]
        self._keys = list(self._names) if self._sort == "name" else [key(row) for row in self._jobs]

    def _arrange(self) -> None:
        """Put all rows that are kept in order."""
        self._shown = array("q", sorted(self._kept(), key=self._keys.__getitem__))

    def _kept(self) -> Iterable[int]:
        needle, words = self._needle, self._words
        if not needle:
            return range(len(self._names))
        if not words:
            return [index for index, name in enumerate(self._names) if needle in name]
        return [
            index
            for index, name, row in zip(count(), self._names, self._jobs, strict=False)
            if needle in name or row.state in words or row.stage in words or row.failure in words
        ]

    def _keeps(self, index: int, row: JobRow) -> bool:
        words = self._words
        return self._needle in self._names[index] or row.state in words or row.stage in words or row.failure in words


def _searched(row: JobRow) -> str:
    """Return name and class as a filter looks at them; a name that is so already is not kept twice."""
    told = f"{row.name} {row.label}" if row.label else row.name
    folded = visible(told).casefold()
    return told if folded == told else folded


def _number(row: JobRow) -> int:
    return row.job_id
