"""The lines of the doctor: what was looked at, what was found, and what to do about it."""

from pipeline.health import Check, Grade, Health
from pipeline.text import plural
from screens.widgets.outside import Cell, Line, Tone, cell, line_width, wrap

SIGNS: dict[Grade, tuple[str, Tone]] = {
    Grade.OK: ("✓", "good"),
    Grade.WARNING: ("!", "warn"),
    Grade.FAULT: ("✗", "bad"),
}
_NAME, _WORD = 22, 8
"""Cells of a check's name and of its verdict."""
_ROOMY = 70
"""Width from which name and finding stand side by side."""


def doctor_lines(health: Health, width: int, *, problems: bool = False) -> tuple[Line, ...]:
    """Return all checks under the names of their groups; with `problems`, only those that ask for something."""
    lines: list[Line] = []
    group = ""
    for check in health.checks:
        if problems and check.verdict is Grade.OK:
            continue
        if check.group != group:
            lines += [(), (Cell(check.group, "strong"),)] if lines else [(Cell(check.group, "strong"),)]
            group = check.group
        lines += _check(check, width)
    if health.looking_at:
        lines += [(), (Cell("… ", "accent"), Cell(f"looking at {health.looking_at}", "quiet"))]
    elif not lines:
        lines.append((Cell("✓ ", "good"), Cell("Nothing here asks for anything.", "quiet")))
    return tuple(lines)


def doctor_title(health: Health) -> str:
    """Return how the examination stands, in a few words."""
    ok, warnings, faults = (health.count(verdict) for verdict in Grade)
    found = f"{ok} ok, {plural(warnings, 'warning')}, {plural(faults, 'fault')}"
    return f"{found} so far" if health.looking_at else f"{found}; {health.elapsed_s:.0f} s"


def _check(check: Check, width: int) -> list[Line]:
    """Return verdict, name and what was found, and the fix below; one below the other where there is no room."""
    sign, tone = SIGNS[check.verdict]
    head: Line = (Cell("  "), cell(sign, 2, tone), cell(check.verdict, _WORD, tone))
    if width >= _ROOMY:
        lines = _hung((*head, cell(check.name, _NAME)), check.found, width)
    else:
        lines = [(*head, Cell(check.name)), *_hung((Cell(" " * 4),), check.found, width)]
    if check.fix:
        under = 2 + 2 + _WORD if width >= _ROOMY else 4
        lines += _hung((Cell(" " * under), Cell("fix: ", "accent")), check.fix, width)
    return lines


def _hung(head: Line, text: str, width: int) -> list[Line]:
    """Return `head` and a text whose further rows hang under its first."""
    indent = line_width(head)
    first, *rest = wrap(text, max(10, width - indent))
    return [(*head, Cell(first)), *((Cell(" " * indent), Cell(row)) for row in rest)]
