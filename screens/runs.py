"""The run history: every run of the ledger, all that is remembered of one, and two of them compared."""

import time
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.widgets import Input

from pipeline.history import History, PastRun, RunDetails
from screens.actions import bindings, key_of
from screens.analysis import Analysis
from screens.clipboard import copy
from screens.paged import Paged
from screens.ports import Ports, Refusal
from screens.presenters.compare import Facts, comparison
from screens.presenters.runs import OVER, run_details, totals, vain
from screens.run_orders import RunOrders
from screens.widgets.answer import Answer
from screens.widgets.filter_line import FilterLine
from screens.widgets.keyline import KeyLine
from screens.widgets.lines import Lines, LineView
from screens.widgets.outside import outside, tell
from screens.widgets.runlist import RunList


class Runs(RunOrders, Paged):
    """Reads the ledger in a thread, again when the snapshot tells of a change; what the engine runs is shown live."""

    CSS_PATH = "runs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("runs")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (22, "-low")]  # noqa: RUF012
    AUTO_FOCUS = "RunList"

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._listed: History | None = None
        self._facts: dict[int, tuple[PastRun, Facts]] = {}
        self._seen: object = None
        self._listing = self._telling = False

    @property
    def selected(self) -> PastRun | None:
        """The selected run."""
        return self.query_one(RunList).run

    def go_to_newest(self) -> None:
        """Select the newest run, and stay with the newest."""
        self.query_one(RunList).action_top()

    def compose(self) -> ComposeResult:
        """Build the totals, the list, the page beside it, the answer and the key line."""
        yield Lines(id="totals")
        with Container(id="both"):
            yield RunList(id="list")
            yield Lines(id="page")
        yield FilterLine("number, state, kind, preset or folder", over="RunList")
        yield Answer()
        yield KeyLine("runs", "anywhere")

    def on_mount(self) -> None:
        """Keep the focus from what only tells."""
        self.query_one("#totals").can_focus = False

    def changed(self) -> None:
        """Read the runs again if a newer snapshot tells of another state of any."""
        self._list()

    def redraw(self) -> None:
        """Show the runs and the page; each draws only what differs."""
        runs, page = self.query_one(RunList), self.query_one("#page", Lines)
        runs.take(self._listed.runs if self._listed else None, self._snapshot, time.time())
        top = self.query_one("#totals", Lines)
        top.show(totals(runs.all, self._listed.total, top.line_width) if self._listed else ())
        if self.alone == "comparison":
            one, other = map(self._known, runs.pair)
            page.show(comparison(one, other, time.time(), page.line_width))
        else:
            page.show(run_details(runs.run, self._known(runs.run), page.line_width) if runs.run else ())
        page.border_title = outside(self.alone or "details")
        page.border_subtitle = outside("checking…" if self._checking else "")
        self.query_one(KeyLine).rename(dict.fromkeys(vain(runs.run), ""))
        self._want()

    @on(LineView.Chosen)
    def action_read(self) -> None:
        """Show the details on the whole screen."""
        if self.query_one(RunList).run is not None:
            self.show_alone("details")

    def action_mark(self) -> None:
        """Mark the selected run for a comparison, or take its mark away."""
        self.query_one(RunList).mark()

    def action_compare(self) -> None:
        """Show two runs side by side."""
        if len(self.query_one(RunList).pair) == 2:
            self.show_alone("comparison")
        else:
            tell(self.app, f"Mark a run with {key_of('runs.mark')}, then go to another to compare it.", problem=True)

    def action_analyse(self) -> None:
        """Show the analysis of the selected run."""
        if run := self.query_one(RunList).run:
            self.app.push_screen(Analysis(self._ports, run))

    def action_copy(self) -> None:
        """Copy the path of the outputs of the selected run."""
        if run := self.query_one(RunList).run:
            copy(self.app, self._ports.keep, "path of the outputs", run.out)

    def action_filter(self) -> None:
        """Open the filter."""
        self.show_alone("")
        self.query_one(FilterLine).open()

    @on(Input.Changed)
    def _filter_typed(self, event: Input.Changed) -> None:
        self.query_one(RunList).rearrange(needle=event.value)
        self.redraw()

    def action_match(self, step: int) -> None:
        """Go to the next run that the filter leaves, or the one before."""
        self.query_one(RunList).match(step)

    def action_sort(self) -> None:
        """Take the next order."""
        self.query_one(RunList).sort_next()

    def action_leave(self) -> None:
        """Leave the page, then the filter, then the screen."""
        if self.alone:
            self.show_alone("")
        elif not self.query_one(FilterLine).leave():
            self.dismiss(None)

    def _runs_read(self, answer: History | Refusal) -> None:
        self._listing = False
        if isinstance(answer, Refusal):
            self.say(answer)
        else:
            self._listed = answer
        self._list()
        self.redraw()

    def _details_read(self, run: PastRun, answer: RunDetails | Refusal) -> None:
        self._telling = False
        self._facts[run.run_id] = (run, answer)
        self.redraw()

    @on(RunList.Selected)
    def _unsay(self) -> None:
        self.say(None)

    def _list(self) -> None:
        """Have the runs read where the engine tells of other runs, or of another state, than at the last reading."""
        run = self._snapshot.run
        seen = (self._snapshot.runs, (run.run_id, run.state) if run else None)
        if seen != self._seen and not self._listing:
            self._seen, self._listing = seen, True
            self.aside(self._ports.history.runs, self._runs_read)

    def _want(self) -> None:
        """Have the details read that are to be seen and not known, one run at a time."""
        runs = self.query_one(RunList)
        wanted = runs.pair if self.alone == "comparison" else (runs.run,)
        for run in wanted:
            if run is not None and not self._telling and self._stale(run):
                self._telling = True
                self.aside(partial(self._ports.history.details, run.run_id), partial(self._details_read, run))

    def _stale(self, run: PastRun) -> bool:
        known = self._facts.get(run.run_id)
        return known is None or known[0].state is not run.state or (run.state in OVER and known[0] != run)

    def _known(self, run: PastRun | None) -> Facts:
        known = self._facts.get(run.run_id) if run else None
        return known[1] if known else None

    def say(self, refusal: Refusal | None) -> None:
        """Say why something was refused, or nothing more of it."""
        self.query_one(Answer).say(f"✗ {refusal.message} {refusal.remedy}".strip() if refusal else "", "bad")
