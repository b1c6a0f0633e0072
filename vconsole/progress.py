"""The three faces of a headless run: live on a terminal, plain lines elsewhere, JSON lines for programs."""

import json
import os
import time
from itertools import islice
from typing import IO, Any

from pipeline.model import BAD, TERMINAL, JobState
from pipeline.snapshot import JobRow, RunView, Snapshot
from pipeline.text import visible
from vconsole.events import ENDED, Event, JobChanged, RunChanged, Told
from vconsole.headless import Face
from vconsole.output import tolerate, write_json
from vconsole.summary import Summary, as_lines, as_object, lasted

STATUS_EVERY_S = 10.0
"""Time between two lines of a plain log that only say how far the run is."""

JSON_STATUS_EVERY_S = 1.0
SHOWN_CHUNKS = 4
"""Running videos of which a plain line tells the chunks at most."""


def choose(*, as_json: bool, stream: IO[str]) -> Face:
    """Return the face for `stream`: `--json` first, else live where someone watches, else plain lines."""
    if as_json:
        return JsonFace(stream)
    if stream.isatty() and os.environ.get("TERM", "dumb") not in {"", "dumb"}:
        from vconsole.live import LiveFace

        return LiveFace(stream)
    return PlainFace(stream)


def job_line(row: JobRow) -> str:
    """Return one line on a video that changed its state; nothing in it can move a cursor."""
    name = visible(row.name)
    if row.state is JobState.DONE and not row.attempts:
        return f"{'whole':<12} {name}  was done already"
    if row.reused and row.attempts:
        return f"{'adopted':<12} {name}  its output was there and is whole; nothing was decoded"
    told = f"{row.state:<12} {name}"
    if row.state in {JobState.DONE, JobState.PARTIAL}:
        told += f"  {row.made}"
    reason = visible(row.note) or visible(row.waiting_for)
    return told + (f"  {reason}" if reason else "")


def run_line(run: RunView) -> str:
    """Return one line on a run whose state changed."""
    because = f"; {visible(run.paused_because)}" if run.paused_because else ""
    return f"run {run.run_id} {run.state}: {run.kind}, preset {visible(run.preset)}{because}"


def status_line(run: RunView) -> str:
    """Return one line on how far the run is."""
    over = run.count(*TERMINAL)
    noun = "video" if run.total == 1 and not run.discovering else "videos"
    told = [f"{over} of {run.total}{'+' if run.discovering else ''} {noun}"]
    if run.video_s_per_s:
        told.append(f"{run.video_s_per_s:.1f} x real time")
    if run.eta_s is not None:
        told.append(f"{lasted(run.eta_s)} left")
    if failed := run.count(*BAD):
        told.append(f"{failed} failed")
    if run.paused_because:
        told.append(f"paused: {visible(run.paused_because)}")
    return ", ".join(told)


class PlainFace:
    """A line for each thing that happens, without control codes: for logs and pipes."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._status_due = time.monotonic() + STATUS_EVERY_S
        tolerate(stream)

    def tell(self, event: Event) -> None:
        """Write the line of an event."""
        match event:
            case RunChanged(run) if run.state not in ENDED:
                self._write(run_line(run))
            case JobChanged(row) if row.state is not JobState.RUNNING:
                self._write(job_line(row))
            case Told(notice):
                self._write(f"{notice.level}: {visible(notice.text)}")

    def tick(self, snapshot: Snapshot) -> None:
        """Write a line on how far the run is, now and then."""
        if snapshot.run is not None and time.monotonic() >= self._status_due:
            self._status_due = time.monotonic() + STATUS_EVERY_S
            under_way = islice((row for row in snapshot.jobs if row.state is JobState.RUNNING), SHOWN_CHUNKS)
            chunks = [f"{visible(row.name)} {row.parts_over}" for row in under_way if row.chunks]
            self._write(", ".join([status_line(snapshot.run), *chunks]))

    def end(self, summary: Summary) -> None:
        """Write the summary."""
        for line in as_lines(summary):
            self._write(line)

    def close(self) -> None:
        """Nothing to put back."""

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


class JsonFace:
    """One JSON object a line, the last one the summary."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._status_due = time.monotonic()

    def tell(self, event: Event) -> None:
        """Write an event."""
        match event:
            case RunChanged(run):
                write_json({"event": "run", **_run_object(run)}, self._stream)
            case JobChanged(row):
                write_json({"event": "job", **_job_object(row)}, self._stream)
            case Told(notice):
                write_json(
                    {"event": "notice", "level": notice.level, "text": notice.text, "at_s": notice.at_s}, self._stream
                )

    def tick(self, snapshot: Snapshot) -> None:
        """Write how far the run is, now and then."""
        if snapshot.run is not None and time.monotonic() >= self._status_due:
            self._status_due = time.monotonic() + JSON_STATUS_EVERY_S
            write_json({"event": "progress", **_progress_object(snapshot.run)}, self._stream)

    def end(self, summary: Summary) -> None:
        """Write the summary."""
        write_json(as_object(summary), self._stream)

    def close(self) -> None:
        """Nothing to put back."""


def _run_object(run: RunView) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "kind": str(run.kind),
        "state": str(run.state),
        "preset": run.preset,
        "inputs": list(run.inputs),
        "out": run.out,
        "paused_because": run.paused_because,
    }


def _job_object(row: JobRow) -> dict[str, Any]:
    return {
        "job_id": row.job_id,
        "name": row.name,
        "state": str(row.state),
        "stage": str(row.stage) if row.stage else None,
        "attempts": row.attempts,
        "duration_s": row.duration_s,
        "scenes": row.scenes,
        "frames": row.frames,
        "action": row.action,
        "size_ratio": row.size_ratio,
        "class": str(row.failure) if row.failure else None,
        "note": row.note,
        "reused": row.reused,
        "chunks": row.chunks,
        "chunks_over": row.chunks_over,
        "media": json.loads(row.media) if row.media else None,
        "waiting_for": row.waiting_for,
    }


def _progress_object(run: RunView) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "total": run.total,
        "discovering": run.discovering,
        "counts": {str(state): number for state, number in run.counts if number},
        "reused": run.reused,
        "elapsed_s": round(run.elapsed_s, 3),
        "eta_s": run.eta_s,
        "rate": round(run.video_s_per_s, 3),
        "paused_because": run.paused_because,
    }
