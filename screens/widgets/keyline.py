"""The last line of a screen: the keys worth knowing there, as many as fit."""

from collections.abc import Iterable

from screens.actions import Place, prominent
from screens.widgets.lines import Lines
from screens.widgets.outside import Cell, Line, line_width


def key_line(places: Iterable[Place], width: int, renamed: dict[str, str]) -> Line:
    """Return the keys of `places`, most wanted first, cut where the line is full; `renamed` maps an id to a label."""
    line: Line = ()
    for action in prominent(places):
        label = renamed.get(action.id, action.label)
        if not label:
            continue
        piece: Line = (Cell(action.key, "accent"), Cell(f" {label}  ", "quiet"))
        if line_width(line) + line_width(piece) - 2 <= width:
            line = (*line, *piece)
    return line


class KeyLine(Lines, can_focus=False):
    """Shows the key line of its screen."""

    def __init__(self, *places: Place) -> None:
        super().__init__()
        self._places = places
        self._renamed: dict[str, str] = {}

    def rename(self, renamed: dict[str, str]) -> None:
        """Give actions other labels while the state asks for it; an empty label hides the action."""
        self._renamed = renamed
        self.show((key_line(self._places, self.line_width, renamed),))

    def on_resize(self) -> None:
        """Choose again what fits."""
        super().on_resize()
        self.rename(self._renamed)
