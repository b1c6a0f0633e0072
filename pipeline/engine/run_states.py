"""Moves runs from state to state, in memory and in the ledger, which is told of each move in its turn."""

import asyncio

from pipeline.engine.active import ActiveRun
from pipeline.engine.core import Core
from pipeline.engine.records import RunRecord
from pipeline.model import RunState
from pipeline.snapshot import RunSummary


class RunStates:
    """The states of the runs of this engine."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._told = 0  # how often the ledger was told of a state

    def set(self, run: ActiveRun, state: RunState, because: str = "") -> None:
        """Move the active run to another state, in memory and in the ledger."""
        run.state, run.paused_because = state, because
        self.record(run.record.run_id, state)

    def record(self, run_id: int, state: RunState) -> None:
        """Move a run to another state in the ledger."""
        core, now_s = self._core, self._core.wall_clock()
        core.dirty = True
        self._told += 1
        core.ledger.submit(
            lambda ledger: (ledger.move_run(run_id, state, now_s), ledger.summaries())
        ).add_done_callback(self._recorded)

    async def end(self, run: ActiveRun, state: RunState) -> None:
        """Move a run that is over to the state in which it ends, unless some of it is to be done after all."""
        core, now_s, told = self._core, self._core.wall_clock(), self._told
        run.record, core.runs = await core.ledger.submit(
            lambda ledger: (ledger.move_run(run.record.run_id, state, now_s), ledger.summaries())
        )
        run.reported = True
        if run.is_over():
            run.state, run.paused_because, run.hold, core.dirty = state, "", None, True
            if self._told != told:  # it was paused, say, just now: the ledger has heard that after its end
                self.record(run.record.run_id, state)
        else:  # jobs were sent back to the queue meanwhile
            self.record(run.record.run_id, run.state)

    def _recorded(self, future: "asyncio.Future[tuple[RunRecord, tuple[RunSummary, ...]]]") -> None:
        core = self._core
        error = future.exception()
        if error is not None:
            core.give_up(error)
            return
        record, core.runs = future.result()
        if core.active and core.active.record.run_id == record.run_id:
            core.active.record = record
        core.dirty = True
