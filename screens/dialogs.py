"""Small screens over another: a question with choices, a page to read, and the wait while the engine stops."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from screens.action import Action, Place, readable
from screens.actions import ACTIONS, key_of
from screens.widgets.lines import LineView
from screens.widgets.outside import Cell, Line, Tone, cell, outside, wrap


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to a question."""

    key: str
    answer: str
    label: str
    text: str


class _Page(LineView):
    """Lines that a function makes for the width there is; they scroll."""

    selectable = False

    def __init__(self, make: Callable[[int], tuple[Line, ...]]) -> None:
        super().__init__()
        self._make = make
        self._made: tuple[int, tuple[Line, ...]] = (-1, ())

    def row_count(self) -> int:
        """Return how many lines the text has at this width."""
        return len(self._rows(self.line_width))

    def row(self, index: int, width: int) -> Line:
        """Return one line."""
        rows = self._rows(width)
        return rows[index] if index < len(rows) else ()

    def remake(self) -> None:
        """Make the lines again."""
        self._made = (-1, ())
        self.sync()

    def _rows(self, width: int) -> tuple[Line, ...]:
        if self._made[0] != width:
            self._made = (width, self._make(width))
        return self._made[1]


class Question(ModalScreen[str]):
    """Asks before something that cannot be taken back; Esc answers with the last choice, which changes nothing.

    `pressed_on` is the answer that it means to ask once more instead of answering.
    """

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j,tab", "move(1)", show=False),
        Binding("enter,space", "take", show=False),
        Binding("escape", "leave", show=False),
    ]

    def __init__(self, title: str, question: str, choices: tuple[Choice, ...], *, pressed_on: str = "") -> None:
        super().__init__()
        self._title = title
        self._question = question
        self._choices = choices
        self._pressed_on = pressed_on
        self._at = len(choices) - 1
        for choice in choices:
            self._bindings.bind(choice.key, f"answer('{choice.answer}')", show=False)

    def compose(self) -> ComposeResult:
        """Build the box."""
        with Vertical(classes="box question") as box:
            box.border_title = outside(self._title)
            box.border_subtitle = outside(f"↑ ↓ Enter, or a letter; Esc: {self._choices[-1].label}")
            page = _Page(self._lines)
            page.styles.height = len(self._lines(_text_width(self)))
            yield page

    def action_move(self, step: int) -> None:
        """Go to another answer."""
        self._at = (self._at + step) % len(self._choices)
        self.query_one(_Page).remake()

    def action_take(self) -> None:
        """Give the answer at the mark."""
        self.dismiss(self._choices[self._at].answer)

    def action_answer(self, answer: str) -> None:
        """Give the answer whose key was pressed."""
        self.dismiss(answer)

    def action_leave(self) -> None:
        """Change nothing."""
        self.dismiss(self._choices[-1].answer)

    def press_on(self) -> None:
        """Take it that who asks again will not be asked."""
        if self._pressed_on:
            self.dismiss(self._pressed_on)

    def _lines(self, width: int) -> tuple[Line, ...]:
        lines: list[Line] = [(Cell(row, "strong"),) for row in wrap(self._question, width)]
        lines.append(())
        label = max(len(choice.label) for choice in self._choices) + 2
        for index, choice in enumerate(self._choices):
            mark = "►" if index == self._at else " "
            first, *rest = wrap(choice.text, max(8, width - label - 5))
            tone: Tone = "strong" if index == self._at else ""
            head: Line = (Cell(f"{mark} ", "accent"), Cell(f"{readable(choice.key)}  ", "accent"))
            lines.append((*head, cell(choice.label, label, tone), Cell(first, "quiet")))
            lines += [(Cell(" " * (label + 5)), Cell(row, "quiet")) for row in rest]
        return tuple(lines)


class Page(ModalScreen[None]):
    """Something to read, such as the details of a failure or the list of all keys."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "leave", show=False),
        Binding("question_mark,f1", "leave", show=False, id="app.help"),
    ]

    def __init__(self, title: str, make: Callable[[int], tuple[Line, ...]]) -> None:
        super().__init__()
        self._title = title
        self._make = make

    def compose(self) -> ComposeResult:
        """Build the box."""
        with Vertical(classes="box page") as box:
            box.border_title = outside(self._title)
            box.border_subtitle = outside("Esc back")
            yield _Page(self._make)

    def action_leave(self) -> None:
        """Go back."""
        self.dismiss(None)


class Stopping(ModalScreen[None]):
    """Shown while the engine closes: the screen stays alive and says what it waits for."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,ctrl+q", "app.ask_quit", show=False, id="app.quit")]

    def compose(self) -> ComposeResult:
        """Build the box."""
        with Vertical(classes="box question"):
            page = _Page(
                lambda width: (
                    (Cell("Stopping…", "strong"),),
                    (),
                    *((Cell(row, "quiet"),) for row in wrap(_stopping(), width)),
                )
            )
            page.styles.height = 2 + len(wrap(_stopping(), _text_width(self)))
            yield page


def _text_width(screen: ModalScreen[Any]) -> int:
    """Return the width of a box's text, for its height: set when it is made, for an app that leaves mounts no more."""
    return min(64, screen.app.size.width - 8)


def _stopping() -> str:
    return (
        "The workers give back what they have not finished; the next start offers to go on. "
        f"{key_of('app.quit')} again ends them at once."
    )


GROUPS: tuple[tuple[Place, str], ...] = (
    ("monitor", "the monitor"),
    ("list", "in a pane"),
    ("new run", "a new run"),
    ("job", "a video"),
    ("tree", "its tree of folders"),
    ("pick", "its settings"),
    ("plan", "its plan"),
    ("failures", "failures"),
    ("settings", "the settings"),
    ("runs", "the run history"),
    ("lab", "the benchmarks"),
    ("lab form", "a new benchmark"),
    ("classify form", "a new classification"),
    ("analysis", "the analysis of a run"),
    ("models", "the models"),
    ("doctor", "the doctor"),
    ("anywhere", "anywhere"),
)


def help_lines(width: int, here: tuple[Place, ...] = ()) -> tuple[Line, ...]:
    """Return every action with its keys, by place, those `here` first; then what the configuration calls them."""
    lines: list[Line] = []
    groups = dict(GROUPS)
    for place in sorted(groups, key=lambda place: here.index(place) if place in here else len(here)):
        title = f"{groups[place]} (here)" if place in here[:1] else groups[place]
        lines += [(Cell(title, "strong"),)]
        for action in ACTIONS:
            if action.place == place:
                lines += _help(action, width)
        lines.append(())
    lines += [(Cell(row, "strong"),) for row in wrap("names of the actions, for [keys] in the configuration", width)]
    lines += [(Cell("  "), cell(action.key, 14, "accent"), Cell("  "), Cell(action.id)) for action in ACTIONS]
    return tuple(lines)


def _help(action: Action, width: int) -> list[Line]:
    keys = "  ".join(readable(key) for key in action.keys_in_force)
    first, *rest = wrap(action.text, max(10, width - 18))
    line: Line = (Cell("  "), cell(keys, 14, "accent"), Cell("  "), Cell(first))
    return [line, *((Cell(" " * 18), Cell(row)) for row in rest)]
