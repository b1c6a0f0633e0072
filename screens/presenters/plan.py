"""The plan of a run in lines: what would be done, the time and room it is expected to take, the checks, the inputs."""

from collections.abc import Sequence

from pipeline.forecast import Check, Plan, PlannedJob, PlanState, Verdict
from pipeline.health import Grade
from pipeline.text import plural, visible
from screens.presenters.words import about, size
from screens.widgets.outside import Cell, Line, Tone, cell, wrap

VERDICTS: dict[Verdict, tuple[str, str, Tone]] = {
    Verdict.TO_DO: ("►", "to do", "accent"),
    Verdict.CHANGED: ("↻", "changed", "accent"),
    Verdict.DONE: ("✓", "done already", "good"),
    Verdict.DUPLICATE: ("=", "duplicates", "quiet"),
    Verdict.SETTLING: ("~", "still changing", "warn"),
    Verdict.SKIPPED: ("–", "not videos", "quiet"),
    Verdict.UNREADABLE: ("✗", "unreadable", "bad"),
}
"""Sign, words and tone of each verdict."""

GRADES: dict[Grade, tuple[str, Tone]] = {
    Grade.OK: ("✓ ok", "good"),
    Grade.WARNING: ("! warning", "warn"),
    Grade.FAULT: ("✗ fault", "bad"),
}
"""Sign with word, and tone, of each grade."""

_WORST_FIRST = (Grade.FAULT, Grade.WARNING, Grade.OK)


def summary_lines(plan: Plan, expected_total: int, width: int) -> tuple[Line, ...]:
    """Return how far planning is, how many inputs have which verdict, and what the work is expected to take."""
    lines: list[Line] = [(Cell(row, "strong"),) for row in wrap(progress(plan, expected_total), width)]
    for tally in plan.tallies:
        sign, words, tone = VERDICTS[tally.verdict]
        lines.append(
            (
                Cell(f"{sign} ", tone),
                cell(words, 15),
                cell(f"{tally.count:,}", 8, "strong", right=True),
                cell(size(tally.source_bytes), 11, "quiet", right=True),
            )
        )
    if plan.state is PlanState.LOOKING and plan.last:
        lines.append((cell(visible(plan.last), width, "quiet"),))
    if plan.state is PlanState.COMPLETE:
        lines += _expected(plan, width)
    return tuple(lines)


def progress(plan: Plan, expected_total: int) -> str:
    """Return how far planning is; `expected_total` is how many videos were counted before, 0 if unknown."""
    looked = plural(plan.looked_at, "input")
    match plan.state:
        case PlanState.CHECKING:
            return "Checking what the run needs…"
        case PlanState.LOOKING:
            of = f" ({plural(expected_total, 'video')} counted)" if expected_total else ""
            return f"Looking at each input… {looked} so far{of}"
        case PlanState.CANCELLED:
            return f"Planning was stopped after {looked}."
        case PlanState.REFUSED:
            return "This run would surely fail."
        case PlanState.COMPLETE:
            return f"{looked} looked at:"


def check_lines(checks: Sequence[Check], width: int) -> tuple[Line, ...]:
    """Return the checks with their remedies, the worst first."""
    lines: list[Line] = []
    for check in sorted(checks, key=lambda check: _WORST_FIRST.index(check.grade)):
        sign, tone = GRADES[check.grade]
        lines.append((cell(sign, 10, tone), Cell(check.name, "strong")))
        lines += [(Cell("  "), Cell(row)) for row in wrap(check.text, width - 2)]
        if check.remedy:
            lines += [(Cell("  "), Cell(row, "quiet")) for row in wrap(f"→ {check.remedy}", width - 2)]
    return tuple(lines)


def job_line(job: PlannedJob, width: int) -> Line:
    """Return one input with its verdict, and why it has it."""
    sign, words, tone = VERDICTS[job.verdict]
    amount = size(job.size_bytes)
    room = max(10, width - 15 - 11)
    name = room if not job.reason or room < 44 else room * 3 // 5
    line: Line = (Cell(f"{sign} ", tone), cell(words, 14, tone), cell(visible(job.relative), name))
    if name < room:
        line = (*line, cell(f"  {visible(job.reason)}", room - name, "quiet"))
    return (*line, cell(amount, 10, "quiet", right=True))


def _expected(plan: Plan, width: int) -> list[Line]:
    time_s, written = plan.time_s, plan.written_bytes
    lines: list[Line] = [
        (),
        (cell("expected time", 17), Cell(_span(time_s) if time_s else "unknown", "strong")),
        (cell("to be written", 17), Cell(f"about {size(written)}" if written is not None else "unknown", "strong")),
    ]
    return [*lines, *((Cell(row, "quiet"),) for row in wrap(_basis(plan), width))]


def _span(time_s: tuple[float, float]) -> str:
    low, high = about(time_s[0]), about(time_s[1])
    return f"about {low}" if low == high else f"{low} to {high}"


def _basis(plan: Plan) -> str:
    pace = plan.pace
    if pace is None:
        return "No earlier run tells how long it takes."
    runs = f"run {pace.runs[0]}" if len(pace.runs) == 1 else f"runs {', '.join(map(str, pace.runs))}"
    other = "" if pace.same_preset else ", which had another preset"
    return f"By bytes, at the pace of {runs}{other}."
