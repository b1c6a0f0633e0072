"""The four live panes of the monitor, each a view of one part of the snapshot."""

from typing import Self

from textual.geometry import Region

from pipeline.snapshot import FailureRow, JobRow, Snapshot
from screens.order import SORTS, QueueOrder
from screens.presenters.devices import devices
from screens.presenters.failures import failure_row, failures_empty, failures_title
from screens.presenters.queue import queue_empty, queue_heading, queue_order_title, queue_row, queue_title
from screens.presenters.stages import stages, workers_title
from screens.widgets.lines import LineView
from screens.widgets.outside import Line, outside


class Pane(LineView):
    """A view of one part of the newest snapshot, with a title in its border."""

    title = ""

    def __init__(self, *, id: str) -> None:
        self._only: Region | None = None
        super().__init__(id=id)
        self.snapshot = Snapshot()

    def take(self, snapshot: Snapshot) -> None:
        """Show a newer snapshot."""
        self.snapshot = snapshot
        self.draw()

    def draw(self) -> None:
        """Show the snapshot at the size that the pane has now."""
        self.sync()

    def on_resize(self) -> None:
        """Draw for the new size."""
        super().on_resize()
        self.draw()

    def entitle(self, others: str) -> None:
        """Name the panes that are hidden beside the title, while this one is shown alone."""
        content = outside(f"{self.title}   {others}" if others else self.title)
        if self.border_title != content:
            self.border_title = content

    def note(self, text: str) -> None:
        """Write `text` into the lower border if it is not there yet."""
        content = outside(text)
        if self.border_subtitle != content:
            self._only = Region(0, self.outer_size.height - 2, self.outer_size.width - 2, 1)
            self.border_subtitle = content
            self._only = None

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Draw again; where only the lower border changed, that line alone."""
        if self._only is not None and not regions:
            regions = (self._only,)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)


class QueuePane(Pane):
    """All jobs of the run, as a virtual list over the rows of the snapshot; the selection stays with its job."""

    title = "[1] queue"

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.order = QueueOrder()
        self.job_id: int | None = None
        self.follows = True
        """Whether the view stays with the running jobs: until the operator scrolls, and again from the top on."""

    def take(self, snapshot: Snapshot) -> None:
        """Show a newer snapshot; a selected row that was in view is followed to where it went."""
        watched = self.cursor >= 0 and self.in_view(self.cursor)
        before, after = self.snapshot.run, snapshot.run
        if before is None or after is None or before.run_id != after.run_id:
            self.unselect()
        self.snapshot = snapshot
        self.order.update(snapshot.jobs)
        self._refresh_rows(follow=watched)

    def filter(self, needle: str) -> None:
        """Show only the rows that contain `needle`."""
        self.order.filter(needle)
        self.scroll_home(animate=False)
        self._refresh_rows(follow=True)

    def sort_next(self) -> None:
        """Take the next order."""
        names = list(SORTS)
        self.order.sort_by(names[(names.index(self.order.sort) + 1) % len(names)])
        self.title = queue_order_title(self.order.sort)
        self.scroll_home(animate=False)
        self._refresh_rows(follow=True)

    def match(self, step: int) -> None:
        """Select the next or previous row that the filter leaves, round the ends."""
        if self.row_count():
            self._go((max(self.cursor, -1 if step > 0 else 0) + step) % self.row_count())

    @property
    def job(self) -> JobRow | None:
        """The selected job, or None."""
        return None if self.job_id is None else self.order.job(self.job_id)

    @property
    def cursor(self) -> int:
        """The position of the selected job, -1 = none."""
        position = None if self.job_id is None else self.order.position(self.job_id)
        return -1 if position is None else position

    def select(self, position: int) -> None:
        """Select the job at a position."""
        self.job_id = self.order.row(position).job_id
        self.follows = False

    def unselect(self) -> None:
        """Select nothing: the view stays with what runs."""
        self.job_id = None
        self.follows = True

    def on_mouse_scroll_down(self) -> None:
        """Stay where the operator scrolls to."""
        self.follows = False

    def on_mouse_scroll_up(self) -> None:
        """Stay where the operator scrolls to."""
        self.follows = False

    def on_scroll_to(self) -> None:
        """Stay where the operator drags the bar to."""
        self.follows = False

    def row_count(self) -> int:
        """Return how many rows the filter leaves."""
        return len(self.order)

    def row(self, index: int, width: int) -> Line:
        """Return one row."""
        return queue_row(self.order.row(index), width)

    def heading(self, width: int) -> Line | None:
        """Return the column titles where there is room."""
        return queue_heading(width) if self.snapshot.jobs else None

    def empty(self, width: int) -> tuple[Line, ...]:
        """Return what an empty queue says."""
        return queue_empty(self.snapshot, self.order.needle)

    def _refresh_rows(self, *, follow: bool) -> None:
        self.note(queue_title(self.snapshot, len(self.order), self.order.needle))
        self.sync()
        wanted = self.order.first_running() if self.follows else self.cursor if follow else None
        if wanted is not None and wanted >= 0 and not self.in_view(wanted):
            self.reveal(wanted)


class FailuresPane(Pane):
    """The failed and quarantined videos with their reasons, newest first."""

    title = "[4] failed videos"

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.job_id: int | None = None

    def take(self, snapshot: Snapshot) -> None:
        """Show a newer snapshot."""
        self.set_class(bool(snapshot.failures), "-has-failures")
        self.note(failures_title(snapshot))
        super().take(snapshot)

    @property
    def failure(self) -> FailureRow | None:
        """The selected failure, or None."""
        return self.snapshot.failures[self.cursor] if self.cursor >= 0 else None

    @property
    def cursor(self) -> int:
        """The position of the selected failure, -1 = none."""
        rows = self.snapshot.failures if self.job_id is not None else ()
        return next((index for index, row in enumerate(rows) if row.job_id == self.job_id), -1)

    def select(self, position: int) -> None:
        """Select the failure at a position."""
        self.job_id = self.snapshot.failures[position].job_id

    def unselect(self) -> None:
        """Select nothing."""
        self.job_id = None

    def row_count(self) -> int:
        """Return how many failures the snapshot holds."""
        return len(self.snapshot.failures)

    def row(self, index: int, width: int) -> Line:
        """Return one failure."""
        return failure_row(self.snapshot.failures[index], width)

    def empty(self, width: int) -> tuple[Line, ...]:
        """Return what the empty pane says."""
        return failures_empty(self.snapshot)


class StagesPane(Pane):
    """Throughput of each stage."""

    title = "[2] stages"
    selectable = False

    def draw(self) -> None:
        """Lay the columns out for the width."""
        self.note(workers_title(self.snapshot))
        self.show(stages(self.snapshot, self.line_width, self.page_rows))


class DevicesPane(Pane):
    """GPU cards, or CPU and memory large where there is none."""

    title = "[3] devices"
    selectable = False

    def draw(self) -> None:
        """Lay the gauges out for the size."""
        self.show(devices(self.snapshot, self.line_width, self.page_rows))
