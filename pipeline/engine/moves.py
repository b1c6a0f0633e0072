"""Every move of a job, as the one writer of the ledger makes it; an illegal move is refused."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from pipeline.engine.chunk_moves import ChunkMoves
from pipeline.engine.records import DISTRUSTED_NS, Ending, JobRecord, NewJob
from pipeline.engine.stored import marks, signed, storable
from pipeline.errors import RETRY, LedgerError
from pipeline.identity import Identity
from pipeline.model import BAD, JOB_TRANSITIONS, RETRYABLE, TERMINAL, FailureClass, JobState

NO_STAND_IN = (JobState.SKIPPED, JobState.FAILED, JobState.QUARANTINED, JobState.CANCELLED)
"""States of a job that gives, or gave, no output which would serve its duplicates too."""


class JobMoves(ChunkMoves):
    """The jobs' part of the ledger; every method must be called inside a transaction."""

    def add_jobs(self, run_id: int, batch: Sequence[NewJob]) -> list[JobRecord]:
        """Add what discovery found and return the rows that are new, in order.

        A path that the run knows already gives no row; a second name of the same file, and a second file
        with the same content, are added as skipped.
        """
        return [record for new in batch if (record := self._add_job(run_id, new)) is not None]

    def replace_jobs(self, run_id: int, batch: Sequence[NewJob]) -> None:
        """Have a run hold these jobs and no others."""
        self._db.execute("DELETE FROM jobs WHERE run_id = ?", (run_id,))
        self.add_jobs(run_id, batch)

    def _add_job(self, run_id: int, new: NewJob) -> JobRecord | None:
        reason, twin = new.reason, 0
        state = new.state
        if state in {JobState.QUEUED, JobState.DONE, JobState.SETTLING}:
            twin, reason = self._twin(run_id, new.relative, new.identity, new.content_id)
            state = JobState.SKIPPED if twin else state
        cursor = self._db.execute(
            "INSERT INTO jobs (run_id, source, relative, device, inode, size_bytes, mtime_ns, content_id, state,"
            " reason, failure, message, duplicate_of, reused, result)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, relative) DO NOTHING",
            (
                run_id,
                new.source,
                new.relative,
                signed(new.identity.device),
                signed(new.identity.inode),
                new.identity.size_bytes,
                new.identity.mtime_ns,
                new.content_id,
                state,
                storable(reason),
                new.failure,
                storable(new.reason) if new.failure else "",
                twin,
                new.reused and not twin,
                json.dumps(new.result),
            ),
        )
        return self.job(int(cursor.lastrowid or 0)) if cursor.rowcount == 1 else None

    def _twin(self, run_id: int, relative: bytes, identity: Identity, content: str) -> tuple[int, str]:
        """Return the job that already stands for the same file or content, and a reason that names it."""
        questions = (
            (
                "device = ? AND inode = ? AND inode != 0",
                (signed(identity.device), signed(identity.inode)),
                "the same file as",
            ),
            ("content_id = ? AND content_id != ''", (content,), "duplicate of"),
        )
        for where, values, words in questions:
            row = self._db.execute(
                f"SELECT job_id, relative FROM jobs WHERE run_id = ? AND {where} AND relative != ?"  # noqa: S608
                " AND state NOT IN (?, ?, ?, ?) ORDER BY job_id LIMIT 1",
                (run_id, *values, relative, *NO_STAND_IN),
            ).fetchone()
            if row:
                return int(row["job_id"]), f"{words} {os.fsdecode(bytes(row['relative']))}"
        return 0, ""

    def settle(self, job_id: int, identity: Identity, content: str) -> JobRecord:
        """Let a file that has stopped changing into the queue, or skip it as a duplicate."""
        job = self._need_job(job_id)
        twin, reason = self._twin(job.run_id, job.relative, identity, content)
        self._db.execute(
            "UPDATE jobs SET state = ?, device = ?, inode = ?, size_bytes = ?, mtime_ns = ?, content_id = ?,"
            " reason = ?, duplicate_of = ? WHERE job_id = ? AND state = ?",
            (
                JobState.SKIPPED if twin else JobState.QUEUED,
                signed(identity.device),
                signed(identity.inode),
                identity.size_bytes,
                identity.mtime_ns,
                content,
                storable(reason),
                twin,
                job_id,
                JobState.SETTLING,
            ),
        )
        return self._need_job(job_id)

    def lease(self, job_id: int, token: str) -> JobRecord | None:
        """Return a job as it will run once started with this token; None if it is not to be run. Changes nothing."""
        job = self.job(job_id)
        if job is None or job.state not in {JobState.QUEUED, JobState.WAITING} or job.open_chunks():
            return None
        attempt, attempts = job.attempt + 1, job.attempts + 1
        return replace(job, state=JobState.RUNNING, token=token, attempt=attempt, attempts=attempts)

    def start(
        self, job_id: int, token: str, now_s: float, *, attempt: int = 0, alone: bool = False
    ) -> JobRecord | None:
        """Charge one attempt, at a chunk where one is to be done, and return the job as it now runs.

        None if it is not to be run. With `attempt`, only if this attempt would have that number.
        """
        before = self.job(job_id)
        if before is not None and not {chunk.state for chunk in before.chunks} <= TERMINAL:
            return self.start_chunk(before, token, now_s, alone=alone)
        changed = self._db.execute(
            "UPDATE jobs SET state = ?, attempt = attempt + 1, attempts = attempts + 1, token = ?"
            " WHERE job_id = ? AND state IN (?, ?) AND ? IN (0, attempt + 1)",
            (JobState.RUNNING, token, job_id, JobState.QUEUED, JobState.WAITING, attempt),
        ).rowcount
        if changed != 1:
            return None
        job = self._need_job(job_id)
        self._db.execute(
            "INSERT INTO attempts (job_id, attempt, token, started_s) VALUES (?, ?, ?, ?)",
            (job_id, job.attempt, token, now_s),
        )
        return job

    def finish(self, job_id: int, attempt: int, token: str, ending: Ending, now_s: float) -> bool:
        """Close one attempt, once; return False for a result that comes too late: it changes nothing."""
        if ending.state not in JOB_TRANSITIONS[JobState.RUNNING]:
            raise LedgerError(f"A running job cannot become {ending.state}.")
        result = json.dumps({name: value for name, value in ending.result.items() if name != "division"})
        if not self._close(job_id, attempt, token, ending, result, now_s):
            return False
        self._db.execute(
            "UPDATE attempts SET ended_s = max(?, started_s), outcome = ?, failure = ?, message = ?"
            " WHERE job_id = ? AND attempt = ?",
            (now_s, ending.outcome, ending.failure, storable(ending.message), job_id, attempt),
        )
        if "division" in ending.result:
            self.divide(job_id, ending.result["division"], now_s)
        if ending.state in {JobState.DONE, JobState.PARTIAL} and ending.result.get("output"):
            self._keep_output(job_id, ending.state, ending.result)
        return True

    def _close(self, job_id: int, attempt: int, token: str, ending: Ending, result: str, now_s: float) -> bool:
        """Move what an attempt was made at, a chunk or the job; return False if it was over already."""
        if self.finish_chunk(job_id, attempt, token, ending, now_s):
            return True
        changed = self._db.execute(
            "UPDATE jobs SET state = ?, token = '', attempts = attempts - ?, crashes = crashes + ?,"
            " kills = kills + ?, failure = ?, stage = ?, message = ?, detail = ?, reason = ?, ended_s = ?,"
            " reused = ?, result = CASE WHEN ? = '{}' THEN result ELSE ? END"
            " WHERE job_id = ? AND attempt = ? AND token = ? AND state = ?",
            (
                ending.state,
                0 if ending.charged else 1,
                ending.crash,
                ending.kill,
                ending.failure,
                ending.stage,
                storable(ending.message),
                storable(ending.detail),
                storable(ending.reason),
                now_s,
                bool(ending.result.get("adopted")),
                result,
                result,
                job_id,
                attempt,
                token,
                JobState.RUNNING,
            ),
        ).rowcount
        return changed == 1

    def free_twins(self, job_id: int) -> list[JobRecord]:
        """Let the first duplicate of a failed job into the queue if another copy may fare better; return what changed.

        It may unless the content itself is bad. The other duplicates are from now on those of the one let in.
        """
        job = self._need_job(job_id)
        if job.state not in BAD or job.failure not in RETRY:
            return []
        rows = self._db.execute(
            "SELECT job_id, relative, content_id FROM jobs"
            " WHERE duplicate_of = ? AND duplicate_of != 0 AND state = ? ORDER BY job_id",
            (job_id, JobState.SKIPPED),
        ).fetchall()
        for row in rows[:1]:
            self._db.execute(
                "UPDATE jobs SET state = ?, reason = '', duplicate_of = 0, reused = 0 WHERE job_id = ?",
                (JobState.QUEUED if row["content_id"] else JobState.SETTLING, row["job_id"]),
            )
        for row in rows[1:]:
            reason = storable(f"duplicate of {os.fsdecode(bytes(rows[0]['relative']))}")
            self._db.execute(
                "UPDATE jobs SET duplicate_of = ?, reason = ? WHERE job_id = ?",
                (rows[0]["job_id"], reason, row["job_id"]),
            )
        return [self._need_job(row["job_id"]) for row in rows]

    def _keep_output(self, job_id: int, state: JobState, result: dict[str, Any]) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO outputs SELECT out, relative, ?, ?, ?, ?, ?, ?, device, inode, size_bytes,"
            " mtime_ns, ? FROM jobs JOIN runs USING (run_id) WHERE job_id = ?",
            (
                os.fsencode(result["output"]),
                int(result["output_bytes"]),
                str(result["output_sha256"]),
                int(result["output_mtime_ns"]),
                str(result["content_id"]),
                json.dumps(result["stage_keys"]),
                json.dumps(result | {"state": state}),
                job_id,
            ),
        )

    def distrust(self, out: bytes, relatives: Iterable[bytes]) -> None:
        """Mark outputs as not to be taken for whole by size and time; only their checksum can clear them."""
        self._db.executemany(
            "UPDATE outputs SET mtime_ns = ? WHERE out = ? AND relative = ?",
            [(DISTRUSTED_NS, out, relative) for relative in relatives],
        )

    def move(self, job_ids: Iterable[int], state: JobState, *, message: str = "") -> list[int]:
        """Move jobs that do not run, and return those that could make the move."""
        moved = []
        sources = [source for source, targets in JOB_TRANSITIONS.items() if state in targets]
        for job_id in job_ids:
            changed = self._db.execute(
                f"UPDATE jobs SET state = ?, message = ? WHERE job_id = ? AND state != ?"  # noqa: S608 - marks only
                f" AND state IN ({marks(sources)})",
                (state, storable(message), job_id, JobState.RUNNING, *sources),
            ).rowcount
            if changed:
                moved.append(job_id)
        return moved

    def fail(self, job_id: int, failure: FailureClass, message: str, now_s: float) -> None:
        """Close a settling job whose file cannot be read."""
        self._db.execute(
            "UPDATE jobs SET state = ?, failure = ?, message = ?, ended_s = ? WHERE job_id = ? AND state = ?",
            (JobState.FAILED, failure, storable(message), now_s, job_id, JobState.SETTLING),
        )

    def cancel_open(self, run_id: int) -> int:
        """Cancel every job of a run that is neither running nor over; return how many."""
        states = (JobState.SETTLING, JobState.QUEUED, JobState.WAITING)
        return self._db.execute(
            "UPDATE jobs SET state = ? WHERE run_id = ? AND state IN (?, ?, ?)",
            (JobState.CANCELLED, run_id, *states),
        ).rowcount

    def retry(
        self, run_id: int, states: Iterable[JobState], job_ids: Sequence[int] = (), failure: FailureClass | None = None
    ) -> list[int]:
        """Send jobs back to the queue with a clean sheet; return which. `job_ids` or `failure` narrow them."""
        wanted = [state for state in states if state in RETRYABLE]
        only = set(job_ids)
        rows = self._db.execute(
            "SELECT job_id, failure, division, state FROM jobs"  # noqa: S608 - marks only
            f" WHERE run_id = ? AND state IN ({marks(wanted)}) ORDER BY job_id",
            (run_id, *wanted),
        )
        chosen = [row for row in rows if (not only or row[0] in only) and failure in (None, row[1])]
        found = [int(row[0]) for row in chosen]
        for job_id, _, _, state in (row for row in chosen if row["division"]):
            # The good chunks of a partial video are kept on the disk; of others nothing may be left.
            self.forget_attempts(job_id, BAD if state == JobState.PARTIAL else TERMINAL)
        self._db.executemany(
            "UPDATE jobs SET state = ?, attempts = 0, crashes = 0, kills = 0, engine_deaths = 0, failure = NULL,"
            " stage = NULL, message = '', detail = '', reason = '', reused = 0 WHERE job_id = ?",
            [(JobState.QUEUED, job_id) for job_id in found],
        )
        return found

    def _need_job(self, job_id: int) -> JobRecord:
        job = self.job(job_id)
        if job is None:
            raise LedgerError(f"There is no job {job_id} in the ledger.")
        return job
