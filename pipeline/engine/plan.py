"""Says before any work whether a run can begin, and what it would do."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

from pipeline.analysis.folder import folder_of
from pipeline.commands import StartRun
from pipeline.engine.kinds import fingerprints
from pipeline.engine.ledger import recorded
from pipeline.engine.planner import Planner
from pipeline.engine.preflight import check_hwaccel, check_models
from pipeline.engine.reader import LedgerReader
from pipeline.engine.records import NewJob, RunRecord
from pipeline.engine.store import LEDGER_NAME
from pipeline.errors import SettingsError
from pipeline.forecast import WORK, PlannedJob, Verdict
from pipeline.model import STAGES, JobState, RunKind, RunState
from pipeline.outputs.naming import NAMED
from pipeline.outputs.paths import ORDER, features_name
from pipeline.reading.engines import choose
from pipeline.text import visible
from pipeline.transcode.settings import conflict

_COMPARED = WORK | {Verdict.DONE}


def check(command: StartRun) -> None:
    """Raise SettingsError or MissingWeightsError if the run could not begin; changes nothing on the disk."""
    if command.kind is RunKind.BENCHMARK:
        if not os.path.exists(os.path.join(command.out, ORDER)):
            raise SettingsError(f"There is no order of a benchmark in {visible(command.out)}.")
        return
    if command.kind is RunKind.CLASSIFY:
        folder_of(command.inputs[0])
        return
    if command.kind not in STAGES:
        raise SettingsError(f"A run of kind {command.kind} cannot be made by this version.")
    if not command.inputs:
        raise SettingsError("No input was given.", remedy="Name files or folders of videos.")
    for path in command.inputs:
        if not os.path.exists(path):
            raise SettingsError(f"The input {visible(path)} does not exist.", remedy="Check the path.")
    check_again(command)


def check_again(command: StartRun) -> None:
    """Raise SettingsError or MissingWeightsError if a recorded run could not go on; changes nothing on the disk.

    Inputs that are not there are no reason: their volume may be gone, and the run waits for it.
    """
    check_out(command.out)
    check_hwaccel(command.settings.decode.hwaccel)
    if command.kind is RunKind.TRANSCODE:
        check_transcode(command)
    else:
        check_models(command.settings)
        if command.settings.text.enabled:
            choose(command.settings.text)


def plan(command: StartRun, state_dir: Path, stop: threading.Event | None = None) -> Iterator[PlannedJob]:
    """Yield what a run would do with each input, in the order of discovery, until `stop` is set.

    Changes nothing on the disk. Raises what `check` raises, and LedgerError.
    """
    check(command)
    settings = command.settings
    if (state_dir / LEDGER_NAME).exists():
        with LedgerReader.read_only(state_dir) as ledger:
            check_folder(ledger, command)
    record = RunRecord(
        run_id=-1,
        kind=command.kind,
        state=RunState.QUEUED,
        preset=command.preset,
        inputs=command.inputs,
        out=command.out,
        settings=recorded(settings),
        force=command.force,
        created_s=0.0,
        started_s=0.0,
        ended_s=0.0,
        discovered=False,
    )
    seen: dict[object, bytes] = {}
    for new in Planner(record, settings, fingerprints(command.kind, settings), state_dir).jobs(
        stop or threading.Event()
    ):
        yield _planned(new, seen)


def _planned(new: NewJob, seen: dict[object, bytes]) -> PlannedJob:
    """Return the verdict on one input; `seen` maps files and contents met before to their names."""
    verdict, reason = _verdict(new), new.reason
    if new.identity.inode and verdict in _COMPARED:
        file_key = (new.identity.device, new.identity.inode)
        for key, words in ((file_key, "the same file as"), (new.content_id, "duplicate of")):
            if key and key in seen:
                reason = f"{words} {os.fsdecode(seen[key])}"
                return PlannedJob(new.relative, Verdict.DUPLICATE, reason, new.identity.size_bytes)
        seen[file_key] = new.relative
        if new.content_id:
            seen[new.content_id] = new.relative
    output = b""
    if verdict in WORK:
        output = os.fsencode(str(new.result.get(NAMED, ""))) or features_name(new.relative)
    return PlannedJob(new.relative, verdict, reason, new.identity.size_bytes, output)


def _verdict(new: NewJob) -> Verdict:
    if new.failure is not None:
        return Verdict.UNREADABLE
    if new.state is JobState.SKIPPED:
        return Verdict.SKIPPED
    if new.state is JobState.SETTLING:
        return Verdict.SETTLING
    if new.reused:
        return Verdict.DONE
    return Verdict.CHANGED if new.changed else Verdict.TO_DO


def check_transcode(command: StartRun) -> None:
    """Raise SettingsError if settings of a transcode contradict each other, or an output could lie among its inputs."""
    wrong = conflict(command.settings.transcode)
    if wrong:
        raise SettingsError(f"These settings cannot go together: {wrong}.", remedy="Change one of them.")
    out = os.path.realpath(command.out)
    for path in command.inputs:
        if os.path.commonpath([out, os.path.realpath(path)]) == out:
            raise SettingsError(
                f"The input {visible(path)} lies in the output folder {visible(command.out)}.",
                remedy="Choose an output folder that holds no input: nothing is ever transcoded in place.",
            )
    report = command.settings.transcode.report_file
    if report and not (report.endswith((".json", ".csv")) and os.path.isdir(os.path.dirname(os.path.abspath(report)))):
        raise SettingsError(
            f"The report {visible(report)} cannot be written: it must end in .json or .csv, in a folder that is there.",
            remedy="Name another with --report-file.",
        )


def check_folder(ledger: LedgerReader, command: StartRun) -> None:
    """Raise SettingsError if the output folder holds what runs of another kind made: their reports would be lost."""
    others = ledger.kinds_in(command.out) - {command.kind}
    if others:
        raise SettingsError(
            f"The output folder {visible(command.out)} holds the outputs of {', '.join(sorted(others))} runs.",
            remedy="Choose another folder with --out.",
        )


def check_out(out: bytes) -> None:
    """Raise SettingsError unless the folder `out` can be written to, or made."""
    path = os.path.abspath(out)
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    if not os.path.isdir(path):
        raise SettingsError(
            f"The output folder {visible(out)} cannot be made: {visible(path)} is not a folder.",
            remedy="Choose another with --out.",
        )
    if not os.access(path, os.W_OK | os.X_OK):
        raise SettingsError(
            f"The output folder {visible(out)} cannot be written to: no permission in {visible(path)}.",
            remedy="Choose another with --out, or change its permissions.",
        )
