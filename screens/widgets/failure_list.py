"""The list of failed videos under the headings of their groups."""

from textual.message import Message

from pipeline.snapshot import JobRow, Snapshot
from screens.failure_groups import FailureGroups, Group, Heading
from screens.presenters.failed_videos import heading_row, list_empty, video_row
from screens.widgets.lines import LineView
from screens.widgets.outside import Line

_SAMPLE = 1000


class FailureList(LineView):
    """A virtual list; the selection stays with its video, and where that is gone, with its place."""

    class Moved(Message):
        """Another line is selected, or what it says changed."""

    def __init__(self) -> None:
        super().__init__(id="failed")
        self.groups = FailureGroups()
        self._snapshot = Snapshot()
        self._at: Group | int | None = None
        self._place = 0

    def take(self, snapshot: Snapshot) -> None:
        """Show a newer snapshot."""
        self._snapshot = snapshot
        self.groups.update(snapshot.jobs)
        self.settle()

    def settle(self) -> None:
        """Show the groups as they are now, and keep a line selected."""
        if self.cursor < 0 and len(self.groups):
            self.select(min(self._place, len(self.groups) - 1))
        else:
            self._place = max(0, self.cursor)
            self.post_message(self.Moved())
        self.sync()

    @property
    def entry(self) -> Heading | JobRow | None:
        """What is selected."""
        return self.groups.entry(self.cursor) if self.cursor >= 0 else None

    @property
    def chosen(self) -> list[JobRow]:
        """The selected video, or those of the selected group."""
        return self._chosen(None)

    @property
    def sample(self) -> list[JobRow]:
        """The same, of a large group the first ones only."""
        return self._chosen(_SAMPLE)

    @property
    def cursor(self) -> int:
        """The position of what is selected, -1 = none."""
        position = None if self._at is None else self.groups.position(self._at)
        return -1 if position is None else position

    def select(self, position: int) -> None:
        """Select a line."""
        entry = self.groups.entry(position)
        self._at = entry.group if isinstance(entry, Heading) else entry.job_id
        self._place = position
        self.post_message(self.Moved())

    def unselect(self) -> None:
        """Select the first line."""
        if len(self.groups):
            self.select(0)

    def go(self, position: int) -> None:
        """Select a line and show it first, with what is below it."""
        if 0 <= position < len(self.groups):
            self.select(position)
            self.scroll_to(y=position, animate=False)
            self.sync()

    def filter(self, needle: str) -> None:
        """Show only the videos that contain `needle`."""
        self.groups.filter(needle)
        self.settle()

    def match(self, step: int) -> None:
        """Go to the next video that the filter leaves, or the one before, round the ends."""
        places = ((self.cursor + step * far) % len(self.groups) for far in range(1, len(self.groups) + 1))
        found = next((place for place in places if isinstance(self.groups.entry(place), JobRow)), None)
        if found is not None:
            self._go(found)

    def row_count(self) -> int:
        """Return how many lines there are."""
        return len(self.groups)

    def row(self, index: int, width: int) -> Line:
        """Return a heading or a video."""
        entry = self.groups.entry(index)
        if isinstance(entry, Heading):
            return heading_row(entry, width)
        return video_row(entry, width, dismissed=entry.job_id in self.groups.dismissed)

    def empty(self, width: int) -> tuple[Line, ...]:
        """Return what an empty list says."""
        return list_empty(self._snapshot, self.groups)

    def _chosen(self, limit: int | None) -> list[JobRow]:
        entry = self.entry
        return self.groups.jobs_of(entry.group, limit) if isinstance(entry, Heading) else [entry] if entry else []
