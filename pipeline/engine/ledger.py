"""The one writer of the ledger: its lock, its transactions, the moves of runs and what follows a crash."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pipeline.commands import StartRun
from pipeline.engine.folder import FolderLock, prepare_folder
from pipeline.engine.moves import JobMoves
from pipeline.engine.records import Ending, RunRecord
from pipeline.engine.store import abandon_ledger, close_ledger, open_ledger
from pipeline.engine.stored import storable
from pipeline.errors import LedgerError
from pipeline.model import FailureClass, JobState, RunState
from pipeline.settings import PipelineSettings, Settings

T = TypeVar("T")
OPEN_RUNS = (RunState.QUEUED, RunState.RUNNING, RunState.PAUSED, RunState.DRAINING)
"""States of a run that only a living engine may leave behind."""


class Ledger(JobMoves):
    """The record of runs, jobs and outputs; made, used and closed in one thread.

    Methods that change something must be called inside `transaction()`, so that one commit can carry many.
    """

    def __init__(self, state_dir: Path) -> None:
        """Take the folder's lock and open the ledger. Raises LedgerError, EngineRunningError."""
        prepare_folder(state_dir)
        self._lock = FolderLock(state_dir)
        try:
            super().__init__(open_ledger(state_dir), state_dir)
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        """Close the connection and let another engine have the folder."""
        close_ledger(self._db, self._state_dir)
        self._lock.release()

    def abandon(self) -> None:
        """Let go of a ledger that failed, and leave its files as they are."""
        abandon_ledger(self._db, self._state_dir)
        self._lock.release()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what happens inside, or nothing of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def apart(self, operation: Callable[[], T]) -> T:
        """Do `operation` so that its failure undoes only itself within the transaction."""
        self._db.execute("SAVEPOINT operation")
        try:
            result = operation()
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK TO operation")
                self._db.execute("RELEASE operation")
            raise
        self._db.execute("RELEASE operation")
        return result

    def create_run(self, command: StartRun, now_s: float) -> RunRecord:
        """Add a queued run and return it."""
        cursor = self._db.execute(
            "INSERT INTO runs (kind, state, preset, inputs, out, settings, force, created_s)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                command.kind,
                RunState.QUEUED,
                storable(command.preset),
                b"\0".join(command.inputs),
                command.out,
                json.dumps(recorded(command.settings)),
                command.force,
                now_s,
            ),
        )
        return self._need_run(int(cursor.lastrowid or 0))

    def equal_run(self, command: StartRun) -> RunRecord | None:
        """Return the newest interrupted run that asks for the same as `command`, or None."""
        wanted = recorded(command.settings)
        for run in self.runs(RunState.INTERRUPTED, limit=1000):
            same = (run.kind, run.inputs, run.out, run.force) == (
                command.kind,
                command.inputs,
                command.out,
                command.force,
            )
            if same and run.settings == wanted:
                return run
        return None

    def move_run(self, run_id: int, state: RunState, now_s: float) -> RunRecord:
        """Set the state of a run, and with it when it began or ended: never before it began, however clocks are set."""
        self._db.execute(
            "UPDATE runs SET state = ?, ended_s = CASE WHEN ? THEN max(?, started_s) ELSE 0 END,"
            " started_s = CASE WHEN started_s = 0 AND ? THEN ? ELSE started_s END WHERE run_id = ?",
            (state, state not in OPEN_RUNS, now_s, state is RunState.RUNNING, now_s, run_id),
        )
        return self._need_run(run_id)

    def set_discovered(self, run_id: int, discovered: bool) -> None:
        """Note whether discovery has walked all inputs of a run."""
        self._db.execute("UPDATE runs SET discovered = ? WHERE run_id = ?", (discovered, run_id))

    def recover(self, now_s: float, *, max_engine_deaths: int) -> int:
        """Close what a dead engine left open, and return how many attempts that were.

        An open attempt costs its video nothing. After `max_engine_deaths` the video runs alone, so that no other is
        hit beside it; only if as many engines again die while it is alone, it is held to be the cause and quarantined.
        What is left open of a run that was being cancelled is cancelled.
        """
        for run in self.runs(*OPEN_RUNS, limit=1_000_000):
            self.move_run(run.run_id, RunState.INTERRUPTED, now_s)
        rows = self._db.execute(
            "SELECT job_id, attempt, token, engine_deaths, -1 AS number FROM jobs WHERE state = ? AND token != ''"
            " UNION ALL SELECT job_id, attempt, token, engine_deaths, number FROM chunks WHERE state = ?",
            (JobState.RUNNING, JobState.RUNNING),
        ).fetchall()
        for row in rows:
            lost = row["engine_deaths"] + 1 >= 2 * max_engine_deaths
            ending = Ending(
                state=JobState.QUARANTINED if lost else JobState.QUEUED,
                outcome="engine_died",
                failure=FailureClass.WORKER_CRASHED if lost else None,
                message="The engine died each time this video ran, also alone." if lost else "",
                charged=lost,
            )
            table, which = ("jobs", "") if row["number"] < 0 else ("chunks", f" AND number = {row['number']:d}")
            self.finish(row["job_id"], row["attempt"], row["token"], ending, now_s)
            self.free_twins(row["job_id"])
            self._db.execute(
                f"UPDATE {table} SET engine_deaths = engine_deaths + 1 WHERE job_id = ?{which}",  # noqa: S608
                (row["job_id"],),
            )
        states = (JobState.SETTLING, JobState.QUEUED, JobState.WAITING)
        self._db.execute(
            "UPDATE jobs SET state = ? WHERE state IN (?, ?, ?)"
            " AND run_id IN (SELECT run_id FROM runs WHERE state = ?)",
            (JobState.CANCELLED, *states, RunState.CANCELLED),
        )
        return len(rows)

    def _need_run(self, run_id: int) -> RunRecord:
        run = self.run(run_id)
        if run is None:
            raise LedgerError(f"There is no run {run_id} in the ledger.")
        return run


def recorded(settings: PipelineSettings) -> dict[str, Any]:
    """Return what a run records of its settings: of all there are the pipeline's part."""
    kept = PipelineSettings if isinstance(settings, Settings) else type(settings)
    return settings.model_dump(mode="json", include=set(kept.model_fields))
