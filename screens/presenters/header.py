"""The lines on top of the monitor: the truth about the run."""

from pipeline.model import TERMINAL, JobState, RunKind, RunState
from pipeline.snapshot import Notice, RunSummary, RunView, Snapshot
from pipeline.text import clock, plural
from screens.actions import key_of
from screens.presenters.words import JOB_SIGNS, RUN_SIGNS, about, bar, joined, number, percent, size
from screens.widgets.outside import Cell, Line, Tone, cell, line_width, sentence, spread, wrap

NOTICE_SHOWN_S = 20.0
"""How long a notice is shown in the last line of the header."""

LIVE = frozenset({RunState.QUEUED, RunState.RUNNING, RunState.PAUSED, RunState.DRAINING})
"""States of a run that still has something to do in this engine."""

_COUNTED = (
    (JobState.DONE,),
    (JobState.PARTIAL,),
    (JobState.FAILED,),
    (JobState.QUARANTINED,),
    (JobState.SKIPPED,),
    (JobState.CANCELLED,),
)
_SHORT = (
    (JobState.DONE, JobState.PARTIAL),
    (JobState.FAILED, JobState.QUARANTINED),
    (JobState.SKIPPED, JobState.CANCELLED),
)
_SHORTEST_BAR = 6
_ALWAYS = (JobState.DONE, JobState.FAILED, JobState.SKIPPED)


def is_live(run: RunView | None) -> bool:
    """Return whether there is a run that still goes on."""
    return run is not None and run.state in LIVE


def interrupted(snapshot: Snapshot) -> RunSummary | None:
    """Return the newest run that can be resumed, or None."""
    runs = [row for row in snapshot.runs if row.state is RunState.INTERRUPTED and row.kind is not RunKind.CLASSIFY]
    return max(runs, key=lambda row: row.run_id, default=None)


def header(snapshot: Snapshot, width: int, *, leaving: bool = False) -> tuple[Line, ...]:
    """Return the four lines of the header; a warning that needs two of them takes the place of the figures."""
    run = snapshot.run
    first, second = _invitation(snapshot, width) if run is None else (_state(run, width), _progress(run, width))
    text, tone = _warning(snapshot, leaving)
    if text:
        row, *more = wrap(text, width)
        third = _figures(run, width) if run else ()
        last = ((Cell(row, tone),), (sentence(" ".join(more), width, tone),)) if more else (third, (Cell(row, tone),))
        return first, second, *last
    return first, second, _figures(run, width) if run else (), _sentence(snapshot, width)


def _invitation(snapshot: Snapshot, width: int) -> tuple[Line, Line]:
    title: Line = (Cell("vconsole", "strong"), sentence("  turns folders of videos into features", width - 8, "quiet"))
    if snapshot.serial < 0:
        return title, (Cell("Opening the ledger …", "quiet"),)
    last = interrupted(snapshot) or max(snapshot.runs, key=lambda run: run.run_id, default=None)
    if last is None:
        return title, (Cell("No run yet.", "quiet"),)
    word = "was interrupted" if last.state is RunState.INTERRUPTED else f"was the last and is {last.state}"
    failed = f", {last.failed:,} failed" if last.failed else ""
    text = f"Run {last.run_id} {word}: {last.kind} · {last.preset}, {plural(last.total, 'video')}{failed} → {last.out}"
    return title, (sentence(text, width, "warn" if last.state is RunState.INTERRUPTED else "quiet"),)


def _state(run: RunView, width: int) -> Line:
    sign, tone = RUN_SIGNS[run.state]
    left: Line = (
        Cell(f"{sign} {run.state.value}", tone if tone != "quiet" else ""),
        Cell(f"  {run.kind} · {run.preset}", "strong"),
    )
    right: Line = (Cell("elapsed ", "quiet"), Cell(clock(run.elapsed_s)))
    used = line_width((*left, *right))
    more = f" and {len(run.inputs) - 1} more" if len(run.inputs) > 1 else ""
    room = width - used - len(more) - 4
    if run.inputs and room >= 8:
        name = cell(run.inputs[0], min(room, len(run.inputs[0])), "quiet")
        left = (*left, Cell("  "), name, Cell(more, "quiet"))
    return spread(left, right, width)


