"""The form of a classification: the classes of a run's stored videos, in words or by examples."""

import os
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import Input

from pipeline.commands import StartRun
from screens.actions import bindings, key_of
from screens.asking import Asking
from screens.ports import ClassifyRequest, Ports, Refusal
from screens.widgets.answer import Answer
from screens.widgets.folders import PathInput
from screens.widgets.keyline import KeyLine
from screens.widgets.lines import Lines
from screens.widgets.outside import Cell, outside, wrap

_TITLES = {
    "labels": "the classes, in words",
    "examples": "or a folder of examples",
    "method": "examples tell by",
    "vectors": "vectors of",
    "min_probability": "least probability",
}


class ClassifyForm(Asking):
    """Fills in a `ClassifyRequest`, which is checked in a thread before the form closes."""

    CSS_PATH = "classify.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("classify form")]
    AUTO_FOCUS = "#labels"

    def __init__(self, ports: Ports, folder: str, taken: Callable[[StartRun], None]) -> None:
        super().__init__()
        self._ports = ports
        self._folder = folder
        self._taken = taken
        self._checking = False

    def compose(self) -> ComposeResult:
        """Build the form."""
        yield Lines(id="what")
        yield Input(id="labels", placeholder="a dog, a cat, neither = an empty room")
        yield PathInput(id="examples", placeholder="an extracted folder that holds a folder for each class")
        with Horizontal(id="how"):
            yield Input(id="method", placeholder="centroid or probe")
            yield Input(id="vectors", placeholder="first that serves")
            yield Input(id="min_probability")
        yield Answer()
        yield KeyLine("classify form")

    def on_mount(self) -> None:
        """Name the fields, and put into them what the settings say."""
        for name, title in _TITLES.items():
            self.query_one(f"#{name}").border_title = outside(title)
        self.query_one("#what").can_focus = False
        self.aside(self._ports.classes.usual, self._usual_read)

    def on_resize(self) -> None:
        """Lay the lines out for the new width."""
        self.call_after_refresh(self._tell)

    def action_start(self) -> None:
        """Have what is filled in checked, then start it."""
        if self._checking:
            return
        self._checking = True
        self.query_one(Answer).say("Checking…")
        self.aside(partial(self._ports.classes.command, self._request), self._checked)

    def action_leave(self) -> None:
        """Go back and start nothing."""
        self.dismiss(None)

    @property
    def _request(self) -> ClassifyRequest:
        typed = {name: self.query_one(f"#{name}", Input).value for name in _TITLES if name != "examples"}
        return ClassifyRequest(
            folder=os.fsencode(self._folder), examples=self.query_one("#examples", PathInput).path, **typed
        )

    def _usual_read(self, usual: ClassifyRequest | Refusal) -> None:
        if isinstance(usual, Refusal):
            self._refuse(usual)
            return
        for name in _TITLES:
            field = self.query_one(f"#{name}", Input)
            if name != "examples" and not field.value:
                field.value = str(getattr(usual, name))

    def _checked(self, answer: StartRun | Refusal) -> None:
        self._checking = False
        if isinstance(answer, Refusal):
            self._refuse(answer)
        else:
            self.dismiss(None)
            self._taken(answer)

    def _refuse(self, why: Refusal) -> None:
        self.query_one(Answer).say(f"✗ {why.message} {why.remedy}".strip(), "bad")

    def _tell(self) -> None:
        what = self.query_one("#what", Lines)
        told = (
            f"The videos and scenes stored in {self._folder} are compared with the classes by their vectors; no video "
            f"is opened. {key_of('classify.start')} starts it; classes.csv and classes.jsonl come to lie there."
        )
        rows = wrap(told, max(20, what.line_width))
        what.styles.height = len(rows)
        what.show(tuple((Cell(row),) for row in rows))
