"""How a run ended: its figures, its failures, where its outputs are and what to do next."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.model import BAD, RunKind, RunState
from pipeline.snapshot import FailureRow, RunView, Snapshot
from pipeline.text import clock, visible
from vconsole.exits import Exit

OUTPUTS: dict[RunKind, tuple[str, ...]] = {
    RunKind.EXTRACT: ("features/", "manifest.jsonl.gz", "failures.json", "run.json"),
    RunKind.TRANSCODE: ("transcode_report.json", "transcode_report.csv", "run.json"),
}
"""What a run of each kind leaves in its folder; one that was killed or stopped may lack some."""

_ALL_FAILURES = {RunKind.EXTRACT: "failures.json", RunKind.TRANSCODE: "transcode_report.json"}

SHOWN_FAILURES = 20
"""Failed videos that the summary lists; the reports have all of them."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of a run as this process saw it."""

    run: RunView
    failures: tuple[FailureRow, ...]
    """Newest first, as many as the last snapshot held."""
    interrupted: bool
    held_up: str
    """Why the engine could go no further, empty if it could."""
    seconds: float
    """Wall time of this process, from its start command to the end."""
    video_s: float
    """Seconds of video that this process extracted; what was whole already does not count."""

    @property
    def exit_code(self) -> Exit:
        """The exit code that tells it."""
        if self.interrupted:
            return Exit.INTERRUPTED
        if self.held_up or self.run.count(*BAD) or self.run.state is not RunState.DONE:
            return Exit.SOME_FAILED
        return Exit.OK

    @property
    def rate(self) -> float:
        """Seconds of video per second of wall time."""
        return self.video_s / self.seconds if self.seconds else 0.0


def summarise(snapshot: Snapshot, *, interrupted: bool, held_up: str, seconds: float, video_s: float) -> Summary | None:
    """Return the summary of the run in `snapshot`, or None if it has none."""
    if snapshot.run is None:
        return None
    return Summary(snapshot.run, snapshot.failures, interrupted, held_up, seconds, video_s)


def as_object(summary: Summary) -> dict[str, Any]:
    """Return the summary as the last line of `--json`."""
    run = summary.run
    return {
        "event": "summary",
        "exit_code": int(summary.exit_code),
        "run_id": run.run_id,
        "state": str(run.state),
        "interrupted": summary.interrupted,
        "held_up": summary.held_up,
        "total": run.total,
        "counts": {str(state): number for state, number in run.counts if number},
        "reused": run.reused,
        "seconds": round(summary.seconds, 3),
        "video_s": round(summary.video_s, 3),
        "rate": round(summary.rate, 3),
        "out": run.out,
        "failures": [failure_object(row) for row in summary.failures],
    }


def failure_object(row: FailureRow) -> dict[str, Any]:
    """Return a failed video as JSON tells it."""
    return {
        "name": row.name,
        "state": str(row.state),
        "class": str(row.failure),
        "stage": str(row.stage) if row.stage else None,
        "message": row.message,
        "remedy": row.remedy,
        "attempts": row.attempts,
    }


def as_lines(summary: Summary) -> Iterator[str]:
    """Yield the summary as lines for an operator; nothing in them can move a cursor."""
    run = summary.run
    yield f"run {run.run_id} {_ending(summary)}: {_counts(run)} in {lasted(summary.seconds)}"
    if summary.video_s:
        yield f"  {lasted(summary.video_s)} of video at {summary.rate:.1f} x real time"
    if run.reused:
        yield f"  {run.reused:,} {'was' if run.reused == 1 else 'were'} whole already and not done again"
    there = ", ".join(name for name in OUTPUTS[run.kind] if Path(run.out, name).exists())
    yield f"  outputs: {visible(run.out)}" + (f"  ({there})" if there else "  (nothing yet)")
    yield from _failure_lines(summary)
    if summary.held_up:
        yield f"  held up: {visible(summary.held_up)}"
    if summary.interrupted or summary.held_up:
        yield f"  to go on: vconsole resume {run.run_id}"
    elif run.count(*BAD):
        yield "  to try the failed ones again: give the same command again; what is whole is not done twice"


def _ending(summary: Summary) -> str:
    if summary.interrupted:
        return "stopped, all that is done is kept"
    return str(summary.run.state)


def _counts(run: RunView) -> str:
    told = [f"{number} {state}" for state, number in run.counts if number]
    return ", ".join(told) + f" of {run.total}" if told else "no videos"


def _failure_lines(summary: Summary) -> Iterator[str]:
    shown = summary.failures[:SHOWN_FAILURES]
    for row in reversed(shown):
        stage = f" in {row.stage}" if row.stage else ""
        yield f"  {row.state}: {visible(row.name)}"
        yield f"    {row.failure}{stage}: {visible(row.message)}"
        yield f"    {visible(row.remedy)}"
    more = summary.run.count(*BAD) - len(shown)
    if shown and more > 0:
        yield f"  and {more:,} more; {_ALL_FAILURES[summary.run.kind]} has all of them when the run ends"


def lasted(seconds: float) -> str:
    """Return how long something took: 4.2 s, 3:07 or 2:03:07."""
    return f"{seconds:.1f} s" if seconds < 59.95 else clock(seconds)
