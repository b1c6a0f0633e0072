"""A list of lines of which one can be chosen."""

from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.message import Message

from screens.actions import bindings
from screens.widgets.lines import LineView
from screens.widgets.outside import Line


class Picks(LineView):
    """Shows the lines it is given; Enter, or a second click, posts `Picked` for the selected one."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("pick")]

    class Picked(Message):
        """The row at `position` was picked."""

        def __init__(self, view: "Picks", position: int) -> None:
            super().__init__()
            self.view = view
            self.position = position

        @property
        def control(self) -> "Picks":
            """The list, by which `on` chooses."""
            return self.view

    def __init__(self, *, id: str, said: tuple[Line, ...] = ()) -> None:
        super().__init__(id=id)
        self._at = -1
        self._said = said

    @property
    def cursor(self) -> int:
        """The position of the selected row, -1 = none."""
        return min(self._at, self.row_count() - 1)

    def select(self, position: int) -> None:
        """Select the row at a position that exists."""
        self._at = position

    def unselect(self) -> None:
        """Select nothing."""
        self._at = -1

    def empty(self, width: int) -> tuple[Line, ...]:
        """Return what to say while there is no row."""
        return self._said

    def action_pick(self) -> None:
        """Pick the selected row."""
        if self.cursor >= 0:
            self.post_message(self.Picked(self, self.cursor))

    @on(LineView.Chosen)
    def _clicked_twice(self, event: LineView.Chosen) -> None:
        event.stop()
        self.action_pick()
