"""The last line of a screen: the keys worth knowing there."""

from collections.abc import Iterable

from screens.action import Action, Place
from screens.actions import ACTIONS, prominent
from screens.widgets.lines import Lines
from screens.widgets.outside import Cell, Line, line_width


def key_line(places: Iterable[Place], width: int, renamed: dict[str, str]) -> Line:
    """Return the keys of `places` in the order of the registry; where room is short, the most wanted ones.

    `renamed` gives an action another label by its id; an empty label hides it.
    """
    chosen: dict[Action, Line] = {}
    left = width + 2  # the last one needs no gap after it
    for action in prominent(places):
        label = renamed.get(action.id, action.label)
        piece: Line = (Cell(action.key, "accent"), Cell(f" {label}  ", "quiet"))
        if label and line_width(piece) <= left:
            chosen[action] = piece
            left -= line_width(piece)
    return tuple(part for action in ACTIONS if action in chosen for part in chosen[action])


class KeyLine(Lines, can_focus=False):
    """Shows the key line of its screen."""

    def __init__(self, *places: Place) -> None:
        super().__init__()
        self.places = places
        self.renamed: dict[str, str] = {}
        """Labels in place of those of the registry, by action; an empty one says that it would do nothing now."""

    def rename(self, renamed: dict[str, str]) -> None:
        """Give actions other labels while the state asks for it; an empty label hides the action."""
        self.renamed = renamed
        self.show((key_line(self.places, self.line_width, renamed),))

    def on_resize(self) -> None:
        """Choose again what fits."""
        super().on_resize()
        self.rename(self.renamed)
