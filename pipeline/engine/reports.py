"""Writes the manifest and the reports of a run from the rows of the ledger."""

import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import psutil

from pipeline.engine.reader import LedgerReader
from pipeline.engine.records import JobRecord, RunRecord
from pipeline.engine.tuning import cores
from pipeline.errors import remedy_of
from pipeline.model import BAD, JobState, RunKind
from pipeline.outputs import paths
from pipeline.outputs.atomic import make_folder
from pipeline.outputs.manifest import ManifestRow, media_of, write_failures, write_manifest, write_run
from pipeline.outputs.transcode_report import Entry, entry_of, write_report, write_table

T = TypeVar("T")
PACKAGES = (
    *("vconsole", "av", "h5py", "numpy", "opencv-python-headless", "open_clip_torch", "pillow", "safetensors"),
    *("scenedetect-headless", "textual", "timm", "torch", "torchvision"),
)


def write_reports(
    state_dir: Path,
    run: RunRecord,
    *,
    wall_s: float | None = None,
    gpus: Sequence[str] = (),
    device: str = "",
    in_time: Callable[[], bool] = lambda: True,
) -> None:
    """Write the reports of `run`, and run.json that vouches for them.

    `wall_s` is how long it took by a clock that nobody sets, where that is known; `gpus` are the names of this
    machine's, `device` is what the models ran on, empty if none did. Raises OSError, LedgerError, and TimeoutError as
    soon as `in_time` says no; a report is whole or as it was before.
    """
    make_folder(run.out)
    with LedgerReader.read_only(state_dir) as ledger:
        for name in paths.LISTS[run.kind]:
            write_list(ledger, run, name, in_time)
        write_run(run.out, run_info(ledger, run, wall_s=wall_s, gpus=gpus, device=device))


def write_list(
    ledger: LedgerReader, run: RunRecord, name: bytes, in_time: Callable[[], bool] = lambda: True, path: bytes = b""
) -> None:
    """Write one of `paths.LISTS`, at `path` if not in the output folder. Raises OSError, TimeoutError."""
    match name:
        case paths.MANIFEST:
            write_manifest(run.out, _while_in_time(manifest_rows(ledger, run.run_id), in_time))
        case paths.FAILURES:
            write_failures(run.out, _while_in_time(manifest_rows(ledger, run.run_id, *BAD), in_time))
        case paths.TRANSCODE_REPORT:
            entries = _while_in_time(transcode_entries(ledger, run.run_id), in_time)
            write_report(path or os.path.join(run.out, name), transcode_head(ledger, run), entries)
        case paths.TRANSCODE_TABLE:
            entries = _while_in_time(transcode_entries(ledger, run.run_id), in_time)
            write_table(path or os.path.join(run.out, name), entries)


def write_report_file(state_dir: Path, run: RunRecord, path: str) -> None:
    """Write the report of a transcode once more, where the operator wants it. Raises OSError, LedgerError."""
    name = paths.TRANSCODE_TABLE if path.endswith(".csv") else paths.TRANSCODE_REPORT
    with LedgerReader.read_only(state_dir) as ledger:
        write_list(ledger, run, name, path=os.fsencode(os.path.abspath(path)))


def transcode_head(ledger: LedgerReader, run: RunRecord) -> dict[str, Any]:
    """Return what the report of a transcode says of the run as a whole."""
    counts = ledger.counts(run.run_id)
    totals = ledger.totals(run.run_id)
    return {
        "run_id": run.run_id,
        "state": run.state,
        "preset": run.preset,
        "inputs": [os.fsdecode(path) for path in run.inputs],
        "out": os.fsdecode(run.out),
        "settings": run.settings.get("transcode", {}),
        "started_utc": utc(run.started_s),
        "ended_utc": utc(run.ended_s),
        "totals": {
            "files": sum(counts.values()),
            **{str(state): count for state, count in counts.items()},
            "video_s": totals["video_s"],
            "bytes_in": totals["source_bytes"],
            "bytes_out": totals["output_bytes"],
        },
    }


