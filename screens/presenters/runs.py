"""The run history: its totals, a row a run, and what is remembered of one run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.history import PastRun, RunDetails
from pipeline.model import BAD, STAGES, TERMINAL, JobState, RunKind, RunState
from pipeline.snapshot import Snapshot
from pipeline.text import clock, plural
from screens.actions import key_of
from screens.ports import Refusal
from screens.presenters import run_table
from screens.presenters.run_table import local
from screens.presenters.words import JOB_SIGNS, NONE, RUN_SIGNS, bar, number, percent, seconds_short, size
from screens.widgets.outside import Cell, Line, Tone, cell, line_width, wrap

RESUMABLE = frozenset({RunState.INTERRUPTED, RunState.CANCELLED})
"""States of a run that can be gone on with."""

OVER = RESUMABLE | {RunState.DONE}
"""States of a run in which nothing more happens."""

_OF_A_RUN = tuple(
    f"runs.{what}"
    for what in ("details", "show", "resume", "cancel", "again", "mark", "compare", "analysis", "classify", "copy")
)
"""Actions on one run."""

_WIDE = 100
_LABEL = 10
_TOTALS = {
    "done": (JobState.DONE,),
    "partial": (JobState.PARTIAL,),
    "failed": (JobState.FAILED, JobState.QUARANTINED),
    "skipped": (JobState.SKIPPED, JobState.CANCELLED),
    "to do": (JobState.QUEUED, JobState.SETTLING, JobState.WAITING, JobState.RUNNING),
}
_TOTALS_NARROW = {word: states for word, states in _TOTALS.items() if word != "partial"} | {
    "done": (JobState.DONE, JobState.PARTIAL)
}
_BAR = 12


def as_it_is(run: PastRun, snapshot: Snapshot, now_s: float) -> PastRun:
    """Return a run with the state and the figures that the engine tells of it now, if it is one it tells of."""
    view, classify = snapshot.run, snapshot.classify
    if view is not None and view.run_id == run.run_id:
        return replace(run, state=view.state, counts=view.counts, elapsed_s=view.elapsed_s)
    if classify is not None and classify.run_id == run.run_id:
        counts = {JobState.QUEUED: classify.of - classify.done, JobState.DONE: classify.done}
        present = tuple((state, amount) for state, amount in counts.items() if amount)
        elapsed_s = max(0.0, now_s - run.started_s) if run.started_s else 0.0
        return replace(run, state=RunState.RUNNING, counts=present, elapsed_s=elapsed_s)
    return run


def totals(runs: Sequence[PastRun], total: int, width: int) -> tuple[Line, Line]:
    """Return two lines: how many runs and how many videos there have been, by state; `total` counts all runs.

    Where room is short, what came out in part counts as done.
    """
    shown = f" of {total:,}, the newest" if total > len(runs) else ""
    of_videos = [run for run in runs if run.kind in STAGES]
    videos = sum(run.total for run in of_videos)
    counts = _video_counts(of_videos, _TOTALS)
    if line_width((Cell(plural(videos, "video")), *counts)) > width:
        counts = _video_counts(of_videos, _TOTALS_NARROW)
    return (
        (Cell(f"{plural(len(runs), 'run')}{shown}", "strong"), *_run_counts(runs)),
        (Cell(plural(videos, "video"), "strong"), *counts),
    )


def _run_counts(runs: Sequence[PastRun]) -> Line:
    cells = []
    for state, (sign, tone) in RUN_SIGNS.items():
        amount = sum(run.state is state for run in runs)
        if amount:
            cells.append(Cell(f"  {sign} {amount:,} {state}", tone))
    return tuple(cells)


def _video_counts(runs: Sequence[PastRun], states_of: Mapping[str, Sequence[JobState]]) -> Line:
    cells = []
    for word, states in states_of.items():
        amount = sum(run.count(*states) for run in runs)
        if amount:
            sign, tone = JOB_SIGNS[states[0]]
            cells.append(Cell(f"  {sign} {amount:,} {word}", tone))
    return tuple(cells)


def job_counts(counts: Sequence[tuple[JobState, int]]) -> Line:
    """Return sign, number and word for each state that has jobs."""
    return tuple(
        Cell(f"  {JOB_SIGNS[state][0]} {amount:,} {state}", JOB_SIGNS[state][1]) for state, amount in counts if amount
    )


def vain(run: PastRun | None) -> list[str]:
    """Return the actions of the history that can do nothing with a run."""
    if run is None:
        return list(_OF_A_RUN)
    idle = {"runs.resume": run.state not in RESUMABLE, "runs.cancel": run.state in OVER}
    idle["runs.classify"] = idle["runs.analysis"] = not run.stored_in
    idle["runs.show"] = run.kind is RunKind.CLASSIFY
    return [action for action, is_idle in idle.items() if is_idle]


def runs_heading(width: int) -> Line:
    """Return the titles of the columns."""
    return run_table.heading(_columns(width))


def run_row(run: PastRun, mark: str, now_s: float, width: int) -> Line:
    """Return one run: mark, state, preset, videos, failures, when, how long, and where its videos are."""
    own: dict[str, tuple[str, Tone]] = {
        "kind": (run.kind, ""),
        "preset": (run.preset, ""),
        "videos": (NONE if run.kind is RunKind.BENCHMARK else f"{run.total:,}", ""),
        "failed": run_table.lacking(run.count(*BAD)),
        "  from": (f"  {_where(run)}", "quiet"),
    }
    return run_table.row(run, mark, now_s, _columns(width), own)


def _columns(width: int) -> run_table.Columns:
    wide = width >= _WIDE
    columns = [*run_table.FIRST]
    columns += [("kind", 10, False)] if wide else []
    columns += [("preset", 16 if wide else 9, False)] if width >= 64 else []
    columns += [("videos", 7, True), ("failed", 7, True), ("began", 13, True), ("took", 8, True)]
    return run_table.with_last(columns, "  from", width)


def _where(run: PastRun) -> str:
    if run.kind is RunKind.BENCHMARK:
        return "benchmark"
    if not run.inputs:
        return "damaged"
    more = f"+{len(run.inputs) - 1} " if len(run.inputs) > 1 else ""
    return more + (Path(run.inputs[0]).name or "/")


def runs_empty(needle: str) -> tuple[Line, ...]:
    """Return what an empty history says."""
    if needle:
        back = (Cell("  "), Cell(key_of("runs.back"), "accent"), Cell("  shows all of them", "quiet"))
        return (Cell("  No run contains "), Cell(f"“{needle}”", "strong")), back
    there = (Cell("  "), Cell(key_of("runs.back"), "accent"), Cell("  back to the monitor, where "))
    return (
        (Cell("  There has been no run yet.", "strong"),),
        (),
        (*there, Cell(key_of("run.new"), "accent"), Cell(" starts one")),
    )


def run_details(run: PastRun, facts: RunDetails | Refusal | None, width: int) -> tuple[Line, ...]:
    """Return what is remembered of a run; `facts` is None until it is read."""
    lines = [(*run_table.run_title(run), Cell(f"  {run.kind} · {run.preset}", "strong")), *_run_facts(run, width)]
    if run.kind is RunKind.BENCHMARK:
        there = (Cell(key_of("runs.show"), "accent"), Cell(" opens the benchmark lab, which has its report."))
        return *lines, (), there
    if facts is None:
        return *lines, (Cell("reading what else is known…", "quiet"),)
    if isinstance(facts, Refusal):
        return *lines, *((Cell(row, "bad"),) for row in wrap(f"✗ {facts.message} {facts.remedy}", width))
    if run.kind is RunKind.CLASSIFY:
        return *lines, *_classes(run, facts, width), (), *_settings(facts, width)
    return (
        *lines,
        *_work(run, facts, width),
        (),
        *_stages(facts, width),
        (),
        *_settings(facts, width),
        (),
        *_report(facts, width),
    )


def _run_facts(run: PastRun, width: int) -> list[Line]:
    measures = run.kind is RunKind.BENCHMARK
    where = [*run.inputs] or ["none of its own" + ("" if measures else ": it did again what was found damaged")]
    head = "inputs" if measures else "videos in"
    lines = [line for index, path in enumerate(where) for line in field("" if index else head, path, width)]
    lines += field("outputs in", run.out, width)
    began = local(run.started_s, "%Y-%m-%d %H:%M:%S") if run.started_s else "it never began"
    took = f", took {clock(run.elapsed_s)}" if run.elapsed_s else ""
    lines += field("began", began + took, width)
    counts = "".join(part.text for part in job_counts(run.counts)).strip()
    return [
        *lines,
        *field("measured" if measures else "videos", f"{run.total:,}:  {counts}" if run.total else "none", width),
    ]


def _classes(run: PastRun, facts: RunDetails, width: int) -> list[Line]:
    done = run.count(JobState.DONE)
    if run.state not in OVER:
        gauge = bar(done / run.total if run.total else 0.0, max(_BAR, min(40, width - 2 * _LABEL - 12)))
        amount = f" {done:,} of {run.total:,}" if run.total else " beginning…"
        return [(cell("classified", _LABEL + 1, "quiet"), *gauge, Cell(amount))]
    told = "  ".join(f"{label or '(no class)'} {videos:,}" for label, videos in facts.classes)
    lines = field("classes", told or "none yet", width)
    if run.count(*BAD):
        lines += field("failed", "The last column of the table says why; the next classification tries them.", width)
    if run.state in RESUMABLE:
        left = plural(run.count(JobState.QUEUED), "video")
        lines += field("left", f"{left} to do; {key_of('runs.resume')} goes on", width)
    if facts.why:
        lines += field("because", facts.why, width, "bad")
    return lines


def _work(run: PastRun, facts: RunDetails, width: int) -> list[Line]:
    lines: list[Line] = []
    if facts.made_video_s:
        made = f"{clock(facts.made_video_s)} of video in {clock(facts.at_work_s)} at work"
        lines += field("made", made + (f": {number(facts.rate)}× real time" if facts.rate else ""), width)
    if facts.reused:
        lines += field("reused", f"{plural(facts.reused, 'video')} whole before, not done again", width)
    if facts.frames:
        held = plural(facts.frames, "frame")
        held = held if run.kind is RunKind.TRANSCODE else f"{plural(facts.scenes, 'scene')}, {held}"
        lines += field("outputs", f"{held}; {size(facts.source_bytes)} → {size(facts.output_bytes)}", width)
    if run.force:
        lines += field("force", "everything was done again", width)
    if run.state not in OVER:
        lines += field("read at", f"{local(facts.read_s, '%H:%M:%S')}; the monitor shows it live", width)
    elif run.count(*JobState) > run.count(*TERMINAL):
        left = run.count(*JobState) - run.count(*TERMINAL)
        lines += field("left", f"{plural(left, 'video')} to do; {key_of('runs.resume')} goes on", width)
    return lines


def _stages(facts: RunDetails, width: int) -> list[Line]:
    if not facts.stages:
        return [(Cell("no stage has made anything in this run", "quiet"),)]
    whole = sum(one.seconds for one in facts.stages)
    widths = (_LABEL, 8, 9, 10, 8)
    titles = ("stage", "videos", "time", "× real", "share")
    rows = [
        tuple(
            cell(title, columns, "quiet", right=index > 0)
            for index, (title, columns) in enumerate(zip(titles, widths, strict=True))
        )
    ]
    for one in facts.stages:
        share = one.seconds / whole if whole else 0.0
        texts = (one.stage, f"{one.videos:,}", seconds_short(one.seconds), f"{number(one.rate)}×", percent(share))
        line = tuple(
            cell(text, columns, right=index > 0)
            for index, (text, columns) in enumerate(zip(texts, widths, strict=True))
        )
        gauge = (Cell("  "), *bar(share, _BAR)) if width >= sum(widths) + 2 + _BAR else ()
        rows.append((*line, *gauge))
    return rows


def _settings(facts: RunDetails, width: int) -> list[Line]:
    other = [one for one in facts.settings if one.value != one.default]
    if not other:
        return [(Cell("all settings are the defaults", "quiet"),)]
    lines: list[Line] = [(Cell("settings other than the defaults", "quiet"),)]
    name_width = min(max(len(one.name) for one in other) + 2, width // 2)
    for one in other:
        told = f"{one.value}  (default {one.default})" if one.default else one.value
        lines += _pair(one.name, told, name_width, width)
    return lines


def _pair(name: str, value: str, name_width: int, width: int) -> list[Line]:
    rows = wrap(value, max(8, width - name_width))
    names = [name] + [""] * (len(rows) - 1)
    return [(cell(head, name_width - 1, "accent"), Cell(f" {row}")) for head, row in zip(names, rows, strict=True)]


def _report(facts: RunDetails, width: int) -> list[Line]:
    if facts.untold:
        return field("versions", f"not known. {facts.untold}", width, "quiet")
    versions = ", ".join(f"{name} {value}" for name, value in facts.versions)
    machine = ", ".join(f"{name} {value}" for name, value in machine_facts(facts).items())
    return [*field("versions", versions, width, "quiet"), *field("machine", machine, width, "quiet")]


def machine_facts(facts: RunDetails) -> dict[str, str]:
    """Return what is known of the machine of a run, as a person reads it."""
    known = dict(facts.machine)
    memory = known.pop("memory_bytes", "")
    return known | ({"memory": size(int(memory))} if memory.isdigit() else {})


def field(label: str, text: str, width: int, tone: Tone = "") -> list[Line]:
    """Return a labelled text over as many lines as it needs."""
    rows = wrap(text, max(8, width - _LABEL - 1))
    heads = [label] + [""] * (len(rows) - 1)
    return [(cell(head, _LABEL + 1, "quiet"), Cell(row, tone)) for head, row in zip(heads, rows, strict=True)]
