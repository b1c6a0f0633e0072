"""From a row of the ledger to a plain frozen value; a row that cannot be what we wrote is an error of the database."""

import json
import os
import sqlite3
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from pipeline.engine.records import ChunkRecord, JobRecord, OutputRecord, RunRecord
from pipeline.engine.stored import text_of, unsigned
from pipeline.history import StageTime
from pipeline.identity import Identity
from pipeline.model import FailureClass, JobState, RunKind, RunState, Stage

T = TypeVar("T")


def _whole(make: Callable[[sqlite3.Row], T]) -> Callable[[sqlite3.Row], T]:
    """Let a row that cannot be what we wrote be an error of the database, as SQLite's own findings are."""

    @wraps(make)
    def record(row: sqlite3.Row) -> T:
        try:
            return make(row)
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise sqlite3.DatabaseError(f"a row is damaged: {error}") from error

    return record


@_whole
def count_of(row: sqlite3.Row) -> tuple[JobState, int]:
    """Return a state and how many jobs have it."""
    return JobState(row[0]), row[1]


@_whole
def stage_time_of(row: sqlite3.Row) -> StageTime:
    """Return what a stage took."""
    return StageTime(Stage(row[0]), row[1], row[2], row[3])


@_whole
def run_of(row: sqlite3.Row) -> RunRecord:
    """Return a run."""
    return RunRecord(
        run_id=row["run_id"],
        kind=RunKind(row["kind"]),
        state=RunState(row["state"]),
        preset=text_of(row["preset"]),
        inputs=tuple(path for path in bytes(row["inputs"]).split(b"\0") if path),
        out=bytes(row["out"]),
        settings=json.loads(row["settings"]),
        force=bool(row["force"]),
        created_s=row["created_s"],
        started_s=row["started_s"],
        ended_s=row["ended_s"],
        discovered=bool(row["discovered"]),
    )


def _tried(row: sqlite3.Row) -> dict[str, Any]:
    """Return the fields of `Tried`."""
    counters = {name: row[name] for name in ("attempt", "attempts", "crashes", "engine_deaths", "kills", "token")}
    failure = FailureClass(row["failure"]) if row["failure"] else None
    return counters | {"state": JobState(row["state"]), "failure": failure, "message": text_of(row["message"])}


@_whole
def job_of(row: sqlite3.Row) -> JobRecord:
    """Return a job, without its chunks."""
    return JobRecord(
        job_id=row["job_id"],
        run_id=row["run_id"],
        source=bytes(row["source"]),
        relative=bytes(row["relative"]),
        identity=Identity(unsigned(row["device"]), unsigned(row["inode"]), row["size_bytes"], row["mtime_ns"]),
        content_id=row["content_id"],
        stage=Stage(row["stage"]) if row["stage"] else None,
        detail=text_of(row["detail"]),
        reason=text_of(row["reason"]),
        duplicate_of=row["duplicate_of"],
        reused=bool(row["reused"]),
        ended_s=row["ended_s"],
        result=json.loads(row["result"]),
        division=json.loads(row["division"] or "{}"),
        **_tried(row),
    )


@_whole
def chunk_of(row: sqlite3.Row) -> ChunkRecord:
    """Return a chunk of a job."""
    return ChunkRecord(number=row["number"], **_tried(row))


@_whole
def output_of(row: sqlite3.Row) -> OutputRecord:
    """Return an output file."""
    return OutputRecord(
        out=bytes(row["out"]),
        relative=bytes(row["relative"]),
        output=os.fsdecode(bytes(row["output"])),
        output_bytes=row["output_bytes"],
        sha256=row["sha256"],
        mtime_ns=row["mtime_ns"],
        content_id=row["content_id"],
        stage_keys=json.loads(row["stage_keys"]),
        identity=Identity(unsigned(row["device"]), unsigned(row["inode"]), row["size_bytes"], row["source_mtime_ns"]),
        result=json.loads(row["result"]),
    )
