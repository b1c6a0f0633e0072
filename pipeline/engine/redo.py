"""Makes damaged outputs ready to be done again: their rows are marked, and their videos are the jobs of a new run.

That run has no inputs of its own (see `RunRecord.is_redo`); it is gone on with like one that was interrupted. The
damaged files stay until the new ones take their places.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.analysis.asked import ClassifyRun
from pipeline.commands import StartRun
from pipeline.engine.ledger import OPEN_RUNS, Ledger
from pipeline.engine.reader import LedgerReader
from pipeline.engine.records import JobRecord, NewJob, OutputRecord, RunRecord
from pipeline.engine.reports import run_info, write_list, write_reports
from pipeline.errors import LedgerError
from pipeline.identity import content_id, identity_of, open_regular
from pipeline.model import JobState, RunKind, RunState
from pipeline.outputs import paths
from pipeline.outputs.naming import NAMED
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


def as_command(run: RunRecord) -> StartRun:
    """Return the command that asks for what a recorded run did. Raises ValueError for settings of another version."""
    settings = settings_of(run.kind, run.settings)
    return StartRun(run.kind, run.inputs, run.out, run.preset, settings, run.force)


def settings_of(kind: RunKind, values: Mapping[str, Any]) -> PipelineSettings:
    """Return the settings that a run of a kind records. Raises ValueError for those of another version."""
    return (ClassifyRun if kind is RunKind.CLASSIFY else PipelineSettings).model_validate(values)


def prepare(
    ledger: Ledger, out: bytes, relatives: Sequence[bytes], now_s: float, check: Callable[[StartRun], None]
) -> Prepared:
    """Mark the rows of damaged outputs and make the runs that do them again, all in one transaction.

    Each is done with the settings of the run that made it; a video that is gone or another by now is hopeless.
    `check` is asked of each run before anything is changed. Raises what it raises, and LedgerError.
    """
    batches: list[_Batch] = []
    hopeless = []
    for relative in relatives:
        maker, output = ledger.maker(out, relative), ledger.output(out, relative)
        run = ledger.run(maker.run_id) if maker else None
        if maker is None or output is None or run is None:
            raise LedgerError(f"No job of the ledger made the output of {visible(relative)}.")
        new = _again(maker, output)
        if isinstance(new, str):
            hopeless.append((relative, new))
        elif not any(batch.take(run, new) for batch in batches):
            batches.append(_Batch(run, [new]))
    commands = [replace(as_command(batch.run), inputs=(), force=False) for batch in batches]
    for command in commands:
        check(command)
    run_ids = []
    with ledger.transaction():
        ledger.distrust(out, relatives)
        for command, batch in zip(commands, batches, strict=True):
            made = ledger.create_run(command, now_s)
            ledger.add_jobs(made.run_id, batch.jobs)
            ledger.move_run(made.run_id, RunState.INTERRUPTED, now_s)
            run_ids.append(made.run_id)
    return Prepared(tuple(run_ids), tuple(hopeless))


@dataclass(frozen=True, slots=True)
class _Batch:
    """Jobs that one run can do: of the same settings, and no two of the same content, which would be duplicates."""

    run: RunRecord
    jobs: list[NewJob]

    def take(self, run: RunRecord, new: NewJob) -> bool:
        """Take a job that `run` made if it fits in here; return whether it did."""
        fits = (run.kind, run.preset, run.settings) == (self.run.kind, self.run.preset, self.run.settings)
        fits = fits and all(job.content_id != new.content_id for job in self.jobs)
        if fits:
            self.jobs.append(new)
        return fits


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
        return f"Its video {visible(maker.source)} is another by now: the next run of its kind does that one."
    hint: dict[str, Any] = {
        key: output.result[key] for key in ("duration_s", "width", "height") if key in output.result
    }
    if NAMED in output.result:
        hint[NAMED] = output.output
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
            for name in damaged:
                write_list(ledger, run, name)
            told = reported_run(ledger, run.out)
            if told is not None and not any(check_reports(run.out, told[1])):
                return
    write_reports(state_dir, run)
