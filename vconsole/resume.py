"""`vconsole resume`: goes on with an interrupted run, with the settings it began with."""

import argparse
import sys
from pathlib import Path

from pipeline.commands import ResumeRun
from pipeline.engine.plan import check_again
from pipeline.engine.reader import LedgerReader
from pipeline.engine.records import RunRecord
from pipeline.engine.redo import as_command
from pipeline.engine.store import LEDGER_NAME
from pipeline.errors import SettingsError
from pipeline.model import STAGES, RunKind, RunState
from vconsole.config import load
from vconsole.exits import Exit
from vconsole.extract import carry_out
from vconsole.options import from_arguments
from vconsole.output import write_json
from vconsole.places import state_dir

_UNFINISHED = (
    RunState.INTERRUPTED, RunState.RUNNING, RunState.QUEUED, RunState.PAUSED, RunState.DRAINING,
)  # fmt: skip
"""States of a run that its engine left behind; one that was killed left the ledger saying that it runs."""

_RESUMED = {*STAGES, RunKind.BENCHMARK}
"""Kinds of runs that are gone on with where no number is given."""


def run(args: argparse.Namespace) -> int:
    """Go on with the run named, else with the newest interrupted one, and return the exit code.

    Raises SettingsError if there is no such run, MissingWeightsError if a model it needs is gone, LedgerError.
    """
    settings = load(from_arguments(args))
    folder = state_dir(settings)
    record = _find(folder, args.run)
    if record is None:
        return _nothing(as_json=args.json)
    if record.kind is RunKind.CLASSIFY:
        from vconsole.classify import go_on  # it needs numpy, which other runs do not before they begin

        return go_on(record, settings, as_json=args.json)
    if record.kind is RunKind.BENCHMARK:
        from vconsole.benchmark import go_on as measure_on  # as above

        return measure_on(record, settings, as_json=args.json)
    check_again(as_command(record))
    return carry_out(ResumeRun(record.run_id), settings, folder, as_json=args.json).exit_code


def _find(folder: Path, run_id: int) -> RunRecord | None:
    """Return the run to go on with, None if nothing was interrupted. Raises SettingsError for a wrong number."""
    if not run_id and not (folder / LEDGER_NAME).exists():
        return None
    with LedgerReader.read_only(folder) as ledger:
        if not run_id:
            return next((run for run in ledger.runs(*_UNFINISHED) if run.kind in _RESUMED), None)
        record = ledger.run(run_id)
    if record is None:
        raise SettingsError(f"there is no run {run_id}", remedy="`vconsole runs` lists them.")
    if record.state is RunState.DONE:
        raise SettingsError(
            f"run {run_id} is done",
            remedy="To try its failed videos again, give its command once more.",
        )
    return record


def _nothing(*, as_json: bool) -> int:
    if as_json:
        write_json({"event": "summary", "exit_code": int(Exit.OK), "run_id": None, "total": 0}, sys.stdout)
    else:
        sys.stdout.write("Nothing to resume: no run was interrupted.\n")
    return Exit.OK
