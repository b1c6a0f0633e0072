"""Plots as inline SVG, in the colours of the page: lines over labelled axes, and bars with their names."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

from pipeline.text import visible

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 30, 38
TICKS = 4
MOST_MARKS = 8
"""Places on the horizontal axis that are all named; of more, only the first and the last."""
MARK = 30
"""Room that a name of such a place takes."""
MOST_DOTS = 120
"""Points of a line that are marked one by one; more would run together."""
BAR, NAME, FIGURE = 18, 200, 60
"""Height of a bar with its gap; room for the names on its left and the figures on its right."""
NAME_CHARS = 30


@dataclass(frozen=True, slots=True)
class Line:
    """One series; `dots` marks each point by itself. Without a name it is what the title says."""

    name: str
    points: Sequence[tuple[float, float]]
    dots: bool = False


def plot(title: str, x_label: str, y_label: str, lines: Sequence[Line]) -> str:
    """Return an SVG of the lines; the vertical axis begins at 0. Lines are told apart by colour and dash."""
    xs = [x for line in lines for x, _ in line.points]
    most = _step(max((y for line in lines for _, y in line.points), default=1.0) or 1.0) * TICKS
    low, high = min(xs, default=0.0), max(xs, default=1.0)
    spread = (high - low) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - low) / spread * (WIDTH - LEFT - RIGHT)
        return round(across, 1), round(HEIGHT - BOTTOM - y / most * (HEIGHT - TOP - BOTTOM), 1)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f'<text x="{LEFT}" y="16" class="title">{escape(title)}</text>',
    ]
    for tick in range(TICKS + 1):
        value = most / TICKS * tick
        y = place(low, value)[1]
        parts.append(f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{value:,.6g}</text>')
    for x in _marks(xs, low, high):
        anchor = "start" if x == low else "end" if x == high else "middle"
        parts.append(f'<text x="{place(x, 0)[0]}" y="{HEIGHT - 22}" text-anchor="{anchor}">{x:,.5g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="16" text-anchor="end">{escape(y_label)}</text>')
    for number, line in enumerate(lines):
        parts += _drawn(line, number, [place(x, y) for x, y in line.points])
    return "".join([*parts, "</svg>", _legend(lines)])


def bars(title: str, rows: Sequence[tuple[str, float]]) -> str:
    """Return an SVG of a bar for each name, as long as its figure says."""
    most = max((value for _, value in rows), default=0.0) or 1.0
    height = TOP + BAR * len(rows) + 8
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        f'<text x="8" y="16" class="title">{escape(title)}</text>',
    ]
    for place, (name, value) in enumerate(rows):
        y = TOP + BAR * place
        width = round(value / most * (WIDTH - NAME - FIGURE), 1)
        parts.append(f'<text x="{NAME - 6}" y="{y + 11}" text-anchor="end">{escape(visible(name, NAME_CHARS))}</text>')
        parts.append(f'<rect class="c0" x="{NAME}" y="{y}" width="{width}" height="{BAR - 4}"/>')
        parts.append(f'<text x="{NAME + width + 6}" y="{y + 11}">{value:,.6g}</text>')
    return "".join([*parts, "</svg>"])


def _drawn(line: Line, number: int, places: Sequence[tuple[float, float]]) -> list[str]:
    colour = f"c{number % 6}"
    path = f'<polyline class="line {colour}" points="{" ".join(f"{x},{y}" for x, y in places)}"/>'
    shown = (line.dots and len(places) <= MOST_DOTS) or len(places) < 2
    dots = [f'<circle class="{colour}" cx="{x}" cy="{y}" r="2.5"/>' for x, y in places if shown]
    return [path, *dots]


def _legend(lines: Sequence[Line]) -> str:
    if not any(line.name for line in lines):
        return ""
    items = "".join(f'<li class="c{number % 6}">{escape(line.name)}</li>' for number, line in enumerate(lines))
    return f'<ul class="legend">{items}</ul>'


def _marks(xs: Sequence[float], low: float, high: float) -> list[float]:
    """Return the places that are named on the axis: all where they are few, but none that would touch another."""
    apart = MARK / (WIDTH - LEFT - RIGHT) * ((high - low) or 1.0)
    named = [low]
    for x in sorted(set(xs)) if len(set(xs)) <= MOST_MARKS else ():
        if x - named[-1] >= apart and high - x >= apart:
            named.append(x)
    return [*named, high] if high > low else named


def _step(most: float) -> float:
    """Return a round step of which TICKS cover `most`."""
    rough = most / TICKS
    size = 10.0 ** floor(log10(rough))
    return next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.9999)
