"""The rows of the queue pane."""

from pipeline.model import BAD, JobState
from pipeline.snapshot import JobRow, Snapshot
from pipeline.text import clock, plural
from screens.actions import key_of
from screens.presenters.header import interrupted
from screens.presenters.words import JOB_SIGNS, NONE, bar, number, percent
from screens.widgets.outside import Cell, Line, Tone, cell, sentence

_WIDE = 76
_WORD = 11
_SHARED = 58
"""Columns of a wide pane beyond which name and progress get an equal share."""
_WHAT_NARROW, _WHAT_WIDE = 10, 20
_WITH_REASON = BAD | {JobState.PARTIAL}


def queue_heading(width: int) -> Line | None:
    """Return the heading of a pane that is wide enough for columns, else None."""
    if width < _WIDE:
        return None
    name, what = _widths(width)
    titles = (
        ("", 2, False),
        ("state", _WORD + 1, False),
        ("video", name + 1, False),
        ("progress", what + 1, False),
        ("length", 8, True),
        ("rate", 7, True),
        ("tries", 6, True),
    )
    return tuple(cell(title, columns, "quiet", right=right) for title, columns, right in titles)


def queue_row(job: JobRow, width: int) -> Line:
    """Return one row: sign, state or stage, name, progress or result, and in a wide pane length, rate, tries."""
    sign, tone = JOB_SIGNS[job.state]
    name, what = _widths(width)
    running = job.state is JobState.RUNNING
    word = job.stage if running and job.stage else job.state
    left: Line = (
        cell(sign, 2, tone),
        cell(word, _WORD, tone),
        Cell(" "),
        cell(job.name, name, "strong" if running else ""),
        Cell(" "),
        *_what(job, what, wide=width >= _WIDE),
    )
    if width < _WIDE:
        return left
    return (
        *left,
        cell(clock(job.duration_s) if job.duration_s else NONE, 9, "quiet", right=True),
        cell(f"{number(job.rate)}×" if running and job.rate > 0 else "", 7, right=True),
        cell(str(job.attempts) if job.attempts else "", 6, "warn" if job.attempts > 1 else "quiet", right=True),
    )


def queue_empty(snapshot: Snapshot, needle: str) -> tuple[Line, ...]:
    """Return what the empty queue says."""
    if needle:
        return (
            (Cell("  No video contains "), Cell(f"“{needle}”", "strong")),
            (Cell("  "), Cell(key_of("screen.back"), "accent"), Cell(" shows all of them", "quiet")),
        )
    if snapshot.run is not None:
        waiting = "Looking for videos…" if snapshot.run.discovering else "This run has no videos."
        return ((Cell(f"  {waiting}", "quiet"),),)
    if snapshot.serial < 0:
        return ()
    run = interrupted(snapshot)
    said = {"run.new": "new run: folder, preset, output"}
    said |= {"run.resume": f"go on with run {run.run_id}"} if run is not None else {}
    said |= {"runs.open": "the runs there have been"} if snapshot.runs else {}
    said |= {"app.help": "all keys", "app.quit": "leave"}
    widest = max(len(key_of(action)) for action in said)
    keys: list[Line] = [
        (Cell("  "), cell(key_of(action), widest, "accent"), Cell(f"  {text}")) for action, text in said.items()
    ]
    return (Cell("  Nothing to do yet.", "strong"),), (), *keys


def queue_title(snapshot: Snapshot, shown: int, needle: str) -> str:
    """Return what stands in the border under the queue."""
    if needle:
        return f"/{needle}: {shown:,} of {len(snapshot.jobs):,}"
    if snapshot.run is None:
        return ""
    running = snapshot.run.count(JobState.RUNNING)
    waiting = snapshot.run.count(JobState.QUEUED, JobState.WAITING, JobState.SETTLING)
    return f"{running:,} running, {waiting:,} to do" if running or waiting else plural(snapshot.run.total, "video")


def queue_order_title(order: str) -> str:
    """Return the title of the queue, which names the order where it is not the usual one."""
    return "[1] queue" if order == "running first" else f"[1] queue by {order}"


def _widths(width: int) -> tuple[int, int]:
    wide = width >= _WIDE
    what = max(_WHAT_WIDE, (width - _SHARED) // 2) if wide else _WHAT_NARROW
    return max(4, width - 2 - _WORD - 1 - 1 - what - (22 if wide else 0)), what


def _what(job: JobRow, width: int, *, wide: bool) -> Line:
    if job.state is JobState.RUNNING:
        told = f"size {100 * job.size_ratio:.0f}%" if job.size_ratio else job.parts_over
        beside = job.waiting_for or told
        if beside and wide:
            done, rest = bar(job.progress, 4)
            tone: Tone = "warn" if job.waiting_for else ""
            return done, rest, Cell(f"{percent(job.progress):>5}"), sentence(f" {beside}", width - 9, tone)
        chunks = f"{job.chunks_over}/{job.chunks}" if job.chunks else ""
        if chunks and not job.waiting_for and len(chunks) <= width - 5:
            return cell(chunks, width - 5), Cell(f"{percent(job.progress):>5}")
        done, rest = bar(job.progress, width - 5)
        return done, rest, Cell(f"{percent(job.progress):>5}")
    if job.state is JobState.WAITING:
        return (sentence(job.waiting_for or f"try {job.attempts + 1} next", width, "warn"),)
    if job.state is JobState.DONE:
        return (sentence(_result(job, wide), width, "quiet"),)
    if job.state in _WITH_REASON and job.failure is not None:
        words = job.failure.replace("_", " ")
        return (sentence(f"{words}: {job.note}" if wide and job.note else words, width, "quiet"),)
    if job.state is JobState.QUEUED and not wide:
        return (cell(clock(job.duration_s) if job.duration_s else "", width, "quiet"),)
    return (sentence(job.note, width, "quiet"),)


def _result(job: JobRow, wide: bool) -> str:
    if wide:
        return job.made
    return f"size {100 * job.size_ratio:.0f}%" if job.action else job.label or plural(job.frames, "frame")
