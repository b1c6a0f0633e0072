"""The list of the settings room: sections with their settings, the selection staying with its setting."""

from collections.abc import Mapping

from textual.message import Message

from screens.presenters.settings import Row, Section, row
from screens.sheet import Key
from screens.widgets.lines import LineView
from screens.widgets.outside import Cell, Line


class SettingsList(LineView):
    """Shows rows that the screen gives it; tells when another is selected."""

    class Moved(Message):
        """Another row is selected."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._rows: tuple[Row, ...] = ()
        self._edits: Mapping[Key, str] = {}
        self._preset = ""
        self._at = 0
        self._hint = ""

    def take(self, rows: tuple[Row, ...], edits: Mapping[Key, str], preset: str, hint: str) -> None:
        """Show these rows; what was selected stays so where it is still there. `hint` stands where there is none."""
        selected = self.selected
        self._rows, self._edits, self._preset, self._hint = rows, edits, preset, hint
        places = [at for at, one in enumerate(rows) if _identity(one) == _identity(selected)]
        self._at = places[0] if places else min(1, len(rows) - 1)
        self.sync()
        if rows:
            self.reveal(self._at)

    @property
    def selected(self) -> Row | None:
        """The selected row."""
        return self._rows[self._at] if 0 <= self._at < len(self._rows) else None

    @property
    def cursor(self) -> int:
        """The position of the selected row."""
        return self._at

    def select(self, position: int) -> None:
        """Select the row at a position."""
        self._at = position
        self.post_message(self.Moved())

    def unselect(self) -> None:
        """Go to the first setting: one row is always selected."""
        self.select(min(1, len(self._rows) - 1))

    def row_count(self) -> int:
        """Return how many rows there are."""
        return len(self._rows)

    def row(self, index: int, width: int) -> Line:
        """Return one row."""
        one = self._rows[index]
        edit = None if isinstance(one, Section) else self._edits.get(one.key)
        return row(one, edit, self._preset, width)

    def empty(self, width: int) -> tuple[Line, ...]:
        """Return why there is no row."""
        return ((Cell(self._hint, "quiet"),),)


def _identity(one: Row | None) -> str | Key | None:
    return one.name if isinstance(one, Section) else None if one is None else one.key
