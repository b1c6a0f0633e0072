"""Does what the operator asks; what cannot be done becomes a notice."""

import asyncio

from pipeline.commands import (
    MOST_WORKERS,
    CancelJob,
    CancelRun,
    Command,
    Drain,
    OpenRun,
    Pause,
    ResumeRun,
    Retry,
    SetWorkers,
    StartRun,
    Unpause,
)
from pipeline.engine.active import ActiveRun
from pipeline.engine.conductor import Conductor
from pipeline.engine.core import Core
from pipeline.engine.ledger import Ledger
from pipeline.engine.load import past_run
from pipeline.engine.plan import check, check_folder
from pipeline.engine.records import JobRecord, RunRecord
from pipeline.engine.threads import in_thread
from pipeline.errors import VconsoleError
from pipeline.model import BAD, RETRYABLE, STAGES, JobState, RunKind, RunState


class Orders:
    """Takes commands one after another, in the order they were sent."""

    def __init__(self, core: Core, conductor: Conductor) -> None:
        self._core = core
        self._conductor = conductor
        self._queue: asyncio.Queue[Command] = asyncio.Queue()

    def put(self, command: Command) -> None:
        """Take a command; call it on the loop."""
        self._queue.put_nowait(command)

    async def serve(self) -> None:
        """Do commands until cancelled."""
        while True:
            command = await self._queue.get()
            try:
                await self._do(command)
            except VconsoleError as error:
                self._core.note("error", f"{error} {error.remedy}".strip())
            except OSError as error:
                self._core.note("error", f"It could not be done: {error.strerror}. Try again.")
            self._core.dirty = True

    async def _do(self, command: Command) -> None:
        match command:
            case StartRun():
                await self._start(command)
            case ResumeRun():
                await self._resume(command)
            case OpenRun():
                await self._open(command.run_id)
            case Pause():
                self._pause(self._live_run())
            case Unpause():
                self._conductor.holds.go_on(self._live_run())
            case Drain():
                self._drain(self._live_run())
            case CancelRun():
                await self._cancel_run(command.run_id)
            case CancelJob():
                await self._cancel_job(command.job_id)
            case Retry():
                await self._retry(command)
            case SetWorkers():
                self._set_workers(command.count)

    def _live_run(self) -> ActiveRun:
        run = self._conductor.live_run()
        if run is None:
            raise VconsoleError("No run is under way.", remedy="Start one, or resume one.")
        return run

    async def _start(self, command: StartRun) -> None:
        core = self._core
        if self._conductor.waiting_runs >= core.settings.engine.runs_queued:
            raise VconsoleError(
                f"{self._conductor.waiting_runs} runs wait already; this one was not taken.",
                remedy="Wait for one to end, or raise engine.runs_queued.",
            )
        await in_thread(lambda: check(command))
        now_s = core.wall_clock()

        def find_or_create(ledger: Ledger) -> tuple[RunRecord, bool]:
            check_folder(ledger, command)
            same = ledger.equal_run(command)
            if same is not None:
                return ledger.move_run(same.run_id, RunState.QUEUED, now_s), True
            return ledger.create_run(command, now_s), False

        record, resumed = await core.ledger.submit(find_or_create)
        if resumed:
            core.note("info", f"Run {record.run_id} was interrupted and goes on.")
        await self._enqueue(record.run_id)

    async def _enqueue(self, run_id: int, *, reopened: bool = False) -> None:
        """Let a run wait for its turn, and tell of it."""
        self._conductor.enqueue_run(run_id, reopened=reopened)
        self._core.runs = await self._core.ledger.submit(lambda ledger: ledger.summaries())

    async def _resume(self, command: ResumeRun) -> None:
        core, now_s = self._core, self._core.wall_clock()
        live = self._conductor.live_run()
        if live and live.record.run_id == command.run_id:
            self._conductor.holds.go_on(live)
            return

        def reopen(ledger: Ledger) -> RunRecord:
            run = ledger.run(command.run_id) if command.run_id else ledger.interrupted_run()
            if run is None or run.state not in {RunState.INTERRUPTED, RunState.CANCELLED}:
                which = f"Run {command.run_id}" if command.run_id else "No run"
                raise VconsoleError(
                    f"{which} {'is not' if command.run_id else 'is'} interrupted or cancelled: nothing to resume.",
                    remedy="See the run history for what can be resumed.",
                )
            ledger.retry(run.run_id, (JobState.CANCELLED,))
            return ledger.move_run(run.run_id, RunState.QUEUED, now_s)

        record = await core.ledger.submit(reopen)
        await self._enqueue(record.run_id, reopened=True)

    async def _open(self, run_id: int) -> None:
        record = await self._core.ledger.submit(lambda ledger: ledger.run(run_id))
        if record is None or record.state not in {RunState.DONE, RunState.CANCELLED}:
            raise VconsoleError(f"Run {run_id} is not over, so it cannot be opened.", remedy="Resume it instead.")
        if record.kind is RunKind.BENCHMARK:
            raise VconsoleError(f"Run {run_id} is a benchmark and has no videos.", remedy="The benchmark lab shows it.")
        if record.kind not in STAGES:
            raise VconsoleError(f"Run {run_id} took no video through stages.", remedy="The run history tells of it.")
        if self._conductor.is_active():
            raise VconsoleError(
                f"Run {run_id} cannot be opened while another is under way.", remedy="Wait for its end."
            )
        self._conductor.show(past_run(self._core, record))

    def _pause(self, run: ActiveRun) -> None:
        run.hold = None
        self._conductor.states.set(run, RunState.PAUSED, "Paused on request.")
        for worker in self._core.pool.running():
            self._conductor.dispatcher.stop_job(worker, "stopped")

    def _drain(self, run: ActiveRun) -> None:
        self._conductor.states.set(run, RunState.DRAINING)
        run.hold = None

    async def _cancel_run(self, run_id: int) -> None:
        core, run = self._core, self._conductor.live_run()
        if self._conductor.forget_pending(run_id):
            self._conductor.states.record(run_id, RunState.CANCELLED)
            await core.ledger.submit(lambda ledger: ledger.cancel_open(run_id))
            return
        if any(program.cancel(run_id) for program in self._conductor.apart.values()):
            return
        if run is None or run.record.run_id != run_id:
            raise VconsoleError(f"Run {run_id} is not under way.", remedy="Only a run under way can be cancelled.")
        self._conductor.stop_scan()
        run.hold, run.discovering, run.reported = None, False, False
        self._conductor.states.set(run, RunState.CANCELLED)
        for worker in core.pool.running():
            self._conductor.dispatcher.stop_job(worker, "cancelled")
        await core.ledger.submit(lambda ledger: ledger.cancel_open(run_id))
        for _ in run.cancel_open():
            await asyncio.sleep(0)
        self._conductor.look_for_end()

    async def _cancel_job(self, job_id: int) -> None:
        run = self._live_run()
        if not run.has(job_id):
            raise VconsoleError(f"There is no job {job_id} in this run.")
        at_it = [one for one in self._core.pool.running() if one.running and one.running.job.job_id == job_id]
        for worker in at_it:
            self._conductor.dispatcher.stop_job(worker, "cancelled")
        if at_it:
            return
        moved = await self._core.ledger.submit(
            lambda ledger: [ledger.job(one) for one in ledger.move([job_id], JobState.CANCELLED)]
        )
        if not moved:
            raise VconsoleError(f"Job {job_id} is over, or about to start; it was not cancelled.")
        _put(run, moved)
        self._conductor.dispatcher.forget(run, job_id)
        self._conductor.look_for_end()

    async def _retry(self, command: Retry) -> None:
        run = self._core.active
        if run is None:
            raise VconsoleError("No run is loaded whose videos could be tried again.", remedy="Resume a run first.")
        if run.state is RunState.CANCELLED:
            raise VconsoleError("The run was cancelled.", remedy="Resume it instead.")
        states = RETRYABLE if command.job_ids else BAD
        run_id, now_s = run.record.run_id, self._core.wall_clock()

        def send_back(ledger: Ledger) -> list[JobRecord | None]:
            found = ledger.retry(run_id, states, command.job_ids, command.failure)
            record = ledger.run(run_id)
            if found and record and record.state is RunState.DONE:
                ledger.move_run(run_id, RunState.QUEUED if run.past else RunState.RUNNING, now_s)
            return [ledger.job(one) for one in found]

        found = await self._core.ledger.submit(send_back)
        if not found:
            raise VconsoleError("Nothing to try again.")
        if run.past:
            await self._enqueue(run_id)
            return
        run.reported = False
        for job in _put(run, found):
            self._conductor.dispatcher.enqueue(run, job)
        if run.state is RunState.DONE:
            self._conductor.states.set(run, RunState.RUNNING)
        self._conductor.dispatcher.hand_out()

    def _set_workers(self, count: int) -> None:
        core = self._core
        if not 1 <= count <= MOST_WORKERS:
            raise VconsoleError(f"{count} workers cannot be; choose 1 to {MOST_WORKERS}.")
        core.plan_workers(core.pool.limits, wanted=count)
        core.pool.ensure(0)
        self._conductor.dispatcher.hand_out()


def _put(run: ActiveRun, jobs: list[JobRecord | None]) -> list[JobRecord]:
    """Take rows of the ledger into the run, and return them; those not loaded yet will be met as they are now."""
    there = [job for job in jobs if job is not None and run.has(job.job_id)]
    for job in there:
        run.put(job)
    return there
