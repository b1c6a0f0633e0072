"""A pane of lines that draws only the rows in view, and of those only the ones that changed."""

from itertools import zip_longest
from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from pipeline.text import visible
from screens.actions import bindings
from screens.widgets.outside import TONES, Cell, Line, Tone, on_ground, strip

_MARK = Cell("▌", "mark")
_NO_MARK = Cell(" ")
_GAP = 12
"""Columns that stayed the same up to which two changes are drawn as one: a move of the cursor costs as much."""


class LineView(ScrollView, can_focus=True):
    """Shows rows of cells under an optional heading that stays in place.

    The rows are those given to `show()`, or what a subclass says; then `sync()` follows each change. A row whose
    cells equal those on the screen is not drawn again: a value rounded to what can be seen costs nothing at rest.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"line--{tone}" for tone in TONES} | {"line--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("list")]
    selectable = True
    """Whether a row can be selected; otherwise the keys scroll."""

    class Chosen(Message):
        """A row was clicked twice."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = ()
        self._drawn: dict[int, tuple[Line, bool]] = {}
        self._height = -1

    def show(self, lines: tuple[Line, ...]) -> None:
        """Show these lines."""
        self._lines = lines
        self.sync()

    def row_count(self) -> int:
        """Return how many rows there are."""
        return len(self._lines)

    def row(self, index: int, width: int) -> Line:
        """Return one row for a pane of `width` cells."""
        return self._lines[index]

    def heading(self, width: int) -> Line | None:
        """Return the line that stays above the rows, or None."""
        return None

    def empty(self, width: int) -> tuple[Line, ...]:
        """Return what to say while there is no row."""
        return ()

    @property
    def cursor(self) -> int:
        """The position of the selected row, -1 = none."""
        return -1

    def select(self, position: int) -> None:
        """Select the row at a position that exists."""

    def unselect(self) -> None:
        """Select nothing."""

    @property
    def line_width(self) -> int:
        """The cells a row has, the mark of the selected row not counted."""
        return max(0, self.scrollable_content_region.width - 1)

    @property
    def page_rows(self) -> int:
        """The rows in view."""
        return max(1, self.scrollable_content_region.height - self._top)

    def sync(self) -> None:
        """Draw again what differs from what is on the screen."""
        height = self.row_count() + self._top
        if height != self._height:
            self._height = height
            self.virtual_size = Size(1, height)
        width = self.scrollable_content_region.width
        for y in range(self.scrollable_content_region.height):
            before, now = self._drawn.get(y), self._line_at(y)
            if before != now:
                self.refresh(*(Region(first, y, end - first, 1) for first, end in _spans(before, now, width)))

    def render_line(self, y: int) -> Strip:
        """Draw one row of the pane."""
        line, selected = self._drawn[y] = self._line_at(y)
        mark = _MARK if selected else _NO_MARK
        width = self.scrollable_content_region.width
        drawn = strip((mark, *line), width, self._styles_of(line))
        return on_ground(drawn, self._ground()) if selected and self.has_focus else drawn

    def action_move(self, step: int) -> None:
        """Select the row `step` further, or scroll where nothing can be selected."""
        if not self.selectable:
            self.scroll_relative(y=step, animate=False)
        elif self.row_count():
            self._go(max(0, self.cursor + step) if self.cursor >= 0 else max(0, step - 1))

    def action_page(self, step: int) -> None:
        """Move by a page."""
        self.action_move(step * max(1, self.page_rows - 1))

    def action_top(self) -> None:
        """Go to the first row and select none, so that the pane stays with the first rows."""
        self.unselect()
        self.scroll_home(animate=False)
        self.sync()

    def action_bottom(self) -> None:
        """Go to the last row."""
        if self.selectable and self.row_count():
            self._go(self.row_count() - 1)
        else:
            self.scroll_end(animate=False)

    def reveal(self, position: int) -> None:
        """Scroll so that the row at `position` is in view."""
        top = round(self.scroll_y)
        if position < top:
            self.scroll_to(y=position, animate=False)
        elif position >= top + self.page_rows:
            self.scroll_to(y=position - self.page_rows + 1, animate=False)

    def in_view(self, position: int) -> bool:
        """Return whether the row at `position` is on the screen."""
        return 0 <= position - round(self.scroll_y) < self.page_rows

    def on_click(self, event: events.Click) -> None:
        """Select the row under the mouse; a second click opens it."""
        position = round(self.scroll_y) + event.get_content_offset_capture(self).y - self._top
        if self.selectable and 0 <= position < self.row_count():
            self._go(position)
            if event.chain == 2:
                self.post_message(self.Chosen())

    def on_resize(self) -> None:
        """Forget what was drawn at another size."""
        self._drawn.clear()
        self._height = -1
        self.sync()

    @property
    def _top(self) -> int:
        return 0 if self.heading(self.line_width) is None else 1

    def _go(self, position: int) -> None:
        position = min(position, self.row_count() - 1)
        self.select(position)
        self.reveal(position)
        self.sync()

    def _line_at(self, y: int) -> tuple[Line, bool]:
        heading = self.heading(self.line_width)
        if heading is not None and y == 0:
            return heading, False
        index = y + round(self.scroll_y) - (heading is not None)
        count = self.row_count()
        if index < count:
            return self.row(index, self.line_width), index == self.cursor
        if not count:
            said = self.empty(self.line_width)
            first = max(0, (self.scrollable_content_region.height - len(said)) // 3)
            return (said[y - first], False) if 0 <= y - first < len(said) else ((), False)
        return (), False

    def _styles_of(self, line: Line) -> dict[Tone, Style]:
        styles: dict[Tone, Style] = {"": self.rich_style}
        for tone in {part.tone for part in (_MARK, *line)} - {""}:
            styles[tone] = self.get_component_rich_style(f"line--{tone}")
        return styles

    def _ground(self) -> Style:
        return self.get_component_rich_style("line--cursor", partial=True)


def _spans(before: tuple[Line, bool] | None, now: tuple[Line, bool], width: int) -> list[tuple[int, int]]:
    """Return the columns, as half-open spans, in which a row differs; all where letters are not one column wide."""
    if before is None or before[1] or now[1]:
        return [(0, width)]
    old, new = _letters(before[0]), _letters(now[0])
    if old is None or new is None:
        return [(0, width)]
    spans: list[tuple[int, int]] = []
    for column, (one, other) in enumerate(zip_longest(old, new), start=cell_len(_NO_MARK.text)):
        if one == other:
            continue
        if spans and column - spans[-1][1] <= _GAP:
            spans[-1] = (spans[-1][0], column + 1)
        else:
            spans.append((column, column + 1))
    return [(first, min(end, width)) for first, end in spans if first < width]


def _letters(line: Line) -> list[tuple[str, Tone]] | None:
    letters = [(letter, part.tone) for part in line for letter in visible(part.text)]
    return letters if cell_len("".join(letter for letter, _ in letters)) == len(letters) else None


class Lines(LineView):
    """A view of fixed lines; it scrolls and selects nothing."""

    selectable = False
