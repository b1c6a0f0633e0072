"""Holds the active run up while its surroundings are at fault, and lets it go on when they are not any more."""

import asyncio
from collections.abc import Callable

from pipeline.engine.active import ActiveRun
from pipeline.engine.core import Core
from pipeline.engine.faults import PASSED, SEEN, Fault, Trouble
from pipeline.engine.run_states import RunStates
from pipeline.engine.scheduler import retry_pause
from pipeline.engine.threads import in_thread
from pipeline.model import RunState

LOOK_MAX_S = 30.0
"""The longest pause between two looks whether a fault has passed: a look costs little."""
HOSTS = frozenset({Fault.HOST, Fault.GPU})


class Holds:
    """Why the active run is held up, if it is; `released` is called when it goes on."""

    def __init__(self, core: Core, states: RunStates, released: Callable[[], None]) -> None:
        self._core = core
        self._states = states
        self._released = released
        self._looking: asyncio.Task[None] | None = None

    def hold(self, run: ActiveRun, trouble: Trouble) -> None:
        """Hold a run up; one that the operator has paused, or that drains, is only told of the fault."""
        core = self._core
        if run.hold is not None and (run.hold.fault, run.hold.where) == (trouble.fault, trouble.where):
            return
        if trouble.fault not in HOSTS or core.hosts.failed:  # else the host's own end tells it
            core.note("error", str(trouble))
        if run.hold is None and run.state is not RunState.RUNNING:
            return
        run.hold = trouble
        self._look_later(run)
        self._states.set(run, RunState.PAUSED, str(trouble))

    def tick(self, run: ActiveRun) -> None:
        """Look whether the fault has passed, if it is time to."""
        due = run.hold is not None and self._core.clock() >= run.hold_due_s
        if due and run.hold and (self._looking is None or self._looking.done()):
            self._looking = self._core.spawn(self._look(run, run.hold))

    def host_back(self, run: ActiveRun) -> None:
        """End a hold because of the model host: it serves again."""
        if run.hold is not None and run.hold.fault in HOSTS:
            self._end(run, run.hold)

    def go_on(self, run: ActiveRun) -> None:
        """End a pause, a drain or a hold at the operator's word; what can be seen to have passed is looked at first."""
        if run.hold is not None and run.hold.fault in SEEN:
            run.hold_due_s = self._core.clock()
            run.asked = True
            self._core.hosts.try_now()
            return
        self._resume(run)

    def _resume(self, run: ActiveRun) -> None:
        run.hold, run.asked = None, False
        self._core.pool.start_anew()
        self._states.set(run, RunState.RUNNING)
        if run.needs_host and self._core.hosts.failed:
            self.hold(run, Trouble(self._core.hosts.fault, why=self._core.hosts.why))
        self._released()

    async def _look(self, run: ActiveRun, trouble: Trouble) -> None:
        if trouble.fault in HOSTS:
            passed = self._core.hosts.ready
        else:
            try:
                passed = await in_thread(lambda: run.surroundings.has_passed(trouble))
            except OSError:
                passed = False
        if run.hold is not trouble:
            return
        if passed:
            self._end(run, trouble)
            return
        self._look_later(run)
        if run.asked:
            run.asked = False
            self._core.note("warning", f"It is as before: {trouble}")

    def _end(self, run: ActiveRun, trouble: Trouble) -> None:
        self._core.note("info", f"{PASSED[trouble.fault]}; the run goes on.")
        self._resume(run)

    def _look_later(self, run: ActiveRun) -> None:
        run.holds += 1
        run.hold_due_s = self._core.clock() + min(LOOK_MAX_S, retry_pause(run.holds, run.settings.engine))
