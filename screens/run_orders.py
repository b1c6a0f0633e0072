"""What the run history asks of the engine for the selected run, and what it asks the operator before."""

from abc import abstractmethod
from collections.abc import Set
from functools import partial

from pipeline.commands import CancelRun, OpenRun, ResumeRun, StartRun
from pipeline.history import PastRun
from pipeline.model import STAGES, RunKind, RunState
from screens.actions import key_of
from screens.classify import ClassifyForm
from screens.following import Following
from screens.ports import Ports, Refusal
from screens.presenters.header import is_live
from screens.presenters.runs import OVER, RESUMABLE
from screens.questions import again_question, run_cancel_question
from screens.widgets.outside import tell


class RunOrders(Following):
    """A room with a selected run; what cannot be done is told, and the monitor shows what comes of the rest."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._checking = False

    @property
    @abstractmethod
    def selected(self) -> PastRun | None:
        """The selected run."""

    @abstractmethod
    def say(self, refusal: Refusal | None) -> None:
        """Say why something was refused, or nothing more of it."""

    @abstractmethod
    def go_to_newest(self) -> None:
        """Select the newest run, and stay with the newest."""

    def action_resume(self) -> None:
        """Go on with the selected run."""
        self._order(RESUMABLE, ResumeRun, "resume", "there is nothing to resume")

    def action_show(self) -> None:
        """Show the selected run in the monitor again, a benchmark in its lab."""
        run = self.selected
        if run is not None and run.kind is RunKind.BENCHMARK:
            self.call_later(self.run_action, "app.open('lab')")
        elif run is not None and run.kind is RunKind.CLASSIFY:
            told = f"Run {run.run_id} classified stored videos: {key_of('runs.analysis')} tells what they are."
            tell(self.app, told, problem=True)
        else:
            self._order(OVER - {RunState.INTERRUPTED}, OpenRun, "show", "it is not over")

    def action_cancel(self) -> None:
        """Ask, then cancel the selected run."""
        run = self.selected
        if run is None:
            return
        if run.state in OVER:
            tell(self.app, f"Run {run.run_id} is {run.state}; there is nothing to cancel.", problem=True)
            return

        def answered(answer: str | None) -> None:
            if answer == "cancel":
                self._ports.source.send(CancelRun(run.run_id))

        self.app.push_screen(run_cancel_question(run), answered)

    def action_again(self) -> None:
        """Ask, then check the selected run and start it once more."""
        if (run := self.selected) is None or self._checking:
            return

        def answered(answer: str | None) -> None:
            if answer == "again":
                self._checking = True
                self.say(None)
                self.aside(partial(self._ports.history.again, run.run_id), partial(self._again_checked, run))
                self.redraw()

        self.app.push_screen(again_question(run), answered)

    def action_classify(self) -> None:
        """Choose the classes of the stored videos of the selected run."""
        run = self.selected
        if run is not None and run.stored_in:
            told = f"Asked to classify the videos stored in {run.stored_in}."
            self.app.push_screen(ClassifyForm(self._ports, run.stored_in, lambda command: self._send(command, told)))
        elif run is not None:
            tell(self.app, f"Run {run.run_id} stored no features of videos that could be classified.", problem=True)

    def _order(self, states: Set[RunState], command: type[ResumeRun | OpenRun], word: str, why_not: str) -> None:
        run = self.selected
        if run is not None and run.state in states:
            self._send(command(run.run_id), f"Asked to {word} run {run.run_id}.", run.kind)
        elif run is not None:
            tell(self.app, f"Run {run.run_id} is {run.state}; {why_not}.", problem=True)

    def _again_checked(self, run: PastRun, answer: StartRun | Refusal) -> None:
        self._checking = False
        if isinstance(answer, Refusal):
            self.say(answer)
            self.redraw()
        else:
            self._send(answer, f"Asked to start run {run.run_id} again.", run.kind)

    def _send(self, command: OpenRun | ResumeRun | StartRun, text: str, kind: RunKind = RunKind.CLASSIFY) -> None:
        """Send a command; the monitor shows what comes of a run of videos, unless another comes first."""
        self._ports.source.send(command)
        tell(self.app, text)
        if kind in STAGES and not is_live(self._snapshot.run):
            self.dismiss(None)
        elif isinstance(command, StartRun):
            self.go_to_newest()
