"""Says before any work whether a run can begin, and what it would do."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

from pipeline.commands import StartRun
from pipeline.engine.ledger import recorded
from pipeline.engine.planner import Planner
from pipeline.engine.preflight import check_models
from pipeline.engine.records import NewJob, RunRecord
from pipeline.errors import SettingsError
from pipeline.forecast import WORK, PlannedJob, Verdict
from pipeline.model import STAGES, JobState, RunState
from pipeline.models import registry
from pipeline.text import visible

_COMPARED = WORK | {Verdict.DONE}


def check(command: StartRun) -> None:
    """Raise SettingsError or MissingWeightsError if the run could not begin; changes nothing on the disk."""
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
    check_models(command.settings)


def plan(command: StartRun, state_dir: Path, stop: threading.Event | None = None) -> Iterator[PlannedJob]:
    """Yield what a run would do with each input, in the order of discovery, until `stop` is set.

    Changes nothing on the disk. Raises what `check` raises, and LedgerError.
    """
    check(command)
    settings = command.settings
    models = registry.catalogue(settings)
    fingerprints = (
        {key: registry.fingerprint(models[key]) for key in settings.embed.models} if settings.embed.enabled else {}
    )
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
    for new in Planner(record, settings, fingerprints, state_dir).jobs(stop or threading.Event()):
        yield _planned(new, seen)


def _planned(new: NewJob, seen: dict[object, bytes]) -> PlannedJob:
    """Return the verdict on one input; `seen` maps files and contents met before to their names."""
    verdict, reason = _verdict(new), new.reason
    if new.identity.inode and verdict in _COMPARED:
        file_key = (new.identity.device, new.identity.inode)
        for key, words in ((file_key, "the same file as"), (new.content_id, "duplicate of")):
            if key and key in seen:
                return PlannedJob(
                    new.relative, Verdict.DUPLICATE, f"{words} {os.fsdecode(seen[key])}", new.identity.size_bytes
                )
        seen[file_key] = new.relative
        if new.content_id:
            seen[new.content_id] = new.relative
    return PlannedJob(new.relative, verdict, reason, new.identity.size_bytes)


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
