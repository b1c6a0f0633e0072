"""The benchmark lab: what is measured now, live, and every benchmark there has been, to read, compare and export."""

import os
import time
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container

from pipeline.commands import CancelRun, ResumeRun, StartRun
from pipeline.history import PastRun
from pipeline.lab import LabComparison, LabReport
from screens.actions import bindings, key_of
from screens.clipboard import copy
from screens.folder_question import FolderQuestion
from screens.lab_form import LabForm
from screens.paged import Paged
from screens.ports import Exported, Ports, Refusal
from screens.presenters.header import is_live
from screens.presenters.lab import comparison_lines, live_lines, report_lines
from screens.presenters.runs import RESUMABLE
from screens.questions import lab_again_question, lab_cancel_question
from screens.widgets.answer import Answer
from screens.widgets.keyline import KeyLine
from screens.widgets.lab_list import LabList
from screens.widgets.lines import Lines, LineView
from screens.widgets.outside import Cell, Line, outside, tell

OF_A_RUN = ("lab.details", "lab.again", "lab.mark", "lab.compare", "lab.export", "lab.copy")
"""Actions that do nothing where there is no benchmark yet."""


class Lab(Paged):
    """The list of benchmarks and a page on the selected one; the one at hand is shown as the engine tells of it."""

    CSS_PATH = "lab.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("lab")]
    AUTO_FOCUS = "LabList"

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._runs: tuple[PastRun, ...] | None = None
        self._seen: object = None
        self._listing = self._telling = False
        self._reports: dict[int, tuple[PastRun, LabReport]] = {}
        self._compared: LabComparison | Refusal | None = None

    def compose(self) -> ComposeResult:
        """Build the list, the page, the answer and the key line."""
        with Container(id="both"):
            yield LabList(id="list")
            yield Lines(id="page")
        yield Answer()
        yield KeyLine("lab", "anywhere")

    def changed(self) -> None:
        """Read the benchmarks again if a newer snapshot tells of another state of any."""
        self._list()

    def redraw(self) -> None:
        """Show the list and the page; each draws only what differs."""
        runs, page, run = self._benchmarks, self.query_one("#page", Lines), self._benchmarks.run
        runs.take(self._runs, self._snapshot, time.time())
        page.show(self._page(run, page.line_width))
        page.border_title = outside(self.alone or "report")
        resumable = run is not None and run.state in RESUMABLE
        vain = {"lab.cancel": self._snapshot.lab is None, "lab.resume": not resumable}
        vain |= dict.fromkeys(OF_A_RUN, run is None)
        self.query_one(KeyLine).rename({action: "" for action, is_vain in vain.items() if is_vain})
        if run is not None and not self._is_live(run) and not self._telling and self._stale(run):
            self._telling = True
            self.aside(partial(self._ports.lab.report, run), partial(self._report_read, run))

    def _page(self, run: PastRun | None, width: int) -> tuple[Line, ...]:
        if self.alone == "comparison":
            return comparison_lines(self._compared, width)
        if run is None:
            return ()
        if self._snapshot.lab is not None and self._is_live(run):
            return live_lines(self._snapshot.lab, max(0.0, time.time() - (run.started_s or run.created_s)), width)
        known = self._reports.get(run.run_id)
        return report_lines(known[1], width) if known else ((Cell("reading the report…", "quiet"),),)

    def action_new(self) -> None:
        """Choose what to measure; a run of videos that goes on would spoil every figure."""
        if is_live(self._snapshot.run):
            self._say("A run goes on, beside which nothing can be measured. Wait for its end.", problem=True)
        else:
            self.app.push_screen(LabForm(self._ports, self._asked))

    def action_again(self) -> None:
        """Ask, then measure once more what the selected benchmark has measured."""
        run = self._benchmarks.run
        if run is None:
            return

        def answered(answer: str | None) -> None:
            if answer == "again":
                self.aside(partial(self._ports.lab.again, run.run_id), self._asked)

        self.app.push_screen(lab_again_question(run), answered)

    def action_resume(self) -> None:
        """Measure what the selected benchmark had not measured yet."""
        run = self._benchmarks.run
        if run is not None and run.state in RESUMABLE:
            self._ports.source.send(ResumeRun(run.run_id))
            self._say(f"Asked to go on with run {run.run_id}; what it has measured is kept.")

    def action_cancel(self) -> None:
        """Ask, then end what is measured now."""
        lab = self._snapshot.lab
        if lab is None:
            tell(self.app, "Nothing is measured now.", problem=True)
            return

        def answered(answer: str | None) -> None:
            if answer == "cancel":
                self._ports.source.send(CancelRun(lab.run_id))

        self.app.push_screen(lab_cancel_question(lab.run_id, len(lab.results)), answered)

    @on(LineView.Chosen)
    def action_read(self) -> None:
        """Show the page on the whole screen."""
        if self._benchmarks.run is not None:
            self.show_alone("report")

    def action_mark(self) -> None:
        """Mark the selected benchmark for a comparison, or take its mark away."""
        self._benchmarks.mark()

    def action_compare(self) -> None:
        """Show two benchmarks side by side, the older one as the one before."""
        pair = sorted(self._benchmarks.pair, key=lambda run: run.run_id)
        if len(pair) != 2:
            tell(self.app, f"Mark one with {key_of('lab.mark')}, then go to another to compare it.", problem=True)
            return
        self._compared = None
        self.show_alone("comparison")

        def take(answer: LabComparison | Refusal) -> None:
            self._compared = answer
            self.redraw()

        self.aside(partial(self._ports.lab.compare, *pair), take)

    def action_export(self) -> None:
        """Ask for a folder, then write the reports of the selected benchmark there."""
        run = self._benchmarks.run
        if run is None or self._is_live(run):
            tell(self.app, "There is no report to export yet.", problem=True)
            return

        def answered(folder: bytes | None) -> None:
            if folder:
                self.aside(partial(self._ports.lab.export, run, folder), self._exported)

        where = FolderQuestion("export as JSON, Markdown, CSV and HTML into", os.fsencode(os.getcwd()))  # noqa: PTH109
        self.app.push_screen(where, answered)

    def action_copy(self) -> None:
        """Copy the path of the selected benchmark's reports."""
        run = self._benchmarks.run
        if run is not None:
            copy(self.app, self._ports.keep, "path of the reports", run.out)

    def action_leave(self) -> None:
        """Leave the page, then the screen; what is measured goes on."""
        self.show_alone("") if self.alone else self.dismiss(None)

    @property
    def _benchmarks(self) -> LabList:
        return self.query_one(LabList)

    def _is_live(self, run: PastRun) -> bool:
        return self._snapshot.lab is not None and self._snapshot.lab.run_id == run.run_id

    def _stale(self, run: PastRun) -> bool:
        known = self._reports.get(run.run_id)
        return known is None or known[0] != run

    def _list(self) -> None:
        """Have the benchmarks read where the engine tells of other runs, or states, than at the last reading."""
        if self._snapshot.runs != self._seen and not self._listing:
            self._seen, self._listing = self._snapshot.runs, True
            self.aside(self._ports.lab.reports, self._listed)

    def _listed(self, answer: tuple[PastRun, ...] | Refusal) -> None:
        self._listing = False
        if isinstance(answer, Refusal):
            self._say(f"{answer.message} {answer.remedy}", problem=True)
        else:
            if self._snapshot.lab is not None and answer != self._runs:
                self._say("")  # what was asked for is in the list now
            self._runs = answer
        self._list()
        self.redraw()

    def _report_read(self, run: PastRun, report: LabReport) -> None:
        self._telling = False
        self._reports[run.run_id] = (run, report)
        self.redraw()

    def _exported(self, answer: Exported | Refusal) -> None:
        if isinstance(answer, Refusal):
            self._say(f"{answer.message} {answer.remedy}", problem=True)
        else:
            self._say(f"Written: {', '.join(os.fsdecode(path) for path in answer.paths)}")

    def _asked(self, answer: StartRun | Refusal) -> None:
        if isinstance(answer, Refusal):
            self._say(f"{answer.message} {answer.remedy}", problem=True)
        else:
            self._ports.source.send(answer)
            self._benchmarks.action_top()
            self._say(f"Asked to measure {answer.preset}.")

    def _say(self, text: str, *, problem: bool = False) -> None:
        self.query_one(Answer).say(text, "bad" if problem else "quiet")
