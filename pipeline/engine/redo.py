"""Makes damaged outputs ready to be done again: their rows are marked, and their videos are the jobs of a new run.

That run has no inputs of its own (see `RunRecord.is_redo`); it is gone on with like one that was interrupted. The
damaged files stay until the new ones take their places.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.commands import StartRun
from pipeline.engine.ledger import OPEN_RUNS, Ledger
from pipeline.engine.reader import LedgerReader
from pipeline.engine.records import JobRecord, NewJob, OutputRecord, RunRecord
from pipeline.engine.reports import manifest_rows, run_info, write_reports
from pipeline.errors import LedgerError
from pipeline.identity import content_id, identity_of, open_regular
from pipeline.model import BAD, JobState, RunState
from pipeline.outputs import paths
from pipeline.outputs.manifest import write_failures, write_manifest
from pipeline.outputs.verify_reports import ReportedRun, check_reports
from pipeline.settings import PipelineSettings
from pipeline.text import visible


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is to be done for damaged outputs."""

    run_ids: tuple[int, ...]
    """The runs that do them again, to be resumed one after another."""
    hopeless: tuple[tuple[bytes, str], ...]
    """Videos that cannot be done again, with the reason."""


def makers(ledger: LedgerReader, out: bytes, relatives: Iterable[bytes]) -> list[RunRecord]:
    """Return the runs that made the outputs of these videos, oldest first. Raises LedgerError for an unknown one."""
    numbers = sorted({_maker(ledger, out, relative).run_id for relative in relatives})
    return [run for number in numbers if (run := ledger.run(number)) is not None]


def as_command(run: RunRecord) -> StartRun:
    """Return the command that asks for what a recorded run did."""
    settings = PipelineSettings.model_validate(run.settings)
    return StartRun(run.kind, run.inputs, run.out, run.preset, settings, run.force)


def prepare(ledger: Ledger, out: bytes, relatives: Sequence[bytes], now_s: float) -> Prepared:
    """Mark the rows of damaged outputs and make the runs that do them again, all in one transaction.

    Each is done with the settings of the run that made it; a video that is gone or another by now is hopeless.
    """
    jobs: dict[int, list[NewJob]] = {}
    hopeless = []
    for relative in relatives:
        maker, output = _maker(ledger, out, relative), ledger.output(out, relative)
        new = _again(maker, output) if output else f"The ledger has no output of {visible(relative)}."
        if isinstance(new, str):
            hopeless.append((relative, new))
        else:
            jobs.setdefault(maker.run_id, []).append(new)
    run_ids = []
    with ledger.transaction():
        ledger.distrust(out, relatives)
        for run in makers(ledger, out, [new.relative for batch in jobs.values() for new in batch]):
            command = replace(as_command(run), inputs=(), force=False)
            made = ledger.create_run(command, now_s)
            ledger.add_jobs(made.run_id, jobs[run.run_id])
            ledger.move_run(made.run_id, RunState.INTERRUPTED, now_s)
            run_ids.append(made.run_id)
    return Prepared(tuple(run_ids), tuple(hopeless))


def _maker(ledger: LedgerReader, out: bytes, relative: bytes) -> JobRecord:
    job = ledger.maker(out, relative)
    if job is None:
        raise LedgerError(f"No job of the ledger made the output of {visible(relative)}.")
    return job


def _again(maker: JobRecord, output: OutputRecord) -> NewJob | str:
    """Return the job that makes an output again, or why it cannot be."""
    try:
        descriptor = open_regular(maker.source)
        try:
            identity, content = identity_of(os.fstat(descriptor)), content_id(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        return f"Its video {visible(maker.source)} cannot be read: {error.strerror}."
    if content != output.content_id:
        return f"Its video {visible(maker.source)} is another by now: `vconsole extract` does that one."
    hint: dict[str, Any] = {
        key: output.result[key] for key in ("duration_s", "width", "height") if key in output.result
    }
    return NewJob(maker.source, maker.relative, JobState.QUEUED, identity, content, changed=True, result=hint)


def reported_run(ledger: LedgerReader, out: bytes) -> tuple[RunRecord, ReportedRun] | None:
    """Return the run whose reports must lie in `out`, and what they must say; None if no run has written there."""
    run = ledger.reporting_run(out)
    if run is None:
        return None
    return run, ReportedRun(run_info(ledger, run), run.state in {RunState.DONE, RunState.CANCELLED})


def write_again(state_dir: Path, run: RunRecord, names: Iterable[bytes]) -> None:
    """Write damaged reports of `run` again, and no other that is still true. Raises OSError, LedgerError.

    If `run.json` is among them, all are written, since it alone says that the others are whole.
    """
    if run.state in OPEN_RUNS:  # its engine was killed: nobody works on it now
        run = replace(run, state=RunState.INTERRUPTED)
    damaged = set(names)
    if paths.RUN not in damaged:
        with LedgerReader.read_only(state_dir) as ledger:
            if paths.MANIFEST in damaged:
                write_manifest(run.out, manifest_rows(ledger, run.run_id))
            if paths.FAILURES in damaged:
                write_failures(run.out, manifest_rows(ledger, run.run_id, *BAD))
            told = reported_run(ledger, run.out)
            if told is not None and not any(check_reports(run.out, told[1])):
                return
    write_reports(state_dir, run)
