"""Questions to the ledger that change nothing: for resume, verify, the run history and the reports."""

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from pipeline.engine.ledger_rows import chunk_of, count_of, job_of, output_of, run_of, stage_time_of
from pipeline.engine.records import JobRecord, OutputRecord, RunRecord
from pipeline.engine.store import LEDGER_NAME, ledger_error, open_read_only
from pipeline.engine.stored import marks, text_of
from pipeline.history import StageTime
from pipeline.model import BAD, STAGES, JobState, RunKind, RunState
from pipeline.snapshot import RunSummary

_WHOLE = (JobState.DONE, JobState.PARTIAL)
MOST_INTERRUPTED = 100
"""Interrupted runs among which one of videos is looked for."""


class LedgerReader:
    """Reads the ledger over one connection; used by one thread at a time.

    Any question may raise sqlite3.Error; a row that cannot be what we wrote does too. As a context manager it turns
    that into a LedgerError.
    """

    def __init__(self, connection: sqlite3.Connection, state_dir: Path) -> None:
        self._db = connection
        self._state_dir = state_dir
        self._db.row_factory = sqlite3.Row

    @staticmethod
    def read_only(state_dir: Path) -> "LedgerReader":
        """Open the ledger of `state_dir` for reading, beside an engine or without one. Raises LedgerError."""
        return LedgerReader(open_read_only(state_dir), state_dir)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close()
        if isinstance(error, sqlite3.Error):
            raise ledger_error(self._state_dir / LEDGER_NAME, error) from error

    def run(self, run_id: int) -> RunRecord | None:
        """Return one run, or None."""
        row = self._db.execute("SELECT * FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        return run_of(row) if row else None

    def runs(self, *states: RunState, limit: int = 100) -> list[RunRecord]:
        """Return the newest runs, newest first; in any of `states` if given."""
        where = f"WHERE state IN ({marks(states)})" if states else ""
        rows = self._db.execute(
            f"SELECT * FROM runs {where} ORDER BY run_id DESC LIMIT ?",  # noqa: S608 - marks only
            (*states, limit),
        )
        return [run_of(row) for row in rows]

    def interrupted_run(self) -> RunRecord | None:
        """Return the newest interrupted run through stages; another is gone on with only where it is named."""
        runs = self.runs(RunState.INTERRUPTED, limit=MOST_INTERRUPTED)
        return next((run for run in runs if run.kind in STAGES), None)

    def run_of_output(self, out: bytes) -> RunRecord | None:
        """Return the newest run that wrote to the folder `out`, or None."""
        row = self._db.execute("SELECT * FROM runs WHERE out = ? ORDER BY run_id DESC LIMIT 1", (out,)).fetchone()
        return run_of(row) if row else None

    def reporting_run(self, out: bytes) -> RunRecord | None:
        """Return the run whose reports lie in `out`: the one that ended last there, or is not over; None if none."""
        row = self._db.execute(
            "SELECT * FROM runs WHERE out = ? AND inputs != x'' AND started_s > 0"
            " ORDER BY state IN (?, ?, ?), ended_s DESC, run_id DESC LIMIT 1",
            (out, RunState.DONE, RunState.CANCELLED, RunState.INTERRUPTED),
        ).fetchone()
        return run_of(row) if row else None

    def maker(self, out: bytes, relative: bytes) -> JobRecord | None:
        """Return the newest job that made, or found whole, the output of a video in `out`; None if there is none."""
        row = self._db.execute(
            "SELECT jobs.* FROM jobs JOIN runs USING (run_id) WHERE out = ? AND relative = ? AND jobs.state IN (?, ?)"
            " ORDER BY run_id DESC LIMIT 1",
            (out, relative, *_WHOLE),
        ).fetchone()
        return self._job(row) if row else None

    def summaries(self, limit: int = 100) -> tuple[RunSummary, ...]:
        """Return the run history, newest first."""
        found = []
        for run in self.runs(limit=limit):
            counts = self.counts(run.run_id)
            failed = sum(counts.get(state, 0) for state in BAD)
            out = os.fsdecode(run.out)
            total = sum(counts.values())
            found.append(RunSummary(run.run_id, run.kind, run.state, run.preset, out, run.created_s, total, failed))
        return tuple(found)

    def counts(self, run_id: int) -> dict[JobState, int]:
        """Return the number of jobs by state."""
        rows = self._db.execute("SELECT state, count(*) FROM jobs WHERE run_id = ? GROUP BY state", (run_id,))
        return dict(map(count_of, rows))

    def run_count(self) -> int:
        """Return how many runs there are."""
        return int(self._db.execute("SELECT count(*) FROM runs").fetchone()[0])

    def counts_by_run(self, first: int) -> dict[int, dict[JobState, int]]:
        """Return the number of jobs by state of each run from number `first` on."""
        counts: dict[int, dict[JobState, int]] = {}
        query = "SELECT state, count(*), run_id FROM jobs WHERE run_id >= ? GROUP BY run_id, state"
        for row in self._db.execute(query, (first,)):
            state, number = count_of(row)
            counts.setdefault(row["run_id"], {})[state] = number
        return counts

    def made(self, run_id: int) -> tuple[int, float]:
        """Return how many videos of a run were whole before, and the seconds of video of those that it made itself."""
        row = self._db.execute(
            "SELECT total(reused), total(CASE WHEN reused THEN 0 ELSE json_extract(result, '$.duration_s') END)"
            " FROM jobs WHERE run_id = ? AND state IN (?, ?)",
            (run_id, *_WHOLE),
        ).fetchone()
        return int(row[0]), float(row[1])

    def stage_times(self, run_id: int) -> list[StageTime]:
        """Return what each stage took for the videos that a run made itself."""
        rows = self._db.execute(
            "SELECT key, count(*), total(value), total(json_extract(result, '$.duration_s'))"
            " FROM jobs, json_each(result, '$.seconds')"
            " WHERE run_id = ? AND jobs.state IN (?, ?) AND reused = 0 GROUP BY key",
            (run_id, *_WHOLE),
        )
        return list(map(stage_time_of, rows))

    def attempt_spans(self, run_id: int) -> Iterator[tuple[float, float]]:
        """Yield begin and end of each attempt of a run, the first begun first; one that its engine left has no end."""
        rows = self._db.execute(
            "SELECT started_s, attempts.ended_s FROM jobs JOIN attempts USING (job_id)"
            " WHERE run_id = ? AND attempts.ended_s > 0 AND outcome != 'engine_died' ORDER BY started_s",
            (run_id,),
        )
        yield from map(tuple, rows)

    def totals(self, run_id: int) -> dict[str, float]:
        """Return what the whole outputs of a run add up to: seconds of video, scenes, frames, bytes in and out."""
        row = self._db.execute(
            "SELECT total(json_extract(result, '$.duration_s')) AS video_s,"
            " total(json_extract(result, '$.scenes')) AS scenes, total(json_extract(result, '$.frames')) AS frames,"
            " total(size_bytes) AS source_bytes, total(json_extract(result, '$.output_bytes')) AS output_bytes"
            " FROM jobs WHERE run_id = ? AND state IN (?, ?)",
            (run_id, *_WHOLE),
        ).fetchone()
        return {"video_s": round(row["video_s"], 3), **{name: int(row[name]) for name in row.keys()[1:]}}

    def classes(self, run_id: int) -> tuple[tuple[str, int], ...]:
        """Return how many videos of a classification have each class, that of the most first."""
        rows = self._db.execute(
            "SELECT json_extract(result, '$.label') AS label, count(*) AS videos FROM jobs"
            " WHERE run_id = ? AND state = ? GROUP BY label ORDER BY videos DESC, label",
            (run_id, JobState.DONE),
        )
        return tuple((str(row["label"] or ""), int(row["videos"])) for row in rows)

    def why_left(self, run_id: int) -> str:
        """Return why videos of a classification are still to be done, empty where nobody said."""
        query = (
            "SELECT json_extract(result, '$.why') AS why FROM jobs WHERE run_id = ? AND state = ? AND why != '' LIMIT 1"
        )
        row = self._db.execute(query, (run_id, JobState.QUEUED)).fetchone()
        return str(row["why"]) if row else ""

    def job(self, job_id: int) -> JobRecord | None:
        """Return one job, or None."""
        row = self._db.execute("SELECT * FROM jobs WHERE job_id = ?", (job_id,)).fetchone()
        return self._job(row) if row else None

    def has_job(self, run_id: int, relative: bytes | None = None) -> bool:
        """Whether a run has a job, or the one with this relative path."""
        where, values = ("", ()) if relative is None else (" AND relative = ?", (relative,))
        query = f"SELECT 1 FROM jobs WHERE run_id = ?{where} LIMIT 1"  # noqa: S608 - marks only
        return self._db.execute(query, (run_id, *values)).fetchone() is not None

    def was_read(self, run_id: int, path: bytes) -> tuple[bool, bool]:
        """Return whether a run has a job whose source is `path`, and whether it has one below the folder `path`."""
        below = path.rstrip(b"/") + b"/"
        questions = (("source = ?", (path,)), ("source > ? AND source < ?", (below, below[:-1] + b"0")))
        query = "SELECT 1 FROM jobs WHERE run_id = ? AND {} LIMIT 1"
        is_job, holds = (
            self._db.execute(query.format(where), (run_id, *values)).fetchone() is not None
            for where, values in questions
        )
        return is_job, holds

    def jobs(self, run_id: int, states: Sequence[JobState] = ()) -> Iterator[JobRecord]:
        """Yield the jobs of a run in the order of discovery; those in `states` if given."""
        query = f"SELECT * FROM jobs WHERE run_id = ? AND state IN ({marks(states)}) ORDER BY job_id"  # noqa: S608
        if not states:  # + keeps SQLite from an index by which it would have to sort all rows
            query = "SELECT * FROM jobs WHERE +run_id = ? AND job_id BETWEEN ? AND ? ORDER BY job_id"
        for row in self._db.execute(query, (run_id, *(states or self.job_span(run_id)))):
            yield self._job(row)

    def job_span(self, run_id: int) -> tuple[int, int]:
        """Return the least and the greatest number of a run's jobs; (0, -1) if it has none."""
        row = self._db.execute("SELECT min(job_id), max(job_id) FROM jobs WHERE run_id = ?", (run_id,)).fetchone()
        return (0, -1) if row[0] is None else (row[0], row[1])

    def jobs_from(self, run_id: int, job_id: int, limit: int) -> list[JobRecord]:
        """Return up to `limit` jobs of a run from number `job_id` on, in the order of discovery."""
        query = "SELECT * FROM jobs WHERE +run_id = ? AND job_id >= ? ORDER BY job_id LIMIT ?"
        return [self._job(row) for row in self._db.execute(query, (run_id, job_id, limit))]

    def jobs_to_do(self, run_id: int, limit: int) -> list[JobRecord]:
        """Return the first `limit` jobs of a run that can start, in the order of discovery."""
        query = "SELECT job_id FROM jobs WHERE run_id = ? AND state IN (?, ?) ORDER BY job_id LIMIT ?"
        query = f"SELECT * FROM jobs WHERE job_id IN ({query}) ORDER BY job_id"  # noqa: S608 - no value in it
        return [self._job(row) for row in self._db.execute(query, (run_id, JobState.QUEUED, JobState.WAITING, limit))]

    def output(self, out: bytes, relative: bytes) -> OutputRecord | None:
        """Return what is known of one output file, or None."""
        row = self._db.execute("SELECT * FROM outputs WHERE out = ? AND relative = ?", (out, relative)).fetchone()
        return output_of(row) if row else None

    def names_of_outputs(self, run_id: int, out: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield each input with the name of its output: those that stand in `out`, then those that a run has chosen."""
        rows = self._db.execute("SELECT relative, output FROM outputs WHERE out = ?", (out,))
        yield from ((bytes(row[0]), bytes(row[1])) for row in rows)
        for row in self._db.execute("SELECT relative, result FROM jobs WHERE run_id = ?", (run_id,)):
            named = json.loads(row[1]).get("named")  # SQLite cannot give out a name that is not UTF-8
            if named:
                yield bytes(row[0]), os.fsencode(named)

    def kinds_in(self, out: bytes) -> set[RunKind]:
        """Return the kinds of the runs that have outputs in the folder `out`."""
        query = "SELECT DISTINCT kind FROM runs WHERE out = ? AND EXISTS (SELECT 1 FROM outputs WHERE out = ?)"
        return {RunKind(row[0]) for row in self._db.execute(query, (out, out))}

    def outputs(self, out: bytes) -> Iterator[OutputRecord]:
        """Yield what is known of every output file in the folder `out`, by relative path."""
        for row in self._db.execute("SELECT * FROM outputs WHERE out = ? ORDER BY relative", (out,)):
            yield output_of(row)

    def _job(self, row: sqlite3.Row) -> JobRecord:
        job = job_of(row)
        if not job.division:
            return job
        rows = self._db.execute("SELECT * FROM chunks WHERE job_id = ? ORDER BY number", (job.job_id,))
        return replace(job, chunks=tuple(map(chunk_of, rows)))

    def attempts(self, job_id: int) -> list[dict[str, Any]]:
        """Return every attempt at a job, oldest first, with outcome, failure and message."""
        rows = self._db.execute("SELECT * FROM attempts WHERE job_id = ? ORDER BY attempt", (job_id,))
        return [dict(row) | {"message": text_of(row["message"])} for row in rows]
