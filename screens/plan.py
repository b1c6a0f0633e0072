"""The plan of a run before anything starts: what would be done, what it needs, and how long it may take."""

import threading
from dataclasses import replace
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.screen import Screen

from pipeline.commands import StartRun
from pipeline.forecast import Plan, PlannedJob, PlanState, Verdict
from pipeline.text import plural, visible
from screens.actions import bindings, key_of
from screens.ports import Ports, Refusal, RunRequest
from screens.presenters.header import is_live
from screens.presenters.plan import VERDICTS, check_lines, job_line, summary_lines
from screens.widgets.answer import Answer
from screens.widgets.keyline import KeyLine
from screens.widgets.lines import Lines, LineView
from screens.widgets.outside import Cell, Line, outside

_UNDER_WAY = frozenset({PlanState.CHECKING, PlanState.LOOKING})


class PlannedInputs(LineView):
    """The inputs of a plan, all of them or those with one verdict."""

    selectable = False

    def __init__(self) -> None:
        super().__init__(id="inputs")
        self._jobs: tuple[PlannedJob, ...] = ()
        self.refused = False

    def list(self, jobs: tuple[PlannedJob, ...]) -> None:
        """Show these."""
        self._jobs = jobs
        self.scroll_home(animate=False)
        self.sync()

    def row_count(self) -> int:
        """Return how many there are."""
        return len(self._jobs)

    def row(self, index: int, width: int) -> Line:
        """Return one of them."""
        return job_line(self._jobs[index], width)

    def empty(self, width: int) -> tuple[Line, ...]:
        """Return what stands here before there is a list."""
        told = "No input was looked at." if self.refused else "The inputs are listed here once all were looked at."
        return ((Cell(told, "quiet"),),)


