"""The command palette: what can be done now, found by its name."""

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from screens.action import Action
from screens.actions import ACTIONS
from screens.widgets.keyline import KeyLine
from screens.widgets.lines import LineView
from screens.widgets.outside import Cell, Line, cell, outside, sentence

_LABEL = 16
_KEY = 8


@dataclass(frozen=True)
class Offer:
    """An action that can be taken now, what it is called at the moment, and where it is taken."""

    action: Action
    label: str
    taker: DOMNode

    def matches(self, needle: str) -> bool:
        """Return whether each word of `needle` is in its name, label or sentence."""
        text = f"{self.action.id} {self.label} {self.action.text}".lower()
        return all(word in text for word in needle.lower().split())


def offers(screen: Screen[object]) -> tuple[Offer, ...]:
    """Return what can be done on `screen` as it is now, in the order of the registry; moving in a list is left out."""
    line = next(iter(screen.query(KeyLine)), None)
    labels = line.renamed if line else {}
    active = {bound.binding.id: bound for bound in screen.active_bindings.values() if bound.enabled}
    found: dict[str, Offer] = {}
    for action in ACTIONS:
        label = labels.get(action.id, action.label)
        if action.id in active and label and action.place != "list" and action.id != "app.palette":
            found.setdefault(action.call, Offer(action, label, active[action.id].node))
    return tuple(found.values())


class _Offers(LineView, can_focus=False):
    """The offers that contain what is typed."""

    def __init__(self, everything: tuple[Offer, ...]) -> None:
        super().__init__()
        self._everything = everything
        self._at = 0
        self.found = everything

    @property
    def offer(self) -> Offer | None:
        """The selected offer; None where nothing is found."""
        return self.found[self._at] if self.found else None

    @property
    def cursor(self) -> int:
        """The position of the selected offer."""
        return self._at if self.found else -1

    def select(self, position: int) -> None:
        """Select the offer at a position."""
        self._at = position

    def filter(self, needle: str) -> None:
        """Show the offers that contain `needle`, those whose label does first."""
        found = [offer for offer in self._everything if offer.matches(needle)]
        self.found = tuple(sorted(found, key=lambda offer: needle.lower().strip() not in offer.label.lower()))
        self._at = 0
        self.scroll_home(animate=False)
        self.sync()

    def row_count(self) -> int:
        """Return how many offers are found."""
        return len(self.found)

    def row(self, index: int, width: int) -> Line:
        """Return the line of one offer: key, label, sentence."""
        offer = self.found[index]
        return (
            cell(offer.action.key, _KEY, "accent"),
            cell(offer.label, _LABEL, "strong"),
            sentence(offer.action.text, max(0, width - _KEY - _LABEL), "quiet"),
        )

    def empty(self, width: int) -> tuple[Line, ...]:
        """Return what is said where nothing is found."""
        return ((Cell("Nothing that can be done now is called that.", "quiet"),),)


class Palette(ModalScreen[Offer | None]):
    """Offers what can be done on the screen below; answers with what was chosen."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,ctrl+k", "move(-1)", show=False),
        Binding("down,ctrl+j,tab", "move(1)", show=False),
        Binding("escape,ctrl+p", "leave", show=False),
    ]

    def __init__(self, everything: tuple[Offer, ...]) -> None:
        super().__init__()
        self._everything = everything

    def compose(self) -> ComposeResult:
        """Build the box."""
        with Vertical(classes="box page") as box:
            box.border_title = outside("commands")
            box.border_subtitle = outside("Enter takes it, Esc back")
            yield Input(placeholder="what do you want to do?", compact=True, id="wanted")
            yield _Offers(self._everything)

    def action_move(self, step: int) -> None:
        """Go to another offer."""
        self.query_one(_Offers).action_move(step)

    def action_leave(self) -> None:
        """Do nothing."""
        self.dismiss(None)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self.query_one(_Offers).filter(event.value)

    @on(Input.Submitted)
    @on(LineView.Chosen)
    def _taken(self) -> None:
        offer = self.query_one(_Offers).offer
        if offer is not None:
            self.dismiss(offer)
