"""Hands jobs to workers and takes their results: each start and each end is one move in the ledger."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace

from pipeline import wire
from pipeline.engine.active import ActiveRun
from pipeline.engine.child import Death
from pipeline.engine.core import Core
from pipeline.engine.faults import Fault, Trouble
from pipeline.engine.inquiry import Inquiry, is_suspect
from pipeline.engine.kinds import KINDS
from pipeline.engine.leases import QUICK_S, Leases
from pipeline.engine.ledger import Ledger
from pipeline.engine.meter import Meter
from pipeline.engine.records import JobRecord
from pipeline.engine.results import how_it_died, report_death, report_result
from pipeline.engine.scheduler import Report, Verdict, judge
from pipeline.engine.slots import Running, Worker
from pipeline.engine.starts import Starts
from pipeline.engine.turns import queue_job, requeue
from pipeline.errors import SCARCE, WireError
from pipeline.model import BAD, TERMINAL, FailureClass, JobState, RunState
from pipeline.text import plural, visible


class Dispatcher:
    """Listens to the pool. `settle` takes a job whose file changed, `held` a fault of the surroundings, and
    `idle` is called when a job is over and the run may be too."""

    def __init__(
        self,
        core: Core,
        *,
        settle: Callable[[ActiveRun, JobRecord], None],
        held: Callable[[ActiveRun, Trouble], None],
        idle: Callable[[], None],
    ) -> None:
        self._core = core
        self._settle = settle
        self._held = held
        self._idle = idle
        self._meter = Meter(core)
        self._leases = Leases(core, may_start=self._may_start)
        self._starts = Starts(core, may_start=self._may_start, close=self._close, again=self.hand_out)
        self.inquiry = Inquiry(self._judge)

    def enqueue(self, run: ActiveRun, job: JobRecord) -> None:
        """Put a job where its state says: into the queue, or to the files that settle."""
        queue_job(run, job)
        if job.state is JobState.SETTLING:
            self._settle(run, job)

    def free(self, run: ActiveRun, twins: list[JobRecord]) -> None:
        """Take on the duplicates of a job that failed; those not loaded yet will be met as they are now."""
        for twin in twins:
            if run.has(twin.job_id):
                run.put(twin)
                self.enqueue(run, twin)

    def hand_out(self) -> None:
        """Give jobs to free workers while the run goes on."""
        core, run = self._core, self._core.active
        if run is None or not self._may_start(run):
            return
        self._leases.take_back_late(run)
        busy = len(core.pool.running())
        core.pool.ensure(busy + run.queue.ready())
        while not any(worker.alone for worker in core.pool.workers.values()):
            worker = core.pool.free()
            taken = run.queue.take(len(core.pool.running())) if worker else None
            if worker is None or taken is None:
                break
            if taken[1] and worker.jobs_done:  # alone also means in a worker that no other job has used
                run.queue.add_first(taken[0], alone=True)
                core.pool.renew_idle(worker)
                break
            self._starts.start(run, worker, *taken)
        self._leases.hand_out(run)

    def stop_job(self, worker: Worker, why: str) -> None:
        """Ask a worker to give its job back; `why` is stopped or cancelled."""
        if worker.running and worker.child:
            self._leases.take_back(self._core.active, worker)
            worker.running.stopping = why
            worker.child.send({"type": "stop"})
            self._core.dirty = True

    def forget(self, run: ActiveRun, job_id: int) -> None:
        """Take a job that was cancelled before it began out of the queue, and from the worker that has it ahead."""
        run.queue.drop(job_id)
        self._leases.forget(job_id)

    def _stop_chunks(self, job_id: int) -> None:
        """Stop what is left of the chunks of a job that is not done in them any more."""
        for worker in self._core.pool.running():
            if worker.running and worker.running.job.job_id == job_id and worker.running.job.chunk is not None:
                self.stop_job(worker, "stopped")

    def _may_start(self, run: ActiveRun) -> bool:
        core = self._core
        return run.state is RunState.RUNNING and not (core.fatal or core.closing or core.ledger_trouble)

    def worker_ready(self, worker: Worker) -> None:
        """A worker can be given a job."""
        self._core.dirty = True
        self.hand_out()

    def worker_said(self, worker: Worker, message: wire.Message) -> None:
        """Take a message about a job. Raises WireError for one that no worker of ours sends."""
        run, running = self._core.active, worker.running
        kind = message.get("type")
        if kind not in {"progress", "stage", "finished"}:
            raise WireError(f"no such message: {str(kind)[:80]!r}")
        if run is None or running is None or message.get("token") != running.job.token:
            if kind == "finished" and message.get("outcome") != "stopped":
                self._core.note("warning", "A result came after its attempt had been given up; it was not taken.")
            return
        self._core.dirty = True
        if kind == "progress":
            self._meter.progress(run, running, message)
        elif kind == "stage":
            self._meter.stage_over(run, running, message)
        else:
            self._finished(run, worker, running, message)

    def worker_died(self, worker: Worker, death: Death | OSError) -> None:
        """Close the attempt that died with its worker."""
        core, run, running = self._core, self._core.active, worker.running
        core.dirty = True
        self._leases.take_back(run, worker)
        if running is not None and run is not None:
            report = report_death(running, death, closing=core.closing)
            worker.running = None
            if not core.closing:
                name = visible(running.job.relative, 120)
                core.note("warning", f"Worker {worker.slot} {how_it_died(running, death)} during {name}.")
            self._close(run, running, report)
        elif not (worker.retiring or core.closing or (isinstance(death, OSError) and death.errno in SCARCE)):
            said = f": {death.said.splitlines()[-1][:300]}" if isinstance(death, Death) and death.said else ""
            core.note("warning", f"Worker {worker.slot} ended without a job ({death}){said}.")
        self.hand_out()

    def worker_replaced(self, worker: Worker, why: str) -> None:
        """Tell of the first of many workers that are replaced for their weight."""
        self._core.note("info", f"Worker {worker.slot} was replaced between two videos: {why}. So will others.")

    def breaker_opened(self, deaths: int, death: Death | OSError) -> None:
        """Hold the run up: workers die at start."""
        said = death.said.splitlines()[-1][:300] if isinstance(death, Death) and death.said else str(death)
        if self._core.active:
            why = f"{deaths} times in a row, the last: {said}"
            self._held(self._core.active, Trouble(Fault.WORKERS, why=why))

    def crowded(self, standing: int, error: OSError) -> None:
        """Tell of fewer workers; hold the run up if there are none."""
        core, why = self._core, os.strerror(error.errno or 0)
        if standing:
            few = f"Only {plural(standing, 'worker')} of {core.pool.target} can run: {why}."
            core.note("warning", f"{few} Raise the limits (ulimit -n, ulimit -u); more are tried later.")
        elif core.active:
            self._held(core.active, Trouble(Fault.PROCESSES, why=why))

    def _finished(self, run: ActiveRun, worker: Worker, running: Running, message: wire.Message) -> None:
        core, report = self._core, report_result(running, message)
        self._meter.finished(run, running, report)
        if report.failure is FailureClass.DISK_FULL:
            run.surroundings.wants_room(max(running.bytes_out, int(report.result.get("bytes_out", 0))))
        worker.quick = core.clock() - running.started_s < QUICK_S
        if report.errno in SCARCE or report.failure is FailureClass.OUT_OF_MEMORY:
            worker.retiring = True  # a fresh one has its memory and its descriptors back
        if core.pool.scale.is_over(worker):  # it ends now: what it has ahead, and may have begun, is not charged yet
            self._leases.take_back(run, worker)
        following = worker.leased.popleft() if worker.leased else None
        core.pool.release(worker, following)
        self._close(run, running, report)
        if following is not None:
            self._leases.begin(run, worker, following)
        self.hand_out()

    def give_back(self) -> None:
        """Close the attempts whose volumes have not answered: the engine ends."""
        for run, running in self.inquiry.abandon():
            self._judge(run, running, Report("stopped"), None)

    def _close(self, run: ActiveRun, running: Running, report: Report) -> None:
        """Close an attempt; if the surroundings may be to blame for its end, they are looked at first."""
        if is_suspect(report):
            self.inquiry.begin(run, running, report)
        else:
            self._judge(run, running, report, None)

    def _judge(self, run: ActiveRun, running: Running, report: Report, trouble: Trouble | None) -> None:
        """Close an attempt in the ledger, and then do with the job what the verdict says."""
        core, job = self._core, running.job
        verdict = judge(
            job,
            report,
            run.settings.engine,
            alone=running.alone,
            host_ready=core.hosts.ready,
            keep_partial=KINDS[run.record.kind].keeps_partial(run.settings),
            trouble=trouble,
        )
        self._hold(run, verdict, report, trouble)
        if verdict.ending.outcome in {"done", "partial", "skipped"}:
            run.holds = 0
        given_up = run.state is RunState.CANCELLED or running.stopping == "cancelled"
        if given_up and (verdict.ending.state not in TERMINAL or job.chunk is not None):
            verdict = Verdict(replace(verdict.ending, state=JobState.CANCELLED))
        self._finish(run, job, verdict)

    def _hold(self, run: ActiveRun, verdict: Verdict, report: Report, trouble: Trouble | None) -> None:
        """Hold the run up where the verdict says that the surroundings are to blame, or do with fewer workers."""
        core = self._core
        if verdict.hold is Fault.PROCESSES and core.pool.fewer():
            self.crowded(core.pool.room, OSError(report.errno, ""))
        elif verdict.hold is Fault.HOST:
            self._held(run, Trouble(core.hosts.fault, why=report.message))
        elif verdict.hold is not None:
            self._held(run, trouble or Trouble(verdict.hold, run.record.out))

    def _finish(self, run: ActiveRun, job: JobRecord, verdict: Verdict) -> None:
        core, now_s, cancelled = self._core, self._core.wall_clock(), run.state is RunState.CANCELLED

        def finish(ledger: Ledger) -> tuple[JobRecord | None, list[JobRecord]]:
            taken = ledger.finish(job.job_id, job.attempt, job.token, verdict.ending, now_s)
            freed = ledger.free_twins(job.job_id) if taken and verdict.ending.state in BAD and not cancelled else []
            return (ledger.job(job.job_id) if taken else None), freed

        def closed(future: "asyncio.Future[tuple[JobRecord | None, list[JobRecord]]]") -> None:
            error = future.exception()
            if error is not None:
                core.give_up(error)
                return
            after, twins = future.result()
            core.dirty = True
            if after is None:
                core.note("warning", "A result came after its attempt had been given up; it was not taken.")
                return
            run.put(after)
            self.free(run, twins)
            requeue(run, job, after, verdict, core.clock())
            if job.chunk is not None and not after.chunks:
                self._stop_chunks(job.job_id)
            if after.state is JobState.SETTLING:
                self._settle(run, after)
            self.hand_out()
            self._idle()

        core.ledger.submit(finish).add_done_callback(closed)
