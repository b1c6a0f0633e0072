"""An engine that shows prepared snapshots, one a look, so that what drives it can be tested alone."""

from collections.abc import Sequence
from dataclasses import replace

from pipeline.commands import Command
from pipeline.model import BAD, FailureClass, JobState, RunKind, RunState, Stage
from pipeline.snapshot import FailureRow, JobRow, Notice, RunSummary, RunView, Snapshot

NOTHING = Snapshot()
REMEDY = "Copy it again."


class ScriptedEngine:
    """Shows `before` until a command comes, then each of `script` once and its last for ever."""

    def __init__(self, script: Sequence[Snapshot], before: Snapshot = NOTHING) -> None:
        self.script = list(script)
        self.before = before
        self.sent: list[Command] = []
        self.closed = 0

    def start(self) -> None:
        """Nothing to open."""

    def latest(self) -> Snapshot:
        if not self.sent:
            return self.before
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def send(self, command: Command) -> None:
        self.sent.append(command)

    def close(self, *, now: bool = False) -> None:
        self.closed += 1


def run_view(state: RunState = RunState.RUNNING, run_id: int = 1, jobs: Sequence[JobRow] = ()) -> RunView:
    counts: dict[JobState, int] = {}
    for row in jobs:
        counts[row.state] = counts.get(row.state, 0) + 1
    return RunView(
        run_id=run_id,
        kind=RunKind.EXTRACT,
        state=state,
        preset="standard",
        inputs=("/in",),
        out="/out",
        started_s=0.0,
        elapsed_s=1.0,
        total=len(jobs),
        counts=tuple(counts.items()),
    )


def snapshot(*jobs: JobRow, state: RunState = RunState.RUNNING, run_id: int = 1) -> Snapshot:
    failed = [row for row in jobs if row.state in BAD]
    rows = tuple(
        FailureRow(row.job_id, row.name, row.state, FailureClass.CORRUPT, Stage.PROBE, row.note, REMEDY, 1, 0.0)
        for row in failed
    )
    return Snapshot(run=run_view(state, run_id, jobs), jobs=jobs, failures=rows)


def job(job_id: int, state: JobState, name: str = "", *, attempts: int = 1, note: str = "") -> JobRow:
    failure = FailureClass.CORRUPT if state in BAD else None
    return JobRow(
        job_id,
        name or f"{job_id}.mp4",
        state,
        duration_s=10.0,
        attempts=attempts,
        note=note,
        failure=failure,
        reused=state is JobState.DONE and not attempts,
        scenes=2,
        frames=5,
    )


def noticed(base: Snapshot, text: str, level: str = "warning") -> Snapshot:
    return replace(base, notices=(Notice(1.0, level, text), *base.notices))


def with_history(base: Snapshot, run_id: int) -> Snapshot:
    past = RunSummary(run_id, RunKind.EXTRACT, RunState.INTERRUPTED, "standard", "/out", 0.0, 1, 0)
    return replace(base, runs=(past,))
