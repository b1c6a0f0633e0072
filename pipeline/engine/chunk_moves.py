"""The moves of the chunks of long videos: a job with chunks runs while any of them does."""

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from pipeline.engine.reader import LedgerReader
from pipeline.engine.records import ChunkRecord, Ending, JobRecord
from pipeline.engine.stored import marks, storable
from pipeline.model import BAD, TERMINAL, JobState

OPEN = frozenset({JobState.QUEUED, JobState.WAITING})


class ChunkMoves(LedgerReader):
    """The chunks' part of the ledger; every method must be called inside a transaction."""

    def divide(self, job_id: int, division: Mapping[str, Any], now_s: float) -> None:
        """Let a job be done as `division` says (`pipeline.extract_job.Division`); chunks that it had are forgotten."""
        self._db.execute("DELETE FROM chunks WHERE job_id = ?", (job_id,))
        self._db.execute(
            "UPDATE attempts SET ended_s = max(?, started_s), outcome = 'given_back'"
            " WHERE job_id = ? AND outcome = '' AND chunk >= 0",
            (now_s, job_id),
        )
        self._db.execute(
            "UPDATE jobs SET division = ?, state = CASE WHEN state = ? THEN ? ELSE state END WHERE job_id = ?",
            (json.dumps(division) if division else "", JobState.RUNNING, JobState.QUEUED, job_id),
        )
        cuts = division.get("cuts", ())
        self._db.executemany(
            "INSERT INTO chunks (job_id, number, state) VALUES (?, ?, ?)",
            [(job_id, number, JobState.QUEUED) for number in range(len(cuts) + 1 if cuts else 0)],
        )

    def start_chunk(self, job: JobRecord, token: str, now_s: float, *, alone: bool) -> JobRecord | None:
        """Charge one attempt at the next chunk and return the job as it now runs; None if none is to be run.

        One that runs `alone` is the one with the most trouble so far, else it is one with the least.
        """
        waiting = [chunk for chunk in job.chunks if chunk.state in OPEN]
        if job.state not in {JobState.QUEUED, JobState.WAITING, JobState.RUNNING} or not waiting:
            return None

        def order(chunk: ChunkRecord) -> tuple[int, bool, int]:
            trouble = chunk.kills + chunk.engine_deaths
            return (-trouble if alone else trouble), chunk.state is JobState.WAITING, chunk.number

        chunk, attempt = min(waiting, key=order), job.attempt + 1
        self._db.execute(
            "UPDATE jobs SET state = ?, attempt = ? WHERE job_id = ?", (JobState.RUNNING, attempt, job.job_id)
        )
        self._db.execute(
            "UPDATE chunks SET state = ?, attempt = ?, attempts = attempts + 1, token = ?"
            " WHERE job_id = ? AND number = ?",
            (JobState.RUNNING, attempt, token, job.job_id, chunk.number),
        )
        self._db.execute(
            "INSERT INTO attempts (job_id, attempt, token, started_s, chunk) VALUES (?, ?, ?, ?, ?)",
            (job.job_id, attempt, token, now_s, chunk.number),
        )
        after = self.job(job.job_id)
        return replace(after, token=token, attempt=attempt, chunk=chunk.number) if after else None

    def finish_chunk(self, job_id: int, attempt: int, token: str, ending: Ending, now_s: float) -> bool:
        """Close one attempt at a chunk, once, and let its job follow; return False if no chunk has this attempt."""
        row = self._db.execute(
            "SELECT number FROM chunks WHERE job_id = ? AND attempt = ? AND token = ? AND state = ?",
            (job_id, attempt, token, JobState.RUNNING),
        ).fetchone()
        if row is None:
            return False
        state = JobState.FAILED if ending.state is JobState.SKIPPED else ending.state
        if state in {JobState.CANCELLED, JobState.SETTLING}:  # what happens to the job leaves the chunk to be done
            state = JobState.QUEUED
        self._db.execute(
            "UPDATE chunks SET state = ?, token = '', attempts = attempts - ?, crashes = crashes + ?,"
            " kills = kills + ?, failure = ?, message = ? WHERE job_id = ? AND number = ?",
            (
                JobState.DONE if state is JobState.PARTIAL else state,
                0 if ending.charged else 1,
                ending.crash,
                ending.kill,
                ending.failure,
                storable(ending.message),
                job_id,
                row["number"],
            ),
        )
        self._follow(job_id, ending, now_s)
        return True

    def forget_attempts(self, job_id: int, states: Collection[JobState]) -> None:
        """Let the chunks of a job in any of `states` be done again with a clean sheet."""
        self._db.execute(
            "UPDATE chunks SET state = ?, attempts = 0, crashes = 0, kills = 0, engine_deaths = 0, failure = NULL,"  # noqa: S608 - marks only
            f" message = '' WHERE job_id = ? AND state IN ({marks(tuple(states))})",
            (JobState.QUEUED, job_id, *states),
        )

    def _follow(self, job_id: int, ending: Ending, now_s: float) -> None:
        """Move a job that ran to where the end of one of its chunks brings it."""
        job = self.job(job_id)
        if job is None or job.state is not JobState.RUNNING:
            return
        states = {chunk.state for chunk in job.chunks}
        after, told = JobState.QUEUED, ending
        if ending.state in {JobState.CANCELLED, JobState.SETTLING}:
            after = ending.state
        elif JobState.RUNNING in states:
            return
        elif states <= BAD:
            after = ending.state
        elif not states & {JobState.QUEUED} and not states <= TERMINAL:
            after = JobState.WAITING
        else:
            told = Ending(after, ending.outcome)
        if ending.state is JobState.SETTLING:
            self.divide(job_id, {}, now_s)
        self._db.execute(
            "UPDATE jobs SET state = ?, failure = ?, stage = ?, message = ?, detail = ?, ended_s = ? WHERE job_id = ?",
            (after, told.failure, told.stage, storable(told.message), storable(told.detail), now_s, job_id),
        )
