"""What a screen may know of a job: its row, and the row of its failure."""

import json
import os
import sys

from pipeline.engine.records import JobRecord
from pipeline.errors import remedy_of
from pipeline.model import TERMINAL, FailureClass, JobState, RunKind
from pipeline.outputs.manifest import media_of
from pipeline.snapshot import FailureRow, JobRow
from pipeline.text import plural

CHUNKS_SHARE = 0.95
"""The share of a job that is done when all its chunks are over."""
MADE = frozenset({JobState.DONE, JobState.PARTIAL})
"""States of a job that has an output."""


def row_of(job: JobRecord) -> JobRow:
    """Return what a screen may know of a job."""
    over = job.state in TERMINAL
    return JobRow(
        job_id=job.job_id,
        name=os.fsdecode(job.relative),
        state=job.state,
        stage=job.stage,
        progress=1.0 if job.state in MADE else share_of(len(job.chunks), job.chunks_over()),
        duration_s=float(job.result.get("duration_s", 0.0)),
        attempts=job.attempts,
        waiting_for=_waiting_for(job),
        scenes=int(job.result.get("scenes", 0)),
        frames=int(job.result.get("frames", 0)),
        action=str(job.result.get("action", "")) if job.state in MADE else "",
        size_ratio=float(job.result.get("ratio", 0.0)),
        note=_note(job) if over else "",
        failure=job.failure,
        reused=job.reused,
        media=_media(job) if over else "",
        chunks=len(job.chunks),
        chunks_over=job.chunks_over(),
    )


def failure_of(job: JobRecord, kind: RunKind) -> FailureRow:
    """Return what a screen may know of the failure of a job in a run of `kind`."""
    failure = job.failure or FailureClass.IO
    return FailureRow(
        job_id=job.job_id,
        name=os.fsdecode(job.relative),
        state=job.state,
        failure=failure,
        stage=job.stage,
        message=job.message,
        remedy=remedy_of(failure, kind),
        attempts=job.attempts,
        at_s=job.ended_s,
        detail=job.detail,
    )


def share_of(chunks: int, over: float) -> float:
    """Return the share of a job that is done when so many of its chunks are over: putting them together is the rest."""
    return CHUNKS_SHARE * over / chunks if chunks else 0.0


def _media(job: JobRecord) -> str:
    facts = media_of(job.result)
    facts.pop("duration_s", None)
    return sys.intern(json.dumps(facts)) if facts else ""


def _waiting_for(job: JobRecord) -> str:
    if job.state is JobState.WAITING:
        return f"another attempt: {job.message}"
    return "the file to stop changing" if job.state is JobState.SETTLING else ""


def _note(job: JobRecord) -> str:
    """Return the reason of a job that is over; one text serves all jobs of the same reason."""
    told = []
    if job.state is JobState.PARTIAL:
        frames = plural(int(job.result.get("lost_frames", 0)), "frame")
        told.append(f"lost {float(job.result.get('lost_s', 0.0)):.1f} s, {frames}")
    told += job.result.get("missing", ())
    if job.result.get("whole_because"):
        told.append(f"read in one piece: {job.result['whole_because']}")
    if job.result.get("decode_fallback"):
        told.append(job.result["decode_fallback"])
    if false_times := job.result.get("probe", {}).get("false_times"):
        told.append(f"the time of {plural(false_times, 'picture')} could not be and was replaced")
    if job.result.get("cut_off"):
        told.append("cut off where probe.max_frames says")
    if job.reused:
        told.append("done already")
    said = "; ".join(told) or job.reason or job.message
    return said if job.duplicate_of else sys.intern(said)
