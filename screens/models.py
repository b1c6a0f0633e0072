"""The models room: which models there are, whether their weights are here; fetches and checks them."""

from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.message import Message
from textual.screen import Screen

from pipeline.shelf import FetchStep, ShelvedModel, Verified
from screens.actions import bindings
from screens.ports import Ports, Refusal, Underway
from screens.presenters.models import model_details
from screens.widgets.keyline import KeyLine
from screens.widgets.lines import Lines
from screens.widgets.model_list import ModelList
from screens.widgets.outside import outside, tell


class Models(Screen[None]):
    """Reads the catalogue and the disk in threads; leaving ends the downloads under way, which can be gone on with."""

    CSS_PATH = "models.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("models")]
    AUTO_FOCUS = "ModelList"

    @dataclass
    class Listed(Message):
        """The catalogue was read."""

        answer: tuple[ShelvedModel, ...] | Refusal

    @dataclass
    class Stepped(Message):
        """A download is further, or over."""

        step: FetchStep

    @dataclass
    class Checked(Message):
        """The weights of a model were read."""

        found: Verified

    def __init__(self, ports: Ports) -> None:
        super().__init__()
        self._shelf = ports.shelf
        self._models: tuple[ShelvedModel, ...] = ()
        self._fetching: dict[str, Underway[FetchStep]] = {}
        self._steps: dict[str, FetchStep] = {}
        self._verified: dict[str, Verified | str] = {}

    def compose(self) -> ComposeResult:
        """Build the list, the page below it and the key line."""
        with Container(id="both"):
            yield ModelList(id="models")
            yield Lines(id="model")
        yield KeyLine("models", "anywhere")

    def on_mount(self) -> None:
        """Read the catalogue."""
        self.query_one("#models").border_title = outside("models")
        self._list()

    def on_unmount(self) -> None:
        """End what is under way."""
        for fetching in self._fetching.values():
            fetching.close()

    def on_resize(self) -> None:
        """Lay the lines out for the new width."""
        self.call_after_refresh(self.redraw)

    @on(ModelList.Selected)
    def redraw(self) -> None:
        """Show the models and the selected one."""
        models, page = self.query_one(ModelList), self.query_one("#model", Lines)
        models.take(self._models, self._steps)
        here = sum(model.here for model in self._models)
        models.border_subtitle = outside(f"{here} of {len(self._models)} here" if self._models else "")
        model = models.model
        page.border_title = outside(model.key if model else "")
        if model is not None:
            step, verified = self._steps.get(model.key), self._verified.get(model.key)
            page.show(model_details(model, step, verified, page.line_width))
        self.query_one(KeyLine).rename({} if model and model.key in self._fetching else {"models.stop": ""})

    def action_fetch(self) -> None:
        """Fetch the weights of the selected model, unless they are here or on their way."""
        model = self.query_one(ModelList).model
        if model is None or model.key in self._fetching:
            return
        if model.here:
            tell(self.app, f"The weights of {model.key} are here." if model.needed else f"{model.key} needs none.")
            return
        self._verified.pop(model.key, None)
        self._steps[model.key] = FetchStep(model.key, 0, model.size_bytes)
        self._fetching[model.key] = self._shelf.fetch(model.key)
        self._fetch(self._fetching[model.key])
        self.redraw()

    def action_stop(self) -> None:
        """Stop the download of the selected model."""
        model = self.query_one(ModelList).model
        if model is not None and model.key in self._fetching:
            self._fetching[model.key].close()

    def action_verify(self) -> None:
        """Read the weights of the selected model as a whole."""
        model = self.query_one(ModelList).model
        if model is not None and not isinstance(self._verified.get(model.key), str):
            self._verified[model.key] = "Reading the whole file…"
            self._verify(model.key)
            self.redraw()

    def action_leave(self) -> None:
        """Go back."""
        self.dismiss(None)

    @work(thread=True)
    def _list(self) -> None:
        self.post_message(self.Listed(self._shelf.models()))

    @work(thread=True)
    def _fetch(self, fetching: Underway[FetchStep]) -> None:
        for step in fetching.steps():
            self.post_message(self.Stepped(step))

    @work(thread=True)
    def _verify(self, key: str) -> None:
        self.post_message(self.Checked(self._shelf.verify(key)))

    @on(Listed)
    def _listed(self, event: Listed) -> None:
        if isinstance(event.answer, Refusal):
            tell(self.app, f"{event.answer.message} {event.answer.remedy}".strip(), problem=True)
        else:
            self._models = event.answer
        self.redraw()

    @on(Stepped)
    def _stepped(self, event: Stepped) -> None:
        self._steps[event.step.key] = event.step
        if event.step.over:
            self._fetching.pop(event.step.key, None)
            self._list()
        self.redraw()

    @on(Checked)
    def _checked(self, event: Checked) -> None:
        self._verified[event.found.key] = event.found
        self.redraw()
