"""Reads all that is known of one job from the ledger and its feature file, beside an engine; it may take a second."""

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.analysis.told import class_facts
from pipeline.engine.reader import LedgerReader
from pipeline.engine.records import JobRecord, RunRecord
from pipeline.errors import LedgerError, remedy_of
from pipeline.identity import sha256_of
from pipeline.job_facts import (
    AttemptFacts,
    ChunkFacts,
    FrameFact,
    JobFacts,
    LostFact,
    OutputFacts,
    SceneFact,
    SpeechFact,
    StreamFacts,
    TextFact,
    TimelineFacts,
)
from pipeline.model import BAD, STAGES, TERMINAL, FailureClass, JobState, RunKind
from pipeline.outputs.manifest import MEDIA_RESULTS
from pipeline.outputs.paths import features_path, frames_folder
from pipeline.transcode.told import transcode_facts

_OUTPUTS = {RunKind.EXTRACT: "features", RunKind.TRANSCODE: "video"}
"""What the output of a job of each kind is called."""
MOST_FRAMES = 10_000
"""Kept frames, scenes, lost parts, lines of text and spoken segments that are read of one video, each."""


def read_job(state_dir: Path, job_id: int) -> JobFacts:
    """Return all that is known of a job. Raises LedgerError where the ledger cannot be read or has no such job."""
    with LedgerReader.read_only(state_dir) as reader:
        job = reader.job(job_id)
        run = reader.run(job.run_id) if job else None
        attempts = tuple(map(_attempt, reader.attempts(job_id)))
    if job is None or run is None:
        raise LedgerError(f"the ledger has no video with number {job_id}")
    try:
        return _facts(run, job, attempts)
    except (LookupError, TypeError, ValueError) as error:
        raise LedgerError(f"what the ledger holds of this video is damaged: {error!r}") from error


def failed_jobs(reader: LedgerReader, run_id: int) -> Iterator[JobFacts]:
    """Yield all that is known of each failed or quarantined video of a run, in the order of discovery."""
    run = reader.run(run_id)
    if run is None:
        return
    for job in reader.jobs(run_id, tuple(BAD)):
        yield _facts(run, job, tuple(map(_attempt, reader.attempts(job.job_id))))


def _facts(run: RunRecord, job: JobRecord, attempts: tuple[AttemptFacts, ...]) -> JobFacts:
    timeline, note = _timeline(run, job)
    order = STAGES.get(run.kind, ())
    seconds = job.result.get("seconds", {})
    return JobFacts(
        job_id=job.job_id,
        run_id=run.run_id,
        kind=run.kind,
        preset=run.preset,
        state=job.state,
        source=os.fsdecode(job.source),
        name=os.fsdecode(job.relative),
        size_bytes=job.identity.size_bytes,
        attempts_charged=job.attempts,
        reused=job.reused,
        failure=job.failure,
        stage=job.stage,
        message=job.message,
        remedy=remedy_of(job.failure, run.kind) if job.failure else "",
        detail=job.detail,
        reason=job.reason or str(job.result.get("reason", "")),
        ended_s=job.ended_s,
        streams=_streams(job),
        seconds=tuple((stage, float(seconds[stage])) for stage in order if stage in seconds),
        attempts=attempts,
        outputs=tuple(_outputs(run, job)),
        timeline=timeline,
        timeline_note=note,
        saved_as=str(job.result.get("pictures", "")),
        pictures_folder=os.fsdecode(frames_folder(run.out, job.relative)),
        transcode=transcode_facts(job.result) if run.kind is RunKind.TRANSCODE else None,
        chunks=_chunks(job),
        classes=class_facts(run.out, job.relative) if timeline else None,
    )


def _attempt(row: dict[str, Any]) -> AttemptFacts:
    failure = FailureClass(row["failure"]) if row["failure"] else None
    return AttemptFacts(
        row["attempt"], row["outcome"], failure, row["message"], row["started_s"], row["ended_s"], row["chunk"]
    )


