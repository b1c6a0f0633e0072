"""The doctor: examines the machine while it is open, and shows each finding as it comes in."""

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen

from pipeline.health import Health
from screens.actions import bindings
from screens.ports import Ports, Underway
from screens.presenters.doctor import doctor_lines, doctor_title
from screens.widgets.keyline import KeyLine
from screens.widgets.lines import Lines
from screens.widgets.outside import outside


class Doctor(Screen[None]):
    """Runs one examination after another, in a thread; leaving ends the one under way."""

    CSS_PATH = "doctor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("doctor")]
    AUTO_FOCUS = "#checks"

    class Found(Message):
        """An examination has found more."""

        def __init__(self, examination: Underway[Health], health: Health) -> None:
            super().__init__()
            self.examination = examination
            self.health = health

    def __init__(self, ports: Ports) -> None:
        super().__init__()
        self._examine = ports.examine
        self._examination: Underway[Health] | None = None
        self._problems = False
        self.health = Health()

    def compose(self) -> ComposeResult:
        """Build the list and the key line."""
        yield Lines(id="checks")
        yield KeyLine("doctor", "anywhere")

    def on_mount(self) -> None:
        """Begin to look."""
        self.action_again()

    def on_unmount(self) -> None:
        """End what is under way."""
        if self._examination is not None:
            self._examination.close()

    def on_resize(self) -> None:
        """Lay the lines out for the new width."""
        self.call_after_refresh(self.redraw)

    def redraw(self) -> None:
        """Show what is known; a list that stands at its end goes on with what comes in."""
        checks = self.query_one("#checks", Lines)
        checks.border_title = outside("doctor: only what asks for something" if self._problems else "doctor")
        checks.border_subtitle = outside(doctor_title(self.health))
        checks.show(doctor_lines(self.health, checks.line_width, problems=self._problems))
        self.query_one(KeyLine).rename({"doctor.problems": "all"} if self._problems else {})

    def action_again(self) -> None:
        """Look at everything again."""
        if self._examination is not None:
            self._examination.close()
        self.health = Health(looking_at="this machine")
        self.query_one("#checks", Lines).anchor()
        self.redraw()
        self._examination = self._examine()
        self._run(self._examination)

    def action_problems(self) -> None:
        """Show only what asks for something, or all."""
        self._problems = not self._problems
        self.query_one("#checks", Lines).action_top()
        self.redraw()

    def action_leave(self) -> None:
        """Go back."""
        self.dismiss(None)

    @work(thread=True)
    def _run(self, examination: Underway[Health]) -> None:
        for health in examination.steps():
            self.post_message(self.Found(examination, health))

    @on(Found)
    def _found(self, event: Found) -> None:
        if event.examination is self._examination:
            self.health = event.health
            self.redraw()