class RunPlan(Screen[bool]):
    """Plans a run in a thread, shows how far that is, and starts the run when asked; gives whether it did."""

    CSS_PATH = "new_run.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("plan")]
    AUTO_FOCUS = "#inputs"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-wide")]  # noqa: RUF012

    class Planned(Message):
        """The plan, as far as it is made, or why there is none."""

        def __init__(self, plan: Plan | Refusal) -> None:
            super().__init__()
            self.plan = plan

    class Prepared(Message):
        """The command that starts the run, or why it would surely fail."""

        def __init__(self, answer: StartRun | Refusal) -> None:
            super().__init__()
            self.answer = answer

    def __init__(self, ports: Ports, request: RunRequest, counted: int = 0) -> None:
        """`counted` is how many videos the choice holds, 0 if that is not known."""
        super().__init__()
        self._ports = ports
        self._request = request
        self._counted = counted
        self._stop = threading.Event()
        self._made = Plan()
        self._force = False
        self._plan = Plan()
        """What was made, or where all is to be done again, what that would be."""
        self._refusal: Refusal | None = None
        self._shown: Verdict | None = None
        self._starting = False

    def compose(self) -> ComposeResult:
        """Build the screen."""
        with Horizontal(id="plan-top"):
            yield Lines(id="summary")
            yield Lines(id="checks")
        yield PlannedInputs()
        yield Answer()
        yield KeyLine("plan")

    def on_mount(self) -> None:
        """Begin to plan."""
        request = self._request
        where = f"{plural(len(request.inputs), 'input')}" if len(request.inputs) > 1 else visible(request.inputs[0])
        self.query_one("#summary").border_title = outside(f"{request.kind} · {request.preset}: {where}")
        self.query_one("#checks").border_title = outside("checks")
        self._redraw()
        self._make_plan()

    def on_unmount(self) -> None:
        """Plan for nobody no longer."""
        self._stop.set()

    def on_resize(self) -> None:
        """Lay out the texts again."""
        self.call_after_refresh(self._redraw)

    @work(thread=True, group="plan")
    def _make_plan(self) -> None:
        def tell(plan: Plan | Refusal) -> None:
            self.post_message(self.Planned(plan))

        tell(self._ports.planning.plan(self._request, self._stop, tell))

    @on(Planned)
    def _planned(self, event: Planned) -> None:
        if isinstance(event.plan, Refusal):
            self._refusal = event.plan
            self._made = Plan(state=PlanState.REFUSED)
        else:
            self._made = event.plan
        self._take()

    def _take(self) -> None:
        self._plan = self._made.again() if self._force else self._made
        if self._plan.jobs:
            self.action_show(0)
        self._redraw()

    def action_force(self) -> None:
        """Do again what is done already, or leave it as it is."""
        if self._made.count_of(Verdict.DONE):
            self._force = not self._force
            self._take()

    def action_show(self, step: int) -> None:
        """List the inputs with the next verdict, or with the one before."""
        kinds: list[Verdict | None] = [None, *(tally.verdict for tally in self._plan.tallies)]
        at = kinds.index(self._shown) if self._shown in kinds else 0
        self._shown = kinds[(at + step) % len(kinds)]
        jobs = self._plan.jobs
        if self._shown is not None:
            jobs = tuple(job for job in jobs if job.verdict is self._shown)
        inputs = self.query_one(PlannedInputs)
        inputs.list(jobs)
        words = VERDICTS[self._shown][1] if self._shown else "all inputs"
        inputs.border_title = outside(f"{words}: {len(jobs):,}")
        more = self._plan.looked_at - len(self._plan.jobs)
        inputs.border_subtitle = outside(f"{more:,} more are not listed" if more else "← → another verdict")

    def action_stop(self) -> None:
        """Look at no further input."""
        self._stop.set()

    def action_leave(self) -> None:
        """Go back to the form."""
        self.dismiss(False)

    def action_start(self) -> None:
        """Start the run; what is still planned is left to it."""
        if self._plan.state is PlanState.CHECKING:
            self.query_one(Answer).say("The checks are not over yet.", "warn")
        elif self._plan.refused or self._refusal:
            self.query_one(Answer).say(
                "It would surely fail: put right what is marked as a fault, and plan again.", "bad"
            )
        elif not self._starting:
            self._starting = True
            self._stop.set()
            self.query_one(Answer).say("Starting…", "quiet")
            self._prepare()

    @work(thread=True, group="start")
    def _prepare(self) -> None:
        self.post_message(self.Prepared(self._ports.planning.command(self._request)))

    @on(Prepared)
    def _prepared(self, event: Prepared) -> None:
        self._starting = False
        if isinstance(event.answer, Refusal):
            self.query_one(Answer).say(f"✗ {event.answer.message} {event.answer.remedy}".strip(), "bad")
        else:
            self._ports.source.send(replace(event.answer, force=self._force))
            self.dismiss(True)

    def _redraw(self) -> None:
        summary, checks = self.query_one("#summary", Lines), self.query_one("#checks", Lines)
        summary.show(summary_lines(self._plan, self._counted, max(20, summary.line_width)))
        checks.show(check_lines(self._plan.checks, max(20, checks.line_width)))
        inputs = self.query_one(PlannedInputs)
        inputs.refused = bool(self._plan.refused or self._refusal)
        inputs.sync()
        under_way, any_jobs = self._plan.state in _UNDER_WAY, bool(self._plan.jobs)
        hidden = {
            "plan.stop": under_way,
            "plan.start": not (self._plan.refused or self._refusal),
            "plan.next": any_jobs,
            "plan.force": bool(self._made.count_of(Verdict.DONE)),
        }
        labels = {"plan.force": "leave what is done"} if self._force else {}
        self.query_one(KeyLine).rename(labels | {action: "" for action, shown in hidden.items() if not shown})
        if self._refusal:
            self.query_one(Answer).say(f"✗ {self._refusal.message} {self._refusal.remedy}".strip(), "bad")
        elif self._plan.refused:
            self.query_one(Answer).say(
                f"Put right what is marked as a fault: {key_of('plan.back')} goes back to the form.", "bad"
            )
        elif not self._starting and not under_way:
            run = self._ports.source.latest().run
            waits = f" Run {run.run_id} is under way; this one waits for it." if run and is_live(run) else ""
            self.query_one(Answer).say(f"Nothing has started yet. {key_of('plan.start')} starts the run.{waits}")
