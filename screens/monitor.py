"""The home screen: the run in one header, and its queue, stages, devices and failures in four live panes."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input

from pipeline.commands import CancelJob, CancelRun
from pipeline.model import TERMINAL, JobState
from pipeline.snapshot import FailureRow, JobRow, Snapshot
from screens import requests
from screens.actions import bindings
from screens.presenters.header import header, is_live
from screens.presenters.keys import key_labels
from screens.widgets.keyline import KeyLine
from screens.widgets.lines import Lines, LineView
from screens.widgets.outside import tell
from screens.widgets.panes import DevicesPane, FailuresPane, Pane, QueuePane, StagesPane

if TYPE_CHECKING:
    from screens.ports import Ports

_ALONE = ("-zoomed", "-small", "-short")
"""Classes of the screen under which one pane is shown alone."""

STYLESHEET = Path(__file__).with_name("monitor.tcss")
"""The app reads it with its own: a screen that brings one has every sheet looked through again."""

SETTLED_S = 0.03
"""How long a mounted screen takes to be laid out and drawn, beyond the time in which its loop is busy."""


class Monitor(Screen[None]):
    """Pulls the newest snapshot a few times a second and shows what changed; keys become commands."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("monitor")]
    HORIZONTAL_BREAKPOINTS = [(0, "-small"), (80, "-narrow"), (120, "-wide"), (200, "-huge")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-low")]  # noqa: RUF012
    AUTO_FOCUS = "#queue"

    class Finished(Message):
        """The operator asked to leave after what runs, and nothing runs any more."""

    class Painted(Message):
        """It is on the screen for the first time, with nothing to show yet."""

    def __init__(self) -> None:
        super().__init__()
        self.snapshot = Snapshot(serial=-1)
        self._workers = requests.WorkerCount()
        self.leaving = False
        """Whether the operator asked to leave once what runs is done; the header says so."""

    def compose(self) -> ComposeResult:
        """Build the header, the panes, the filter and the key line, at once for the size that there is."""
        for breaks, cells in zip((self.HORIZONTAL_BREAKPOINTS, self.VERTICAL_BREAKPOINTS), self.app.size, strict=True):
            self.add_class(max(one for one in breaks if one[0] <= cells)[1])
        yield Lines(id="header")
        with Horizontal(id="panes"):
            with Vertical(id="left", classes="column -current"):
                yield QueuePane(id="queue")
                yield FailuresPane(id="failures")
            with Vertical(id="right", classes="column"):
                yield StagesPane(id="stages")
                yield DevicesPane(id="devices")
        yield Input(placeholder="name, class, state, stage or failure", id="filter", compact=True)
        yield KeyLine("monitor", "anywhere")

    def on_mount(self) -> None:
        """Show that there is nothing yet."""
        self.query_one("#header").can_focus = False
        self.query_one("#queue").add_class("-current")
        self.redraw()
        self.set_timer(SETTLED_S, lambda: self.post_message(self.Painted()))

    def begin(self, ports: "Ports") -> None:
        """Begin to show what the engine says."""
        self._ports = ports
        self._source = ports.source
        self.pull()
        self.set_interval(1 / ports.refresh_hz, self.pull)

    def on_resize(self) -> None:
        """Lay the lines out for the new width."""
        self.call_after_refresh(self.redraw)

    def pull(self) -> None:
        """Take the newest snapshot; an unchanged one touches nothing."""
        snapshot = self._source.latest()
        if snapshot.serial != self.snapshot.serial:
            self.snapshot = snapshot
            self.redraw()
        run = snapshot.run
        if self.leaving and (run is None or not is_live(run) or not run.count(JobState.RUNNING)):
            self.leaving = False
            self.post_message(self.Finished())

    def redraw(self) -> None:
        """Give the snapshot to every part; each draws only what differs."""
        top = self.query_one("#header", Lines)
        top.show(header(self.snapshot, top.line_width, leaving=self.leaving))
        alone = any(map(self.has_class, _ALONE))
        for pane in self.query(Pane):
            others = sorted(other.title for other in self.query(Pane) if other is not pane) if alone else []
            pane.entitle("  ".join(others))
            pane.take(self.snapshot)
        self.query_one(KeyLine).rename(key_labels(self.snapshot))

    def action_pause(self) -> None:
        """Pause, or go on."""
        self._ask(requests.pause(self.snapshot))

    def action_drain(self) -> None:
        """Finish what runs and start no more."""
        self._ask(requests.drain(self.snapshot))

    def action_workers(self, step: int) -> None:
        """Ask for fewer or more workers."""
        self._ask(self._workers.change(self.snapshot, step))

    def action_resume(self) -> None:
        """Go on with the newest interrupted run."""
        self._ask(requests.resume(self.snapshot))

    def action_retry(self) -> None:
        """Try the selected video again, or all that failed where none is selected."""
        row = self._selected()
        self._ask(requests.retry(row) if row else requests.retry_all(self.snapshot))

    def action_retry_all(self) -> None:
        """Try all failed videos again."""
        self._ask(requests.retry_all(self.snapshot))

    def _ask(self, request: requests.Request) -> None:
        command, said = request
        if command is not None:
            self._source.send(command)
        if said:
            tell(self.app, said, problem=command is None)

    def _selected(self) -> JobRow | FailureRow | None:
        pane = self.focused
        return pane.job if isinstance(pane, QueuePane) else pane.failure if isinstance(pane, FailuresPane) else None

    def action_cancel(self) -> None:
        """Ask, then cancel the selected video or the run."""
        run = self.snapshot.run
        if run is None or not is_live(run):
            self._ask(requests.NOTHING_RUNS)
            return
        from screens.questions import cancel_question

        job = self.query_one(QueuePane).job

        def answered(answer: str | None) -> None:
            if answer == "run":
                self._source.send(CancelRun(run.run_id))
            elif answer == "video" and job is not None:
                self._source.send(CancelJob(job.job_id))

        self.app.push_screen(cancel_question(run.total - run.count(*TERMINAL), job), answered)

    def action_pane(self, name: str) -> None:
        """Go to a pane; with one pane on the screen, show that one."""
        wanted = self.query_one(f"#{name}")
        for part in self.query("Pane, .column"):
            part.set_class(part is wanted or part is wanted.parent, "-current")
        self.set_focus(wanted)

    def action_zoom(self) -> None:
        """Show the pane with the focus alone, and back."""
        focused = self.focused
        name = focused.id if isinstance(focused, Pane) and focused.id else "queue"
        self.toggle_class("-zoomed")
        self.action_pane(name)
        self.redraw()

    def action_filter(self) -> None:
        """Open the filter."""
        self.action_pane("queue")
        self.add_class("-filtering")
        self.set_focus(self.query_one("#filter", Input))

    def action_sort(self) -> None:
        """Take the next order of the queue."""
        self.query_one(QueuePane).sort_next()
        self.redraw()

    def action_match(self, step: int) -> None:
        """Go to the next or previous video that the filter leaves."""
        if self.query_one(QueuePane).order.needle:
            self.action_pane("queue")
            self.query_one(QueuePane).match(step)
        else:
            tell(self.app, "No filter is set; / sets one.", problem=True)

    def action_details(self) -> None:
        """Open the selected video."""
        row = self._selected()
        if row is not None:
            from screens.job import Job

            self.app.push_screen(Job(self._ports, row.job_id, row.name))

    def action_back(self) -> None:
        """Leave the filter, then the zoom, then the selection."""
        queue = self.query_one(QueuePane)
        if self.has_class("-filtering"):
            self.query_one("#filter", Input).clear()
            self._close_filter()
        elif self.has_class("-zoomed"):
            self.action_zoom()
        elif isinstance(self.focused, LineView):
            self.focused.action_top()
        else:
            self.set_focus(queue)

    @on(Input.Changed, "#filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        self.query_one(QueuePane).filter(event.value)

    @on(Input.Submitted, "#filter")
    def _filter_kept(self) -> None:
        self._close_filter()

    @on(LineView.Chosen)
    def _chosen(self) -> None:
        self.action_details()

    def _close_filter(self) -> None:
        self.set_class(bool(self.query_one("#filter", Input).value), "-filtering")
        self.set_focus(self.query_one(QueuePane))
