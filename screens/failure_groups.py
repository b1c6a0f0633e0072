"""The failed videos of a run by class, stage and codec, as a list of headings with their videos below.

Like the queue's order it follows only what changed: a snapshot in which nothing failed anew costs nothing.
"""

import json
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.model import BAD, FailureClass, Stage
from pipeline.rows import Rows
from pipeline.snapshot import JobRow
from pipeline.text import visible


class Group(NamedTuple):
    """What videos have in common that failed in the same way."""

    failure: FailureClass | None
    stage: Stage | None
    codec: str
    """Empty where no stage got to know it."""


class Heading(NamedTuple):
    """The line above the videos of a group."""

    group: Group
    videos: int
    folded: bool


@lru_cache(maxsize=1024)
def _codec(media: str) -> str:
    return str(json.loads(media).get("video_codec", "")) if media else ""


@lru_cache(maxsize=1024)
def _words(group: Group) -> tuple[str, ...]:
    return tuple(str(part or "").replace("_", " ") for part in group)


def _folded(text: str) -> str:
    return visible(text).casefold()


def group_of(row: JobRow) -> Group | None:
    """Return the group of a row, None if its video did not fail."""
    if row.state not in BAD:
        return None
    return Group(row.failure, row.stage, _codec(row.media))


SORTS: dict[str, Callable[[Group, int], Any]] = {
    "most videos first": lambda group, videos: (-videos, *map(str, group)),
    "by class": lambda group, videos: (*map(str, group),),
    "by stage": lambda group, videos: (str(group.stage), -videos, *map(str, group)),
    "by codec": lambda group, videos: (group.codec, -videos, *map(str, group)),
}
"""Name of an order of the groups -> what it sorts a group and the number of its videos by."""


class FailureGroups:
    """Groups in an order, their videos as discovered; what is dismissed is left out unless asked for."""

    def __init__(self) -> None:
        self.dismissed: set[int] = set()
        """Numbers of jobs; one that is tried again is dismissed no longer."""
        self.with_dismissed = False
        self.hidden = 0
        """Failed videos that are left out."""
        self.sort = next(iter(SORTS))
        """The order of the groups, one of `SORTS`."""
        self.needle = ""
        """The filter: a video is kept whose name, sentence, class, stage or codec contains this text."""
        self._jobs: Rows[JobRow] = Rows()
        self._groups: dict[Group, list[int]] = {}
        self._folded: set[Group] = set()
        self._order: list[Group] = []
        self._starts: list[int] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def group_count(self) -> int:
        """How many groups there are."""
        return len(self._order)

    @property
    def job_ids(self) -> list[int]:
        """The numbers of all videos in the list, also of those under a folded heading."""
        return [self._jobs[index].job_id for indices in self._groups.values() for index in indices]

    def update(self, jobs: Sequence[JobRow]) -> None:
        """Take the rows of a newer snapshot, which are in the order of their numbers."""
        old, self._jobs = self._jobs, Rows.of(jobs)
        known = len(old)
        if len(jobs) < known or (known and jobs[0].job_id != old[0].job_id):
            self.rebuild()
            return
        changed = False
        for index in self._jobs.changed_since(old):
            changed |= self._move(index, old[index] if index < known else None, self._jobs[index])
        if changed:
            self._arrange()

    def rebuild(self) -> None:
        """Group all rows anew, after a change of what is dismissed."""
        self._groups.clear()
        self.hidden = 0
        for index, row in enumerate(self._jobs):
            self._add(index, row)
        self._arrange()

    def filter(self, needle: str) -> None:
        """Keep only the videos that contain `needle`, whatever its case; empty keeps all."""
        self.needle = needle.casefold()
        self.rebuild()

    def sort_next(self) -> None:
        """Take the next order of the groups."""
        names = list(SORTS)
        self.sort = names[(names.index(self.sort) + 1) % len(names)]
        self._arrange()

    def fold(self, group: Group) -> None:
        """Hide the videos of a group, or show them again."""
        self._folded ^= {group}
        self._arrange()

    def entry(self, position: int) -> Heading | JobRow:
        """Return what stands at a position."""
        number = bisect_right(self._starts, position) - 1
        group = self._order[number]
        below = position - self._starts[number] - 1
        indices = self._groups[group]
        return Heading(group, len(indices), group in self._folded) if below < 0 else self._jobs[indices[below]]

    def position(self, wanted: Group | int) -> int | None:
        """Return where a heading or a job stands; a job under a folded heading stands at it."""
        if isinstance(wanted, int):
            index = bisect_left(self._jobs, wanted, key=lambda row: row.job_id)
            if index == len(self._jobs) or self._jobs[index].job_id != wanted:
                return None
            group = group_of(self._jobs[index])
            if group is None or self._is_hidden(self._jobs[index]) or not self._keeps(self._jobs[index], group):
                return None
            start = self._starts[self._order.index(group)]
            return start if group in self._folded else start + 1 + bisect_left(self._groups[group], index)
        return self._starts[self._order.index(wanted)] if wanted in self._groups else None

    def jobs_of(self, group: Group, limit: int | None = None) -> list[JobRow]:
        """Return the videos of a group, the first `limit` ones."""
        return [self._jobs[index] for index in self._groups.get(group, [])[:limit]]

    def next_heading(self, position: int, step: int) -> int:
        """Return the position of the heading after `position`, or with a negative step of the one before."""
        if step > 0:
            number = bisect_right(self._starts, position)
            return self._starts[number] if number < len(self._starts) else position
        return self._starts[max(0, bisect_left(self._starts, position) - 1)] if self._starts else position

    def dismiss(self, job_ids: Iterable[int], *, back: bool) -> None:
        """Dismiss videos, or take them back."""
        if back:
            self.dismissed.difference_update(job_ids)
        else:
            self.dismissed.update(job_ids)
        self.rebuild()

    def _is_hidden(self, row: JobRow) -> bool:
        return row.job_id in self.dismissed and not self.with_dismissed

    def _keeps(self, row: JobRow, group: Group) -> bool:
        needle = self.needle
        return not needle or any(needle in text for text in (*_words(group), _folded(row.name), _folded(row.note)))

    def _add(self, index: int, row: JobRow) -> bool:
        group = group_of(row)
        if group is None:
            return False
        if self._is_hidden(row):
            self.hidden += 1
        elif self._keeps(row, group):
            insort(self._groups.setdefault(group, []), index)
        return True

    def _move(self, index: int, old: JobRow | None, new: JobRow) -> bool:
        before = None if old is None else group_of(old)
        if before is not None and old is not None:
            if self._is_hidden(old):
                self.hidden -= 1
            elif self._keeps(old, before):
                indices = self._groups[before]
                del indices[bisect_left(indices, index)]
                if not indices:
                    del self._groups[before]
            if group_of(new) is None:
                self.dismissed.discard(new.job_id)
        return self._add(index, new) or before is not None

    def _arrange(self) -> None:
        key = SORTS[self.sort]
        self._order = sorted(self._groups, key=lambda group: key(group, len(self._groups[group])))
        self._starts, self._length = [], 0
        for group in self._order:
            self._starts.append(self._length)
            self._length += 1 + (0 if group in self._folded else len(self._groups[group]))
