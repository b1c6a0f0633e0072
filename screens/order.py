"""The order of the queue: what runs first, then what waits, then what failed, then the rest, each as discovered.

The engine replaces only the rows that changed, so an update looks at the chunks that changed and moves single rows;
sorting 100,000 rows twice a second would take the time that the keys need.
"""

from array import array
from bisect import bisect_left, insort
from collections.abc import Sequence

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
_COUNT = max(_GROUPS.values()) + 1


class QueueOrder:
    """A view of the rows of a snapshot in the order in which they are shown, narrowed by a filter."""

    def __init__(self) -> None:
        self._jobs: Rows[JobRow] = Rows()
        self._needle = ""
        self._words: set[JobState | Stage | FailureClass] = set()
        self._groups = _empty()

    def __len__(self) -> int:
        return sum(map(len, self._groups))

    @property
    def needle(self) -> str:
        """The filter: a row is kept if its name, state, stage or failure class contains this text."""
        return self._needle

    def filter(self, needle: str) -> None:
        """Keep only the rows that contain `needle`, whatever its case; empty keeps all."""
        if needle.casefold() != self._needle:
            self._needle = needle.casefold()
            self._words = {word for word in (*JobState, *Stage, *FailureClass) if self._needle in word}
            self._rebuild()

    def update(self, jobs: Sequence[JobRow]) -> None:
        """Take the rows of a newer snapshot, which are in the order of their numbers."""
        old, self._jobs = self._jobs, Rows.of(jobs)
        known = len(old)
        if len(jobs) < known or (known and jobs[0].job_id != old[0].job_id):
            self._rebuild()
            return
        for index in self._jobs.changed_since(old):
            row = self._jobs[index]
            if index >= known:
                self._append(index, row)
            elif row.job_id == old[index].job_id:
                self._move(index, self._group(old[index]), self._group(row))
            else:
                self._rebuild()
                return

    def row(self, position: int) -> JobRow:
        """Return the row shown at `position`."""
        for group in self._groups:
            if position < len(group):
                return self._jobs[group[position]]
            position -= len(group)
        raise IndexError(position)

    def job(self, job_id: int) -> JobRow | None:
        """Return the row of a job, shown or not."""
        index = self._index(job_id)
        return None if index is None else self._jobs[index]

    def position(self, job_id: int) -> int | None:
        """Return where a job is shown, or None if the filter hides it."""
        index = self._index(job_id)
        if index is None:
            return None
        before = 0
        wanted = self._group(self._jobs[index])
        for number, group in enumerate(self._groups):
            if number == wanted:
                return before + bisect_left(group, index)
            before += len(group)
        return None

    def _index(self, job_id: int) -> int | None:
        index = bisect_left(self._jobs, job_id, key=_number)
        return index if index < len(self._jobs) and self._jobs[index].job_id == job_id else None

    def _rebuild(self) -> None:
        self._groups = _empty()
        for index, row in enumerate(self._jobs):
            self._append(index, row)

    def _append(self, index: int, row: JobRow) -> None:
        group = self._group(row)
        if group is not None:
            self._groups[group].append(index)

    def _group(self, row: JobRow) -> int | None:
        return _GROUPS[row.state] if not self._needle or self._matches(row) else None

    def _matches(self, row: JobRow) -> bool:
        return self._needle in visible(row.name).casefold() or not self._words.isdisjoint(
            (row.state, row.stage, row.failure)
        )

    def _move(self, index: int, old: int | None, new: int | None) -> None:
        if old == new:
            return
        if old is not None:
            group = self._groups[old]
            del group[bisect_left(group, index)]
        if new is not None:
            insort(self._groups[new], index)


def _empty() -> "list[array[int]]":
    return [array("q") for _ in range(_COUNT)]


def _number(row: JobRow) -> int:
    return row.job_id
