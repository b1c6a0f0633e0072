"""Puts a benchmark that is measured without an engine into the ledger: a run as any other."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.commands import StartRun
from pipeline.engine.lab import job_of
from pipeline.engine.ledger import Ledger
from pipeline.lab import LabResult
from pipeline.model import RunState

Ended = Callable[[RunState, Sequence[LabResult]], None]
"""Is told how the run ended, and what became of each subject."""


@contextmanager
def recorded(state_dir: Path, command: StartRun) -> Iterator[Ended]:
    """Hold the ledger while a benchmark is measured; one that does not tell its end is interrupted.

    Raises LedgerError, EngineRunningError.
    """
    ledger = Ledger(state_dir)
    state, results = RunState.INTERRUPTED, list[LabResult]()

    def ended(how: RunState, what: Sequence[LabResult]) -> None:
        nonlocal state
        state = how
        results.extend(what)

    try:
        with ledger.transaction():
            run_id = ledger.create_run(command, time.time()).run_id
            ledger.move_run(run_id, RunState.RUNNING, time.time())
        try:
            yield ended
        finally:
            with ledger.transaction():
                ledger.replace_jobs(run_id, [job_of(one) for one in results])
                ledger.move_run(run_id, state, time.time())
    finally:
        ledger.close()
