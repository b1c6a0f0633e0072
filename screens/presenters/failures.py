"""The rows of the failures pane, and what a failure or a job says in full."""

from datetime import UTC, datetime

from pipeline.model import BAD, JobState
from pipeline.snapshot import FailureRow, JobRow, Snapshot
from pipeline.text import clock, plural
from screens.presenters.words import JOB_SIGNS, percent
from screens.widgets.outside import Cell, Line, Tone, cell, sentence, wrap

_WIDE = 70
_CLASS = 15
_LABEL = 10


def failure_row(row: FailureRow, width: int) -> Line:
    """Return one failure: sign, class where there is room, name, sentence."""
    sign, tone = JOB_SIGNS[row.state]
    words = row.failure.replace("_", " ")
    if width < _WIDE:
        name = max(8, (width - 4) * 2 // 5)
        text = f"{words}: {row.message}"
        return cell(sign, 2, tone), cell(row.name, name), Cell("  "), sentence(text, max(4, width - 4 - name), "quiet")
    name = max(12, (width - _CLASS - 14) // 3)
    return (
        cell(sign, 2, tone),
        cell(words, _CLASS, tone),
        cell(row.stage or "", 8, "quiet"),
        cell(row.name, name),
        Cell("  "),
        sentence(row.message, max(4, width - 2 - _CLASS - 8 - name - 2), "quiet"),
    )


def failures_empty(snapshot: Snapshot) -> tuple[Line, ...]:
    """Return what the empty pane says: that nothing failed, where that is true."""
    if snapshot.run is None:
        return ((Cell("  Failed videos show here, with the reason.", "quiet"),),)
    return ((Cell("  ✓ ", "good"), Cell("Nothing has failed.", "quiet")),)


def failures_title(snapshot: Snapshot) -> str:
    """Return what stands in the border under the failures."""
    if snapshot.run is None:
        return ""
    failed = snapshot.run.count(*BAD)
    shown = len(snapshot.failures)
    return f"newest {shown:,} of {failed:,}" if failed > shown > 0 else f"{failed:,} failed" if failed else ""


def failure_details(row: FailureRow, width: int) -> tuple[Line, ...]:
    """Return a failure in full: sentence, remedy, technical detail."""
    when = datetime.fromtimestamp(row.at_s, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    sign, tone = JOB_SIGNS[row.state]
    return (
        *_field("video", row.name, width, "strong"),
        *_field("state", f"{sign} {row.state}", width, tone),
        *_field("class", row.failure.replace("_", " "), width),
        *_field("stage", row.stage or "before the first stage", width),
        *_field("attempts", str(row.attempts), width),
        *_field("when", when, width),
        (),
        *_field("what", row.message, width),
        *_field("remedy", row.remedy, width, "good"),
        *_field("detail", row.detail or "none was given", width, "quiet"),
    )


def job_details(job: JobRow, width: int) -> tuple[Line, ...]:
    """Return all that a snapshot knows of a job."""
    sign, tone = JOB_SIGNS[job.state]
    lines = [
        *_field("video", job.name, width, "strong"),
        *_field("state", f"{sign} {job.state}", width, tone),
    ]
    if job.state is JobState.RUNNING:
        place = f"{job.stage or 'starting'}, {percent(job.progress)}"
        lines += _field("stage", place if job.worker < 0 else f"{place}, worker {job.worker + 1}", width)
    if job.waiting_for:
        lines += _field("waits for", job.waiting_for, width, "warn")
    lines += _field("length", clock(job.duration_s) if job.duration_s else "not known yet", width)
    if job.scenes or job.frames:
        lines += _field("kept", f"{plural(job.scenes, 'scene')}, {plural(job.frames, 'frame')}", width)
    lines += _field("attempts", str(job.attempts), width)
    if job.failure is not None:
        lines += _field("class", job.failure.replace("_", " "), width)
    if job.note:
        lines += _field("note", job.note, width)
    return tuple(lines)


def _field(label: str, text: str, width: int, tone: Tone = "") -> list[Line]:
    rows = wrap(text, max(8, width - _LABEL))
    heads = [label] + [""] * (len(rows) - 1)
    return [(cell(head, _LABEL, "quiet"), Cell(row, tone)) for head, row in zip(heads, rows, strict=True)]
