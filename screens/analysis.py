"""The analysis of a run: what its videos are all together, and a new one made on request."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message

from pipeline.analysis_report import Analysis as Report
from pipeline.analysis_report import AnalysisStep
from pipeline.history import PastRun
from screens.actions import bindings, key_of
from screens.asking import Asking
from screens.clipboard import copy
from screens.ports import Ports, Refusal, Underway
from screens.presenters.analysis import analysis_lines, progress_line, sentences
from screens.widgets.keyline import KeyLine
from screens.widgets.lines import Lines
from screens.widgets.outside import Line, outside, tell


class Analysis(Asking):
    """Reads the report in a thread; leaving ends an analysis under way, and the reports stay as they were."""

    CSS_PATH = "analysis.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("analysis")]
    AUTO_FOCUS = "#figures"

    @dataclass
    class Stepped(Message):
        """An analysis is further, or over."""

        step: AnalysisStep

    def __init__(self, ports: Ports, run: PastRun) -> None:
        super().__init__()
        self._ports = ports
        self._run = run
        self._folder = run.stored_in or run.out
        self._known: Report | Refusal | None = None
        self._read = False
        self._making: Underway[AnalysisStep] | None = None
        self._step = AnalysisStep()

    def compose(self) -> ComposeResult:
        """Build the page and the key line."""
        yield Lines(id="figures")
        yield KeyLine("analysis", "anywhere")

    def on_mount(self) -> None:
        """Read what there is."""
        self.query_one("#figures").border_title = outside(f"analysis of run {self._run.run_id}")
        self._look()

    def on_unmount(self) -> None:
        """End what is under way."""
        if self._making is not None:
            self._making.close()

    def on_resize(self) -> None:
        """Lay the lines out for the new width."""
        self.call_after_refresh(self.redraw)

    def redraw(self) -> None:
        """Show the figures, or why there are none; above them how far a new analysis is."""
        page = self.query_one("#figures", Lines)
        above: tuple[Line, ...] = ()
        if self._making is not None:
            above = (progress_line(self._step, page.line_width), ())
        elif self._step.failure:
            above = (*sentences(f"✗ {self._step.failure}", page.line_width, "bad"), ())
        page.show((*above, *self._figures(page.line_width)))
        whose = self._known.run if isinstance(self._known, Report) else self._run.run_id
        page.border_subtitle = outside(_whose(whose) if whose != self._run.run_id else "")
        vain = {"analysis.make": not self._can_make, "analysis.copy": not isinstance(self._known, Report)}
        self.query_one(KeyLine).rename({action: "" for action, is_vain in vain.items() if is_vain})

    def action_make(self) -> None:
        """Begin an analysis, unless one is under way."""
        if self._can_make:
            self._step = AnalysisStep()
            self._making = self._ports.analyst.analyse(self._run.run_id)
            self._follow(self._making)
            self.redraw()
        elif self._making is None:
            tell(self.app, self._why_not, problem=True)

    def action_copy(self) -> None:
        """Copy the path of the report with plots."""
        if isinstance(self._known, Report):
            copy(self.app, self._ports.keep, "path of the report", f"{self._folder}/analysis.html")

    def action_leave(self) -> None:
        """Go back."""
        self.dismiss(None)

    @property
    def _can_make(self) -> bool:
        return self._making is None and bool(self._run.stored_in)

    @property
    def _why_not(self) -> str:
        return f"Run {self._run.run_id} is of the kind {self._run.kind}; only what extract made can be analysed."

    def _figures(self, width: int) -> tuple[Line, ...]:
        known = self._known
        if isinstance(known, Report):
            return analysis_lines(known, width)
        if isinstance(known, Refusal):
            return sentences(f"✗ {known.message} {known.remedy}".strip(), width, "bad")
        if not self._read or self._making is not None:
            return ()
        if not self._run.stored_in:
            return sentences(self._why_not, width)
        return sentences(
            f"This run has not been analysed. {key_of('analysis.make')} does it: it reads the feature files, opens no "
            f"video, and writes analysis.html and others into {self._folder}.",
            width,
        )

    def _look(self) -> None:
        self.aside(partial(self._ports.analyst.known, self._folder), self._found)

    def _found(self, answer: Report | Refusal | None) -> None:
        self._known, self._read = answer, True
        self.redraw()

    @work(thread=True)
    def _follow(self, making: Underway[AnalysisStep]) -> None:
        for step in making.steps():
            self.post_message(self.Stepped(step))

    @on(Stepped)
    def _stepped(self, event: Stepped) -> None:
        self._step = event.step
        if event.step.over:
            self._making = None
            self._look()
        self.redraw()


def _whose(run_id: int) -> str:
    return f"made for run {run_id}" if run_id else "of all in the folder"
