"""Plots as inline SVG, in the colours of the page: lines over labelled axes, and bars with their names."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

from pipeline.text import visible

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 30, 38
TICKS = 4
BAR, NAME, FIGURE = 18, 200, 60
"""Height of a bar with its gap; room for the names on its left and the figures on its right."""
NAME_CHARS = 30


@dataclass(frozen=True, slots=True)
class Line:
    """One series; `dots` marks each point by itself."""

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
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{value:.4g}</text>')
    for x, anchor in ((low, "start"), (high, "end")):
        parts.append(f'<text x="{place(x, 0)[0]}" y="{HEIGHT - 22}" text-anchor="{anchor}">{x:.4g}</text>')
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
    dots = [f'<circle class="{colour}" cx="{x}" cy="{y}" r="2.5"/>' for x, y in places if line.dots or len(places) < 2]
    return [path, *dots]


def _legend(lines: Sequence[Line]) -> str:
    if len(lines) < 2:
        return ""
    items = "".join(f'<li class="c{number % 6}">{escape(line.name)}</li>' for number, line in enumerate(lines))
    return f'<ul class="legend">{items}</ul>'


def _step(most: float) -> float:
    """Return a round step of which TICKS cover `most`."""
    rough = most / TICKS
    size = 10.0 ** floor(log10(rough))
    return next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.9999)
