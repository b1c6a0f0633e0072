"""Puts a run that is carried out without an engine into the ledger: one as any other."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.commands import StartRun
from pipeline.engine.ledger import Ledger
from pipeline.engine.records import NewJob
from pipeline.model import RunState

Ended = Callable[[RunState, Sequence[NewJob]], None]
"""Is told how the run ended, and what became of each of its jobs."""


@contextmanager
def recorded(state_dir: Path, command: StartRun, run_id: int = 0) -> Iterator[Ended]:
    """Hold the ledger while a run is carried out; one that does not tell its end is interrupted.

    An interrupted run that asked for the same is gone on with, or the one that `run_id` names. Raises LedgerError,
    EngineRunningError.
    """
    ledger = Ledger(state_dir)
    state, jobs = RunState.INTERRUPTED, list[NewJob]()

    def ended(how: RunState, what: Sequence[NewJob]) -> None:
        nonlocal state
        state = how
        jobs.extend(what)

    try:
        with ledger.transaction():
            ledger.recover(time.time(), max_engine_deaths=command.settings.engine.max_engine_deaths)
            run = ledger.run(run_id) if run_id else ledger.equal_run(command)
            run = run or ledger.create_run(command, time.time())
            ledger.move_run(run.run_id, RunState.RUNNING, time.time())
        try:
            yield ended
        finally:
            with ledger.transaction():
                ledger.replace_jobs(run.run_id, jobs)
                ledger.move_run(run.run_id, state, time.time())
    finally:
        ledger.close()
