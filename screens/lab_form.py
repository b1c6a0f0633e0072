"""The form of a benchmark: what to measure, on which inputs, and how."""

import os
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from pipeline.commands import StartRun
from pipeline.lab import LabChoices, LabRequest
from screens.actions import bindings, key_of
from screens.asking import Asking
from screens.ports import Ports, Refusal
from screens.presenters.lab_form import Offer, absent_sign, offer_lines, offers
from screens.widgets.answer import Answer
from screens.widgets.folders import PathInput
from screens.widgets.keyline import KeyLine
from screens.widgets.outside import Cell, outside
from screens.widgets.picks import Picks

_KINDS = ("extractor", "stage", "preset", "transcode", "floors")
_TITLES = {"baseline": "compare with", "allowed_percent": "% slower at most"}
_NUMBERS = {
    "iterations": "calls at least",
    "warmup_iterations": "warm-up calls",
    "min_seconds": "seconds at least",
    "max_seconds": "seconds at most",
}
"""Numbers of a request, and what stands over their fields."""


class LabForm(Asking):
    """Fills in a `LabRequest`; it is checked, and inputs are made up, in a thread before the form closes."""

    CSS_PATH = "lab.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("lab form"), *bindings("pick")]
    AUTO_FOCUS = "#offers"

    def __init__(self, ports: Ports, taken: Callable[[StartRun], None]) -> None:
        super().__init__()
        self._lab = ports.lab
        self._taken = taken
        self._offers: tuple[Offer, ...] = ()
        self._chosen: list[Offer] = []
        self._inputs: list[bytes] = []
        self._checking = False

    def compose(self) -> ComposeResult:
        """Build the form."""
        usual = LabRequest()
        with Horizontal(id="both"):
            yield Picks(id="offers", said=((Cell("Looking what is here…", "quiet"),),))
            with Vertical(id="how"):
                said = "Pictures, texts and a video are made up."
                yield Picks(id="chosen", said=((Cell(said, "quiet"),),))
                yield PathInput(id="typed", placeholder="a path; Enter adds it")
                yield Input(id="sweep", placeholder="batch_size=1,8 precision=fp32,bf16")
                yield PathInput(id="services", placeholder="a JSON file; none = no services")
                with Horizontal(classes="pair"):
                    yield PathInput(id="baseline", placeholder="a report or folder")
                    yield Input(id="allowed_percent", placeholder="none = no gate")
                names = list(_NUMBERS)
                for pair in (names[:2], names[2:]):
                    with Horizontal(classes="pair"):
                        for name in pair:
                            yield Input(getattr(usual, name), id=name)
        yield Answer()
        yield KeyLine("lab form", "pick")

    def on_mount(self) -> None:
        """Name the fields and look what can be measured."""
        titles = {"offers": "what to measure", "chosen": "on", "typed": "video, picture or folder"}
        titles |= {"services": "HTTP services", "sweep": "sweep", **_TITLES, **_NUMBERS}
        for name, title in titles.items():
            self.query_one(f"#{name}").border_title = outside(title)
        self._say_usual()
        self.aside(self._lab.choices, self._choices_read)

    def on_resize(self) -> None:
        """Lay the lines out for the new width."""
        self.call_after_refresh(self._show)

    @on(Picks.Picked, "#offers")
    def _offer_picked(self, event: Picks.Picked) -> None:
        one = self._offers[event.position]
        self._chosen.remove(one) if one in self._chosen else self._chosen.append(one)
        self._show()

    @on(Picks.Picked, "#chosen")
    def _input_picked(self, event: Picks.Picked) -> None:
        del self._inputs[event.position]
        self._show()

    @on(Input.Submitted, "#typed")
    def _typed(self) -> None:
        field = self.query_one("#typed", PathInput)
        if field.path and field.path not in self._inputs:
            self._inputs.append(field.path)
        field.value = ""
        self._show()

    def action_start(self) -> None:
        """Have what is filled in checked, then measured."""
        self._typed()
        if self._checking:
            return
        self._checking = True
        self.query_one(Answer).say("Checking…")
        self.aside(partial(self._lab.prepare, self.request), self._prepared)

    def action_leave(self) -> None:
        """Go back and start nothing."""
        self.dismiss(None)

    @property
    def request(self) -> LabRequest:
        """What is filled in."""
        names = {kind: tuple(one.name for one in self._chosen if one.kind == kind) for kind in _KINDS}
        typed = {
            name: self.query_one(f"#{name}", Input).value.strip() for name in ("sweep", "allowed_percent", *_NUMBERS)
        }
        typed |= {name: os.fsdecode(self.query_one(f"#{name}", PathInput).path) for name in ("services", "baseline")}
        inputs = tuple(map(os.fsdecode, self._inputs))
        presets = (*names["preset"], *names["transcode"])
        return LabRequest(names["extractor"], names["stage"], presets, bool(names["floors"]), inputs=inputs, **typed)

    def _choices_read(self, answer: LabChoices | Refusal) -> None:
        if isinstance(answer, Refusal):
            self.query_one(Answer).say(f"{answer.message} {answer.remedy}", "bad")
            return
        self._offers = offers(answer)
        self.query_one("#offers", Picks).select(0)
        self._show()

    def _prepared(self, answer: StartRun | Refusal) -> None:
        self._checking = False
        if isinstance(answer, Refusal):
            self.query_one(Answer).say(f"{answer.message} {answer.remedy}".strip(), "bad")
        else:
            self.dismiss(None)
            self._taken(answer)

    def _show(self) -> None:
        all_of, chosen = self.query_one("#offers", Picks), self.query_one("#chosen", Picks)
        all_of.show(offer_lines(self._offers, self._chosen, all_of.line_width))
        lacking = sum(not one.here for one in self._offers)
        absent = f", {lacking} not here{absent_sign(all_of.line_width)}" if lacking else ""
        all_of.border_subtitle = outside(f"{len(self._chosen)} chosen{absent}")
        chosen.show(tuple((Cell(os.fsdecode(path)),) for path in self._inputs))

    def _say_usual(self) -> None:
        pick, start = key_of("pick.pick"), key_of("lab.start")
        self.query_one(Answer).say(f"{pick} chooses, or drops; {start} measures. Each is measured with its floors.")