def _chunks(job: JobRecord) -> tuple[ChunkFacts, ...]:
    borders_s = job.division.get("borders_s", ())
    return tuple(
        ChunkFacts(chunk.number, start_s, end_s, chunk.state, chunk.attempts, chunk.message)
        for chunk, (start_s, end_s) in zip(job.chunks, pairwise(borders_s), strict=True)
    )


def _streams(job: JobRecord) -> StreamFacts | None:
    probe = job.result.get("probe")
    if not probe:
        return None
    told = {"size_bytes": job.identity.size_bytes, **probe}
    told |= {name: job.result[name] for name in MEDIA_RESULTS if name in job.result}
    names = StreamFacts.__dataclass_fields__.keys() & told.keys()
    return StreamFacts(**{name: told[name] for name in names}, only_header="pixel_format" not in told)


def _outputs(run: RunRecord, job: JobRecord) -> list[OutputFacts]:
    result, found = job.result, []
    if result.get("output"):
        path = os.path.join(run.out, os.fsencode(result["output"]))
        missing = not os.path.isfile(path)
        found.append(OutputFacts(_OUTPUTS[run.kind], os.fsdecode(path), result["output_bytes"], missing))
    if result.get("pictures"):
        folder = frames_folder(run.out, job.relative)
        missing = not os.path.isdir(folder)
        found.append(OutputFacts("pictures", os.fsdecode(folder), result["pictures_bytes"], missing))
    return found


def _timeline(run: RunRecord, job: JobRecord) -> tuple[TimelineFacts | None, str]:
    """Return the course of the video, or why there is none.

    The file is opened only if it is byte for byte what the ledger knows: HDF5 is not made for damaged files, and a
    crash in it would be one of the console.
    """
    if run.kind is not RunKind.EXTRACT:
        return None, ""
    if not job.result.get("output"):
        return None, _why_no_features(job.state)
    path = features_path(run.out, job.relative)
    try:
        whole = os.stat(path).st_size == job.result["output_bytes"] and sha256_of(path) == job.result["output_sha256"]
    except FileNotFoundError:
        return None, "The feature file is missing: it was moved or deleted. Run the same extraction again to make it."
    except OSError as error:
        return None, f"The feature file cannot be read: {error.strerror}."
    if not whole:
        return None, (
            "The feature file is not what was written: it was damaged or replaced. "
            "`vconsole verify --deep --redo` on the output folder makes it again."
        )
    return _read_timeline(path)


def _why_no_features(state: JobState) -> str:
    if state in TERMINAL:
        return f"There are no features: the video is {state}."
    return "There are no features yet: scenes and kept frames show here when the video is done."


def _read_timeline(path: bytes) -> tuple[TimelineFacts | None, str]:
    from pipeline.outputs.features import FeatureError, read_features

    try:
        features = read_features(path, vectors=False)
    except (FeatureError, OSError) as error:
        return None, f"The feature file cannot be read: {error}."
    scenes, frames = features.scenes, features.frames
    return (
        TimelineFacts(
            duration_s=features.info.duration_s,
            scenes=_rows(SceneFact, scenes),
            frames=_rows(FrameFact, frames),
            lost=tuple(sorted(row for table in features.losses for row in _rows(LostFact, table))),
            scenes_total=len(scenes["start_s"]),
            frames_total=len(frames["time_s"]),
            sampling=features.sampling,
            crop_xywh=features.info.crop_xywh,
            rotation_deg=features.info.rotation_deg,
            text=_rows(TextFact, features.text.lines) if features.text else None,
            speech=_rows(SpeechFact, features.speech.segments) if features.speech else None,
            language=features.speech.language if features.speech else "",
        ),
        "",
    )


def _rows(kind: Any, table: Any) -> Any:
    """Return the first rows of a table as values of a named tuple whose fields are columns."""
    columns = (table[name][:MOST_FRAMES].tolist() for name in kind._fields)
    return tuple(kind(*row) for row in zip(*columns, strict=True))
