"""The benchmark lab: a row a benchmark, the one that is measured now, a report, and two of them compared."""

from collections.abc import Sequence

from pipeline.history import PastRun
from pipeline.lab import LabChange, LabComparison, LabReport, LabResult, LabView
from pipeline.model import BAD, JobState, RunState
from pipeline.text import clock, plural, precise
from screens.actions import key_of
from screens.ports import Refusal
from screens.presenters import run_table
from screens.presenters.runs import field
from screens.presenters.words import NONE, bar, graph, number, percent
from screens.widgets.outside import Cell, Line, Tone, cell, line_width, sentence, spread, wrap

_VERDICT, _RATE, _TIME, _FLOOR = 10, 18, 9, 7
_NAME = 22
"""Cells of a name at least, before columns are left out."""
_PLOT_ROWS, _PLOT_LABEL = 4, 9
_VERDICTS: dict[str, Tone] = {"slower": "bad", "faster": "good", "same": "quiet"}
_GATE: dict[str, tuple[str, Tone]] = {"regression": ("✗", "bad"), "not judged": ("!", "warn"), "passed": ("✓", "good")}
_SIGNS = {"slower": "▲", "faster": "▼", "same": "="}

_DATED = 70
"""Width from which on a row tells when and how long; below it, what was measured matters more."""


def lab_heading(width: int) -> Line:
    """Return the titles of the columns of the list."""
    return run_table.heading(_columns(width))


def lab_row(run: PastRun, mark: str, now_s: float, width: int) -> Line:
    """Return one benchmark: mark, state, how much was measured, when, how long, and what."""
    own: dict[str, tuple[str, Tone]] = {
        "measured": (f"{run.count(JobState.DONE):,}" if run.total else NONE, ""),
        "lacking": run_table.lacking(run.count(*BAD)),
        "  what": (f"  {run.preset}", ""),
    }
    return run_table.row(run, mark, now_s, _columns(width), own)


def _columns(width: int) -> run_table.Columns:
    columns = [*run_table.FIRST, ("measured", 9, True), ("lacking", 8, True)]
    columns += [("began", 13, True), ("took", 8, True)] if width >= _DATED else []
    return run_table.with_last(columns, "  what", width)


def lab_empty() -> tuple[Line, ...]:
    """Return what an empty list says."""
    return (
        (Cell("  Nothing has been measured yet.", "strong"),),
        (),
        (Cell("  "), Cell(key_of("lab.new"), "accent"), Cell(" chooses what to measure")),
    )


def live_lines(view: LabView, elapsed_s: float, width: int) -> tuple[Line, ...]:
    """Return the benchmark that is measured now: how far it is, the subject at hand with a plot, and the results."""
    over, of = len(view.results), len(view.planned)
    state = "stopping, what is measured is kept" if view.stopping else f"measuring {min(over + 1, of)} of {of}"
    title: Line = (Cell(f"run {view.run_id}  ", "strong"), Cell(f"► {state}" if of else "► starting", "accent"))
    lines: list[Line] = [spread(title, (Cell(clock(elapsed_s), "quiet"),), width), bar(over / of if of else 0.0, width)]
    at_hand = bool(view.name) and not view.stopping and view.name not in {one.name for one in view.results}
    if at_hand:
        lines += [(), *_at_hand(view, width)]
    waiting = view.planned[over + at_hand :]
    rest = [(cell("· to do", _VERDICT, "quiet"), cell(name, width - _VERDICT, "quiet")) for name in waiting]
    return (*lines, (), *result_table(view.results, width), *rest)


def _at_hand(view: LabView, width: int) -> list[Line]:
    told = f"{view.phase}"
    if view.calls:
        most = f" of {view.wanted:,}" if view.calls <= view.wanted else ""
        told += f" · call {view.calls:,}{most}"
    last = view.times_s[-1] if view.times_s else 0.0
    if last:
        told += f" · last {precise(last)}, {number(1 / last)} calls/s"
    lines: list[Line] = [(cell(view.name, width, "strong"),), (sentence(told, width, "accent"),)]
    return lines + _plot(view.times_s, width)


def _plot(times_s: Sequence[float], width: int) -> list[Line]:
    """Return a plot of times from nought up, the newest at the right."""
    top = max(times_s, default=0.0)
    if top <= 0:
        return []
    rows = graph(times_s, width - _PLOT_LABEL, _PLOT_ROWS, top)
    labels = [precise(top), *[""] * (_PLOT_ROWS - 2), "0 a call"]
    return [
        (cell(label, _PLOT_LABEL - 1, "quiet", right=True), Cell(" "), Cell(row, "graph"))
        for label, row in zip(labels, rows, strict=True)
    ]


def result_table(results: Sequence[LabResult], width: int) -> list[Line]:
    """Return a heading and a row a subject; columns that do not fit are left out, the last first."""
    if not results:
        return []
    columns = _table_columns(width)
    name = width - _VERDICT - sum(columns.values())
    heading = [cell("verdict", _VERDICT, "quiet"), cell("subject", name, "quiet")]
    heading += [cell(title, cells, "quiet", right=True) for title, cells in columns.items()]
    return [tuple(heading), *(_result_row(one, columns, name) for one in results)]


def _table_columns(width: int) -> dict[str, int]:
    columns = {"p50 an item": 12, "rate": _RATE, "of floor": _FLOOR + 2, "p99": _TIME}
    while len(columns) > 1 and width - _VERDICT - sum(columns.values()) < _NAME:
        columns.popitem()
    return columns


