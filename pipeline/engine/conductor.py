"""Carries runs from their start to their end: one is active, the others wait."""

import asyncio
from collections import deque
from collections.abc import Callable

from pipeline.engine.active import LIVE, ActiveRun
from pipeline.engine.classification import Classification
from pipeline.engine.core import Core
from pipeline.engine.dispatch import Dispatcher
from pipeline.engine.faults import Fault, Trouble
from pipeline.engine.holds import Holds
from pipeline.engine.lab import Lab
from pipeline.engine.ledger import Ledger
from pipeline.engine.limits import has_room
from pipeline.engine.load import load
from pipeline.engine.prepare import prepare
from pipeline.engine.records import JobRecord, RunRecord
from pipeline.engine.reporting import report, report_stopped
from pipeline.engine.run_states import RunStates
from pipeline.engine.scan import Scan
from pipeline.engine.session import Apart
from pipeline.engine.settling import Settling
from pipeline.engine.surroundings import trouble_of
from pipeline.engine.threads import in_thread
from pipeline.errors import LedgerError, VconsoleError
from pipeline.model import JobState, RunKind, RunState
from pipeline.settings import PipelineSettings


class Conductor:
    """The life of runs. Listens to the model host too."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.states = RunStates(core)
        self.holds = Holds(core, self.states, self._released)
        self.dispatcher = Dispatcher(core, settle=self._settle, held=self.holds.hold, idle=self.look_for_end)
        self._settling = Settling(core, self.dispatcher.enqueue, self.dispatcher.free, self.holds.hold, self._moved)
        self._pending: deque[int] = deque()
        self._reopened: set[int] = set()  # those of them whose cancelled jobs are wanted again
        self._scan: Scan | None = None
        self._task: asyncio.Task[None] | None = None
        self._ticked_s = core.clock()
        self.apart: dict[RunKind, Apart] = {RunKind.BENCHMARK: Lab(core), RunKind.CLASSIFY: Classification(core)}

    @property
    def waiting_runs(self) -> int:
        """How many runs wait for the active one."""
        return len(self._pending)

    def enqueue_run(self, run_id: int, *, reopened: bool = False) -> None:
        """Let a run begin as soon as no other is active; `reopened` sends its cancelled jobs back to the queue."""
        if reopened:
            self._reopened.add(run_id)
        self._pending.append(run_id)
        self._next()

    def show(self, run: ActiveRun) -> None:
        """Make a past run the one that is shown, while none is active."""
        self._core.active = run
        self._task = self._core.spawn(load(self._core, run, self.dispatcher))
        self._task.add_done_callback(lambda _: self._next_soon())

    def forget_pending(self, run_id: int) -> bool:
        """Take a run that waits out of the queue; return whether it was there."""
        if run_id not in self._pending:
            return False
        self._pending.remove(run_id)
        self._reopened.discard(run_id)
        return True

    def is_active(self) -> bool:
        """Whether a run is under way: being begun, live, or being ended."""
        return not self._idle_task() or self.live_run() is not None

    def live_run(self) -> ActiveRun | None:
        """Return the run that is running, paused or draining, if there is one."""
        run = self._core.active
        return run if run and run.state in LIVE else None

    def tick(self) -> None:
        """Do what time alone brings about."""
        core, run, now = self._core, self._core.active, self._core.clock()
        passed, self._ticked_s = now - self._ticked_s, now
        slept = passed > core.pool.limits.stall_s / 2
        core.pool.watch()
        if slept:
            core.hosts.woke()
        core.hosts.tick()
        self._settling.tick()
        if run is None or core.closing:
            return
        if core.pool.running():
            run.active_s += 0.0 if slept else passed
            core.dirty = True
        if run.queue.ripen(now):
            core.dirty = True
        self.dispatcher.hand_out()
        self.holds.tick(run)
        if run.state is RunState.DRAINING and not run.counts[JobState.RUNNING]:
            self.states.set(run, RunState.PAUSED, "Drained: what ran is finished, nothing more is started.")
        self.look_for_end()

    def interrupt(self, run: ActiveRun, why: str) -> None:
        """Stop a run that cannot go on until the operator has mended something; its jobs stay to be done."""
        core = self._core
        sentence = f"{why} Mend that, then go on with `vconsole resume {run.record.run_id}`."
        self.stop_scan()
        run.hold, run.discovering, run.reported = None, False, False
        core.note("error", sentence)
        self.states.set(run, RunState.INTERRUPTED, sentence)
        for worker in core.pool.running():
            self.dispatcher.stop_job(worker, "stopped")
        self.look_for_end()

    def stop_scan(self) -> None:
        """End discovery at the next file."""
        if self._scan:
            self._scan.stop()

    def look_for_end(self) -> None:
        """End the run if nothing of it is left to do, and begin the next."""
        core, run = self._core, self._core.active
        if run is None or core.closing or not self._idle_task() or core.pool.running():
            return
        if run.state in LIVE and run.is_over() and run.hold is None:
            self._task = core.spawn(self._end(run, RunState.DONE))
        elif run.state is RunState.CANCELLED and run.is_over() and not run.reported:
            self._task = core.spawn(self._end(run, RunState.CANCELLED))
        elif run.state is RunState.INTERRUPTED and not run.reported:
            self._task = core.spawn(report_stopped(core, run))
            self._task.add_done_callback(lambda _: self._next_soon())
        elif not self.is_active():
            self._next()

    def host_changed(self) -> None:
        """The view of a model host is another."""
        self._core.dirty = True

    def host_noted(self, level: str, text: str) -> None:
        """The model host has something to say."""
        self._core.note(level, text)

    def host_failed(self, why: str) -> None:
        """The model host cannot serve: hold the run up."""
        if self._core.active and self.is_active():
            self.holds.hold(self._core.active, Trouble(self._core.hosts.fault, why=why))

    def host_hopeless(self, why: str) -> None:
        """The model host can never serve this configuration: stop the run that asked for it."""
        run = self.live_run()
        if run:
            self.interrupt(run, why)
        else:
            self._core.note("error", why)

    def host_back(self) -> None:
        """The model host serves again."""
        if self._core.active:
            self.holds.host_back(self._core.active)

    def _settle(self, run: ActiveRun, job: JobRecord) -> None:
        self._settling.add(run, job)

    def _released(self) -> None:
        run = self._core.active
        if run is not None and not run.begun and self._idle_task():
            self._task = self._core.spawn(self._take_up(run))
        elif run is not None and run.begun and self._scan:
            self._scan.start()
        self.dispatcher.hand_out()

    def _moved(self) -> None:
        self.dispatcher.hand_out()
        self.look_for_end()

    def _idle_task(self) -> bool:
        return self._task is None or self._task.done()

    def _next(self) -> None:
        busy = self._core.pool.running() or self.dispatcher.inquiry.under_way
        if self._pending and not (self.is_active() or busy or self._core.closing):
            self._task = self._core.spawn(self._begin(self._pending.popleft()))

    async def _begin(self, run_id: int) -> None:
        """Make a run the active one and take it up."""
        core, now_s, reopened = self._core, self._core.wall_clock(), run_id in self._reopened
        self._reopened.discard(run_id)

        def begin(ledger: Ledger) -> RunRecord:
            if reopened:  # again, since now the last attempts that were cancelled are closed
                ledger.retry(run_id, (JobState.CANCELLED,))
            return ledger.move_run(run_id, RunState.RUNNING, now_s)

        record = await core.ledger.submit(begin)
        if record.kind in self.apart:
            await self.apart[record.kind].carry_out(record)
            asyncio.get_running_loop().call_soon(self._next)
            return
        try:
            settings = PipelineSettings.model_validate(record.settings)
        except ValueError as error:
            self._cannot_begin(run_id, error)
            return
        run = ActiveRun(record, settings, {}, now_s=core.clock(), wall_s=core.wall_clock())
        core.active = run
        core.pool.start_anew()
        self.states.set(run, RunState.RUNNING)
        if run.needs_host:
            await core.hosts.look()
        await self._take_up(run)

    async def _take_up(self, run: ActiveRun) -> None:
        """Look at the volumes of a run, clean its folder, take in its rows, start discovery; or hold it up."""
        try:
            trouble = await prepare(self._core, run)
        except (OSError, VconsoleError, ValueError) as error:
            run.state, run.discovering, run.reported = RunState.INTERRUPTED, False, True
            self._cannot_begin(run.record.run_id, error)
            return
        if trouble is not None:
            self.holds.hold(run, trouble)
            return
        await load(self._core, run, self.dispatcher)
        if run.state in LIVE:
            over, held, failed = self.look_for_end, self.holds.hold, self._scan_failed
            self._scan = Scan(self._core, run, self.dispatcher, over=over, held=held, failed=failed)
            self._scan.start()
        self.dispatcher.hand_out()

    def _scan_failed(self, run: ActiveRun, error: Exception) -> None:
        """End what cannot be whole: a run whose inputs are not all known is never done."""
        if isinstance(error, LedgerError):
            self._core.give_up(error)
        else:
            self.interrupt(run, f"Discovery ended early: {error!r}.")

    def _cannot_begin(self, run_id: int, error: Exception) -> None:
        self._core.note("error", f"Run {run_id} cannot begin: {error}")
        self.states.record(run_id, RunState.INTERRUPTED)
        self._next_soon()

    async def _end(self, run: ActiveRun, state: RunState) -> None:
        """Write the reports, then note the end: a crash in between writes them again."""
        core = self._core
        try:
            await report(core, run, state)
        except (OSError, VconsoleError) as error:
            if isinstance(error, LedgerError) and has_room():
                raise
            core.note("error", f"The reports of run {run.record.run_id} could not be written: {error}")
            if state is RunState.DONE:
                await self._hold_reports(run, error)
                return
        if run.is_over():
            await self.states.end(run, state)
        self._next_soon()

    async def _hold_reports(self, run: ActiveRun, error: Exception) -> None:
        """Hold a run up whose reports could not be written: they are tried again when its output folder takes files."""
        try:
            trouble = await in_thread(run.surroundings.out_trouble)
        except OSError as scarce:
            trouble = trouble_of(scarce, run.record.out)
        self.holds.hold(run, trouble or Trouble(Fault.OUT_REFUSES, run.record.out, str(error)))

    async def last_reports(self, left_s: Callable[[], float]) -> None:
        """Write what reports are still to be written when the engine ends, within `left_s()` seconds."""
        run = self._core.active
        if run is None or run.state is not RunState.INTERRUPTED:
            return
        if self._idle_task() and not run.reported and left_s() > 0:
            self._task = self._core.spawn(report_stopped(self._core, run, lambda: left_s() > 0))
        if self._task and left_s() > 0:
            await asyncio.wait({self._task}, timeout=left_s())

    def _next_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self.look_for_end)
