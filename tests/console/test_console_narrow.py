"""Of a line on the screen, only the columns that changed go over the wire."""

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from terminal_screen import TerminalScreen
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from vconsole.narrow import narrow

COLOUR, BOLD = Style(color="color(74)"), Style(bold=True)


def update(*spans: tuple[int, int, int]) -> ChopsUpdate:
    """Return an update of these spans of two lines, each of which two panes share."""
    line = {0: Strip([Segment("one ", COLOUR), Segment("two", COLOUR)]), 7: Strip([Segment("three", BOLD)])}
    return ChopsUpdate([line, line], list(spans), [[7, 12], [7, 12]])


def sent(renderable: object) -> str:
    """Return what a terminal gets."""
    assert isinstance(renderable, ChopsUpdate)
    return renderable.render_segments(Console(force_terminal=True, color_system="256"))


def test_only_what_lies_in_a_span_is_sent() -> None:
    screen = TerminalScreen(12, 2)
    screen.feed(sent(narrow(update((0, 2, 6), (1, 8, 10)))).encode())
    assert [row.rstrip() for row in screen.rows()] == ["  e tw", "        hr"]


def test_a_whole_line_is_as_it_was_but_for_the_bytes() -> None:
    wide, small = TerminalScreen(12, 2), TerminalScreen(12, 2)
    before, now = sent(update((0, 0, 12))), sent(narrow(update((0, 0, 12))))
    wide.feed(before.encode())
    small.feed(now.encode())
    assert small.rows() == wide.rows()
    assert now.count("38;5;74") == 1 < before.count("38;5;74")


def test_any_other_picture_passes_as_it_is() -> None:
    assert narrow(None) is None
    assert narrow("text") == "text"
