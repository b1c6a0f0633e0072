"""The one way text reaches the screen: nothing else in `screens` builds text, so nothing shows raw outside text.

A presenter says what to show as `Line`s of `Cell`s, which are plain strings with a tone. This module turns them into
what Textual draws. It never parses markup, and every string passes `pipeline.text.visible` on the way.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import App
from textual.content import Content
from textual.strip import Strip

from pipeline.text import visible

if TYPE_CHECKING:
    from pipeline.job_facts import SmallPicture

Tone = Literal["", "strong", "quiet", "good", "warn", "bad", "accent", "bar", "track", "graph", "mark"]
"""What a cell means; the stylesheet decides how that looks. Words and symbols say the same without colour."""

TONES: tuple[Tone, ...] = ("strong", "quiet", "good", "warn", "bad", "accent", "bar", "track", "graph", "mark")


class Cell(NamedTuple):
    """A piece of a line: its text and its tone."""

    text: str
    tone: Tone = ""


Line = tuple[Cell, ...]
"""One row of the screen, from left to right."""


def fit(text: str, width: int, *, right: bool = False, sentence: bool = False) -> str:
    """Return `text` made visible and exactly `width` terminal cells wide.

    A longer one loses the part after its first third, because names differ at their ends; a `sentence` its end.
    """
    text = visible(text)
    if width <= 0:
        return ""
    length = cell_len(text)
    if length > width:
        head = width - 1 if sentence else (width - 1) // 3
        text = set_cell_size(text, head) + "…" + _tail(text, width - 1 - head)
        length = cell_len(text)
    padding = " " * max(0, width - length)
    return padding + text if right else text + padding


def cell(text: str, width: int, tone: Tone = "", *, right: bool = False) -> Cell:
    """Return a cell that is exactly `width` wide."""
    return Cell(fit(text, width, right=right), tone)


def sentence(text: str, width: int, tone: Tone = "") -> Cell:
    """Return a cell that is exactly `width` wide and loses its end where it does not fit."""
    return Cell(fit(text, width, sentence=True), tone)


def line_width(line: Line) -> int:
    """Return the width of `line` in terminal cells."""
    return sum(cell_len(visible(part.text)) for part in line)


def spread(left: Line, right: Line, width: int) -> Line:
    """Return one line with `left` and `right` at its two ends; `right` is dropped where both do not fit."""
    gap = width - line_width(left) - line_width(right)
    return (*left, Cell(" " * gap), *right) if gap >= 1 else left


def wrap(text: str, width: int) -> list[str]:
    """Return `text` made visible and broken into pieces of at most `width` cells, at spaces where there are some."""
    rows: list[str] = []
    current = ""
    for word in visible(text).split(" "):
        joined = f"{current} {word}" if current else word
        if cell_len(joined) <= width:
            current = joined
            continue
        if current:
            rows.append(current)
        while cell_len(word) > width:
            piece = _head(word, width)
            rows.append(piece)
            word = word[len(piece) :]
        current = word
    return [*rows, current]


def outside(text: str | bytes) -> Content:
    """Return text from outside as content that shows it literally: no markup, no control bytes."""
    return Content(visible(text))


def outside_label(text: str | bytes) -> Text:
    """Return the same for Textual's trees, which take Rich's text."""
    return Text(visible(text), no_wrap=True)


def tell(app: App[Any], text: str, *, problem: bool = False) -> None:
    """Show `text` for a moment in the corner of the screen."""
    app.notify(visible(text), severity="warning" if problem else "information", markup=False)


def strip(line: Iterable[Cell], width: int, styles: Mapping[Tone, Style]) -> Strip:
    """Return `line` as Textual draws it, cut or filled to `width` cells."""
    segments = [Segment(visible(part.text), styles[part.tone]) for part in line]
    return Strip(segments).adjust_cell_length(width, styles[""])


def on_ground(drawn: Strip, ground: Style) -> Strip:
    """Return a drawn line on another ground, over that of its cells."""
    return Strip(Segment.apply_style(drawn, post_style=ground), drawn.cell_length)


def picture_row(picture: "SmallPicture", row: int, width: int, ground: Style, *, colour: bool) -> Strip:
    """Return two rows of pixels as one row of half blocks in the middle of `width` cells; without colour as shades."""
    stride = 3 * picture.width
    start = 2 * row * stride
    if not 0 <= start < len(picture.rgb):
        return Strip([Segment(" " * width, ground)], width)
    upper = picture.rgb[start : start + stride]
    lower = picture.rgb[start + stride : start + 2 * stride] or upper
    pairs = [(upper[at : at + 3], lower[at : at + 3]) for at in range(0, stride, 3)]
    if colour:
        runs = ((one, other, len(list(run))) for (one, other), run in groupby(pairs))
        drawn = [Segment((" " if one == other else "▀") * count, _halves(one, other)) for one, other, count in runs]
    else:
        shades = (_SHADES[sum(one + other) * len(_SHADES) // (6 * 255 + 1)] for one, other in pairs)
        drawn = [Segment("".join(shades), ground)]
    margin = Segment(" " * max(0, (width - picture.width) // 2), ground)
    return Strip([margin, *drawn]).adjust_cell_length(width, ground)


_SHADES = " ░▒▓█"


@lru_cache(maxsize=1 << 15)
def _halves(upper: bytes, lower: bytes) -> Style:
    return Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower))


def _head(text: str, width: int) -> str:
    cells = 0
    for index, char in enumerate(text):
        cells += cell_len(char)
        if cells > width:
            return text[: max(1, index)]
    return text


def _tail(text: str, width: int) -> str:
    cells = 0
    for index in range(len(text) - 1, -1, -1):
        cells += cell_len(text[index])
        if cells > width:
            return text[index + 1 :]
    return text