def transcode_entries(ledger: LedgerReader, run_id: int) -> Iterator[Entry]:
    """Yield the inputs of a transcode in the order of discovery, as its report tells them."""
    for job in ledger.jobs(run_id):
        failure = None
        if job.state in BAD:
            failure = {
                "class": str(job.failure or ""),
                "stage": str(job.stage or ""),
                "message": job.message,
                "remedy": remedy_of(job.failure, RunKind.TRANSCODE) if job.failure else "",
                "detail": job.detail,
                "attempts": job.attempts,
            }
        size = job.identity.size_bytes
        yield entry_of(job.relative, job.state, size, job.result, reused=job.reused, failure=failure, reason=job.reason)


def _while_in_time(rows: Iterator[T], in_time: Callable[[], bool]) -> Iterator[T]:
    for row in rows:
        if not in_time():
            raise TimeoutError("no time was left to write them")
        yield row


def manifest_rows(ledger: LedgerReader, run_id: int, *states: JobState) -> Iterator[ManifestRow]:
    """Yield the inputs of a run in the order of discovery, as the manifest wants them."""
    for job in ledger.jobs(run_id, states):
        original = ledger.job(job.duplicate_of) if job.duplicate_of else None
        yield manifest_row(job, original.relative if original else b"")


def manifest_row(job: JobRecord, duplicate_of: bytes = b"") -> ManifestRow:
    """Return one job as the manifest shows it."""
    result = job.result
    whole = job.state in {JobState.DONE, JobState.PARTIAL}
    return ManifestRow(
        source=job.relative,
        status=job.state,
        content_id=job.content_id,
        features=os.fsencode(result.get("output", "")) if whole else b"",
        scenes=int(result.get("scenes", 0)),
        frames=int(result.get("frames", 0)),
        text_lines=result.get("text_lines"),
        text_until_s=result.get("text_until_s"),
        speech_segments=result.get("speech_segments"),
        seconds=result.get("seconds", {}),
        failure=str(job.failure or ""),
        stage=str(job.stage or ""),
        message=job.message,
        remedy=remedy_of(job.failure, RunKind.EXTRACT) if job.failure else "",
        detail=job.detail,
        attempts=job.attempts,
        reason=job.reason or "; ".join(result.get("missing", ())),
        duplicate_of=duplicate_of,
        lost_s=float(result.get("lost_s", 0.0)),
        lost_frames=int(result.get("lost_frames", 0)),
        media=media_of(result) if whole else {},
        cut_off=whole and bool(result.get("cut_off")),
    )


def run_info(
    ledger: LedgerReader,
    run: RunRecord,
    *,
    wall_s: float | None = None,
    gpus: Sequence[str] = (),
    device: str = "",
) -> dict[str, Any]:
    """Return the run, its settings, versions, machine and totals."""
    counts = ledger.counts(run.run_id)
    return {
        "run_id": run.run_id,
        "kind": run.kind,
        "state": run.state,
        "preset": run.preset,
        "inputs": [os.fsdecode(path) for path in run.inputs],
        "out": os.fsdecode(run.out),
        "force": run.force,
        "created_utc": utc(run.created_s),
        "started_utc": utc(run.started_s),
        "ended_utc": utc(run.ended_s),
        "settings": run.settings,
        "versions": {"python": platform.python_version(), **_versions()},
        "machine": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "cores": cores(),
            "memory_bytes": int(psutil.virtual_memory().total),
            "gpus": list(gpus),
            "device": device,
        },
        "totals": {
            "jobs": sum(counts.values()),
            **{str(state): count for state, count in counts.items()},
            **ledger.totals(run.run_id),
            "wall_s": round(max(0.0, run.ended_s - run.started_s) if wall_s is None else wall_s, 3),
        },
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def utc(at_s: float) -> str:
    """Return a Unix time as the reports write it; empty for 0."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s)) if at_s else ""