def _progress(run: RunView, width: int) -> Line:
    finished = run.count(*TERMINAL)
    share = finished / run.total if run.total else 0.0
    total = Cell(f" {percent(share):>4} of {run.total:,}", "strong")
    counts = _counts(run, _COUNTED)
    if line_width((total, *counts)) + _SHORTEST_BAR > width:
        counts = _counts(run, _SHORT)
    room = width - line_width((total, *counts))
    done, rest = bar(share, min(40, room)) if room >= _SHORTEST_BAR else (Cell(""), Cell(""))
    return done, rest, total, *counts


def _counts(run: RunView, shown: tuple[tuple[JobState, ...], ...]) -> Line:
    """Return sign, number and word for each group of states; the first of a group names it."""
    cells: list[Cell] = []
    for group in shown:
        amount = run.count(*group)
        if amount or group[0] in _ALWAYS:
            sign, tone = JOB_SIGNS[group[0]]
            cells.append(Cell(f"  {sign} {amount:,} {group[0]}", tone if amount else "quiet"))
    return tuple(cells)


def _figures(run: RunView, width: int) -> Line:
    parts = [_eta(run)]
    if run.video_s_per_s > 0 and is_live(run):
        parts.append(f"{number(run.video_s_per_s)}× real time")
    if run.bytes_read or is_live(run):
        parts.append(f"read {size(run.bytes_read)}, wrote {size(run.bytes_written)}")
    if run.reused:
        parts.append(f"{run.reused:,} were done before")
    return (Cell(joined(parts, width)),)


def _eta(run: RunView) -> str:
    if not is_live(run):
        return ""
    if run.discovering:
        return f"looking for videos: {run.total:,} so far"
    if run.eta_s is None:
        return "ETA not known yet"
    if run.eta_low_s is None or run.eta_high_s is None:
        return f"ETA {about(run.eta_s)}"
    low, high = about(run.eta_low_s), about(run.eta_high_s)
    if low.split()[1] == high.split()[1]:
        low = low.split()[0]
    return f"ETA {about(run.eta_s)} ({low} to {high})"


def _warning(snapshot: Snapshot, leaving: bool) -> tuple[str, Tone]:
    """Return what the operator has to know now, empty if nothing."""
    run = snapshot.run
    if snapshot.fatal:
        return f"✗ the engine can go no further: {snapshot.fatal}", "bad"
    if run is not None and run.paused_because:
        return f"‖ {run.paused_because}", "warn"
    if leaving and run is not None:
        running = plural(run.count(JobState.RUNNING), "video")
        return f"▽ leaving once what runs now is done ({running}); {key_of('app.quit')} to think again", "warn"
    notice = _fresh(snapshot)
    if notice is not None and notice.level != "info":
        return f"! {notice.text}", "bad" if notice.level == "error" else "warn"
    return "", ""


def _fresh(snapshot: Snapshot) -> Notice | None:
    newest = next(iter(snapshot.notices), None)
    return newest if newest and abs(snapshot.taken_s - newest.at_s) <= NOTICE_SHOWN_S else None


def _sentence(snapshot: Snapshot, width: int) -> Line:
    run, notice, classify = snapshot.run, _fresh(snapshot), snapshot.classify
    if classify is not None:
        told = f"run {classify.run_id} classifies stored videos: {classify.done:,} of {classify.of:,}"
        return (sentence(f"{told}; {key_of('runs.open')} shows it", width, "accent"),)
    if run is not None and not is_live(run):
        return _ending(run, width)
    if run is not None and run.bottleneck:
        return (sentence(run.bottleneck, width, "quiet"),)
    return (sentence(notice.text, width, "quiet"),) if notice else ()


def _ending(run: RunView, width: int) -> Line:
    if run.state is RunState.INTERRUPTED:
        return (
            Cell(key_of("run.resume"), "accent"),
            cell("  go on with this run; what is done is not done again", width - 1),
        )
    word = "finished" if run.state is RunState.DONE else run.state.value
    return (Cell(f"{word}; outputs in "), cell(run.out, max(1, width - len(word) - 13), "accent"))