def _result_row(one: LabResult, columns: dict[str, int], name: int) -> Line:
    if not one.measured:
        rest = name + sum(columns.values())
        return cell("✗ lacking", _VERDICT, "bad"), cell(f"{one.name}: {one.message}", rest)
    texts = {
        "p50 an item": precise(one.p50_s),
        "rate": f"{number(one.items_per_s)} {one.unit}/s",
        "p99": precise(one.p99_s),
        "of floor": percent(one.floor_share) if one.floor else NONE,
    }
    verdict = cell("! INVALID", _VERDICT, "warn") if one.reasons else cell("✓ VALID", _VERDICT, "good")
    figures = (cell(texts[title], cells, right=True) for title, cells in columns.items())
    return verdict, cell(one.name, name), *figures


def report_lines(report: LabReport, width: int) -> tuple[Line, ...]:
    """Return a report: verdicts, what limits what, why results are INVALID, machine and method."""
    run, title = report.run, run_table.run_title(report.run)
    lines: list[Line] = [(*title, sentence(f"  {run.preset}", width - line_width(title), "strong"))]
    if report.untold:
        return *lines, *((Cell(row, "bad"),) for row in wrap(f"✗ {report.untold}", width))
    valid = sum(one.measured and not one.reasons for one in report.results)
    lacking = sum(not one.measured for one in report.results)
    told = f"{plural(len(report.results) - lacking, 'result')}, {valid} VALID; {lacking} could not be measured"
    kept = " It did not come to its end; this is what was measured." if run.state is not RunState.DONE else ""
    lines += [*((Cell(row),) for row in wrap(f"{told}.{kept}", width)), (), *result_table(report.results, width)]
    lines += _against(report, width)
    lines += _sentences("what limits what", report.findings, width)
    lines += _sentences("what was done", report.notes, width)
    lines += _grouped("why INVALID, and what to do", report.doubts, width)
    lost = [f"{one.name}: {one.message}" for one in report.results if not one.measured]
    lines += _sentences("what could not be measured", lost, width)
    lines.append(())
    for name, text in (*report.facts, ("reports in", run.out)):
        lines += field(name, text, width)
    return tuple(lines)


def _against(report: LabReport, width: int) -> list[Line]:
    """Return what the gate says, and the baseline with what has changed; nothing where there is no baseline."""
    if report.comparison is None:
        return []
    lines: list[Line] = [(), *field("baseline", report.comparison.before, width)]
    for verdict, told in report.gate:
        sign, tone = _GATE[verdict]
        lines += [(Cell(row, tone),) for row in wrap(f"{sign} {verdict}: {told}.", width)]
    return [*lines, *_change_table(report.comparison.changes, width)]


def _sentences(title: str, sentences: Sequence[str], width: int) -> list[Line]:
    return _grouped(title, [(one, ()) for one in sentences], width)


def _grouped(title: str, groups: Sequence[tuple[str, Sequence[str]]], width: int) -> list[Line]:
    """Return sentences, each with others below it that belong to it."""
    if not groups:
        return []
    lines: list[Line] = [(), (Cell(title, "quiet"),)]
    for one, below in groups:
        lines += _bullet("• ", one, width)
        lines += [line for sentence in below for line in _bullet("  - ", sentence, width)]
    return lines


def _bullet(sign: str, text: str, width: int) -> list[Line]:
    first, *rest = wrap(text, max(20, width - len(sign)))
    return [(Cell(sign, "accent"), Cell(first)), *((Cell(" " * len(sign) + row),) for row in rest)]


def comparison_lines(found: LabComparison | Refusal | None, width: int) -> tuple[Line, ...]:
    """Return two reports side by side; `found` is None until they are read."""
    if found is None:
        return ((Cell("reading both reports…", "quiet"),),)
    if isinstance(found, Refusal):
        return tuple((Cell(row, "bad"),) for row in wrap(f"✗ {found.message} {found.remedy}", width))
    lines: list[Line] = [*field("A before", found.before, width), *field("B after", found.after, width), ()]
    lines += _change_table(found.changes, width)
    for what, names in (("only in A", found.only_before), ("only in B", found.only_after)):
        lines += _sentences(what, names, width)
    lines += _sentences(
        "what else differs", [f"{what}: {a or NONE} → {b or NONE}" for what, a, b in found.differs], width
    )
    return tuple(lines)


def _change_table(changes: Sequence[LabChange], width: int) -> list[Line]:
    if not changes:
        return []
    titles = (
        cell("quick tenth", 16, "quiet", right=True),
        cell("machine", _machine(width), "quiet", right=True),
        cell("change", 11, "quiet", right=True),
    )
    name = max(8, width - 54 - _machine(width))
    heading = cell("verdict", 12, "quiet"), cell("subject", name, "quiet"), *titles, Cell("  95 %", "quiet")
    return [heading, *(_change_row(one, name, width) for one in changes)]


def _machine(width: int) -> int:
    """Return the columns that there are for how much slower the machine itself was: none on a narrow screen."""
    return 11 if width >= 76 else 0


def _change_row(one: LabChange, name: int, width: int) -> Line:
    tone = _VERDICTS[one.verdict] if one.trusted else "warn"
    told = f"{_SIGNS[one.verdict]} {one.verdict}" if one.trusted else "! INVALID"
    interval = f"  {one.low * 100:+.0f} to {one.high * 100:+.0f}"
    return (
        cell(told, 12, tone),
        cell(one.name, name),
        cell(f"{precise(one.before_s)}→{precise(one.after_s)}", 16, right=True),
        cell(f"{one.pace * 100:+.1f} %", _machine(width), "quiet", right=True),
        cell(f"{one.change * 100:+.1f} %", 11, tone, right=True),
        cell(interval, max(0, width - 12 - name - 27 - _machine(width)), "quiet"),
    )
