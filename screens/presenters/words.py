"""Numbers and states as people read them: short, rounded to what can be seen, the same width each time."""

from collections.abc import Sequence

from pipeline.model import JobState, RunState
from screens.widgets.outside import Cell, Line, Tone, cell

JOB_SIGNS: dict[JobState, tuple[str, Tone]] = {
    JobState.SETTLING: ("~", "quiet"),
    JobState.QUEUED: ("·", "quiet"),
    JobState.RUNNING: ("►", "accent"),
    JobState.WAITING: ("…", "warn"),
    JobState.DONE: ("✓", "good"),
    JobState.PARTIAL: ("◐", "warn"),
    JobState.FAILED: ("✗", "bad"),
    JobState.QUARANTINED: ("!", "bad"),
    JobState.SKIPPED: ("–", "quiet"),
    JobState.CANCELLED: ("×", "quiet"),
}
"""The sign and tone of each job state; the word always stands beside the sign."""

RUN_SIGNS: dict[RunState, tuple[str, Tone]] = {
    RunState.QUEUED: ("·", "quiet"),
    RunState.RUNNING: ("►", "accent"),
    RunState.PAUSED: ("‖", "warn"),
    RunState.DRAINING: ("▽", "warn"),
    RunState.DONE: ("✓", "good"),
    RunState.CANCELLED: ("×", "warn"),
    RunState.INTERRUPTED: ("!", "warn"),
}
"""The sign and tone of each run state."""

NONE = "–"
"""What stands where a value is not known."""

LABEL = 5
"""Cells of the label before a gauge."""
_FIGURE = 15
_SPARKS = "▁▂▃▄▅▆▇█"
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def about(seconds: float) -> str:
    """Return a length of time as a person would guess it."""
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def size(count: float) -> str:
    """Return a number of bytes with a binary unit and about three figures."""
    value = float(max(0, count))
    unit = 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value /= 1024
        unit += 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 or value >= 100 else f"{value:.1f} {_UNITS[unit]}"


def of_total(used: float, total: float) -> str:
    """Return `used/total unit`, both in the unit of the total."""
    unit = 0
    while total >= 1000 and unit < len(_UNITS) - 1:
        total /= 1024
        used /= 1024
        unit += 1
    return f"{used:.1f}/{total:.1f} {_UNITS[unit]}"


def number(value: float) -> str:
    """Return a rate with as many figures as matter; a dash for nothing."""
    if value <= 0:
        return NONE
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def seconds_short(value: float) -> str:
    """Return a stage's time, e.g. `35ms`, `1.2s`, `95s`, `12m`."""
    if value <= 0:
        return NONE
    if value < 0.9995:
        return f"{value * 1000:.0f}ms"
    if value < 99.5:
        return f"{value:.1f}s" if value < 9.95 else f"{value:.0f}s"
    return f"{value / 60:.0f}m"


def percent(share: float | None) -> str:
    """Return a share of 1 as `63%`; a dash where there is none."""
    return NONE if share is None else f"{min(100, max(0, round(share * 100)))}%"


def bar(share: float, width: int, tone: Tone = "bar") -> tuple[Cell, Cell]:
    """Return a gauge of `width` cells in half steps: a heavy line on a light one, so that it reads without colour."""
    halves = min(2 * width, max(0, round(share * 2 * width)))
    filled = "━" * (halves // 2) + ("╸" if halves % 2 else "")
    return Cell(filled, tone), Cell("─" * (width - len(filled)), "track")


def gauge(label: str, share: float | None, figure: str, width: int, tone: Tone = "") -> Line:
    """Return label, gauge and figure in `width` cells; a dash where there is no share."""
    if share is None:
        return cell(label, LABEL), cell(NONE, width - LABEL, "quiet", right=True)
    done, rest = bar(share, max(4, width - LABEL - _FIGURE), tone or load_tone(share))
    return cell(label, LABEL), done, rest, cell(figure, _FIGURE, right=True)


def spark(history: Sequence[float], width: int, top: float = 0.0) -> str:
    """Return the last `width` values as small columns against `top` or the largest of them, the newest at the right."""
    values = list(history)[-width:] if width > 0 else []
    top = top or max(values, default=0.0)
    if top <= 0:
        return ("▁" * len(values)).rjust(width)
    return "".join(_SPARKS[min(7, max(0, int(value / top * 7.999)))] for value in values).rjust(width)


def graph(history: Sequence[float], width: int, rows: int, top: float) -> list[str]:
    """Return the same over `rows` lines, the highest line first."""
    values = [min(1.0, max(0.0, value / top)) * rows for value in list(history)[-width:]] if width > 0 else []
    lines = []
    for row in range(rows - 1, -1, -1):
        eighths = [min(8, max(0, round((value - row) * 8))) for value in values]
        lines.append("".join(" " if not full else _SPARKS[full - 1] for full in eighths).rjust(width))
    return lines


def joined(parts: Sequence[str], width: int) -> str:
    """Return as many of `parts` as fit in `width`, the first ones first, with dots between them."""
    text = ""
    for part in parts:
        longer = f"{text} · {part}" if text and part else text or part
        if len(longer) <= width or not text:
            text = longer
    return text


def load_tone(share: float) -> Tone:
    """Return the tone of a gauge that is better not full."""
    return "bad" if share >= 0.95 else "warn" if share >= 0.85 else "bar"
