"""Hands jobs ahead to workers whose jobs take milliseconds, so that they do not wait for a commit after each.

A job handed ahead is neither started nor charged in the ledger. It is when the worker goes on with it, when the
job before it is over: one commit carries that end and this start.
"""

import asyncio
import os
import secrets
from collections.abc import Callable
from functools import partial

from pipeline import wire
from pipeline.engine.active import ActiveRun
from pipeline.engine.core import Core
from pipeline.engine.kinds import output_name
from pipeline.engine.ledger import Ledger
from pipeline.engine.records import JobRecord, OutputRecord
from pipeline.engine.slots import Running, Worker
from pipeline.model import BAD, JobState
from pipeline.snapshot import WorkerPlan

QUICK_S = 0.05
"""A worker whose last job took less than this is handed jobs ahead."""
HELD_S = 1.0
"""What a worker has ahead is given to others once the job before it takes longer than this."""

Leased = tuple[JobRecord, OutputRecord | None]


class Leases:
    """The jobs that workers have ahead, at most `engine.lease_ahead` each."""

    def __init__(self, core: Core, *, may_start: Callable[[ActiveRun], bool]) -> None:
        self._core = core
        self._may_start = may_start

    def hand_out(self, run: ActiveRun) -> None:
        """Hand jobs ahead to the quick workers that have few."""
        pool = self._core.pool
        for worker in pool.workers.values():
            share = run.queue.ready() // (2 * pool.target)
            room = min(
                run.settings.engine.lease_ahead - len(worker.leased),
                pool.limits.recycle_after - worker.jobs_done - len(worker.leased) - 1,
                share,
            )
            if room > 0 and room * 2 >= run.settings.engine.lease_ahead and self._may_lease(worker):
                self._ask(run, worker, run.queue.take_many(room))

    def take_back(self, run: ActiveRun | None, worker: Worker) -> None:
        """Queue again what a worker has ahead: it is to stop, or is dead."""
        while worker.leased:
            running = worker.leased.pop()
            if run is not None and not running.stopping:
                run.queue.add_first(running.job.job_id)

    def take_back_late(self, run: ActiveRun) -> None:
        """Queue again what waits behind a job that turned out to be long."""
        now = self._core.clock()
        for worker in self._core.pool.workers.values():
            running = worker.running
            if worker.leased and worker.child and running and now - running.started_s > HELD_S:
                self.take_back(run, worker)
                worker.quick = False
                worker.child.send({"type": "stop", "spare": running.job.token})

    def forget(self, job_id: int) -> None:
        """Expect nothing more of a job that was cancelled while a worker has it ahead."""
        for worker in self._core.pool.workers.values():
            for running in worker.leased:
                if running.job.job_id == job_id:
                    running.stopping = "cancelled"

    def begin(self, run: ActiveRun, worker: Worker, running: Running) -> None:
        """Start and charge a job in the ledger: the worker has gone on with it."""
        job, now_s = running.job, self._core.wall_clock()
        running.started_s = worker.heard_s = self._core.clock()
        if running.stopping:  # cancelled while it was ahead: what the worker makes of it is fenced out
            return
        run.put(job)
        run.set(job.job_id, worker=worker.slot)

        def start(ledger: Ledger) -> JobRecord | None:
            started = ledger.start(job.job_id, job.token, now_s, attempt=job.attempt)
            return None if started else ledger.job(job.job_id)

        def started(future: "asyncio.Future[JobRecord | None]") -> None:
            error = future.exception()
            if error is not None:
                self._core.give_up(error)
                return
            otherwise = future.result()
            if otherwise is not None:  # cancelled meanwhile: what the worker makes of it is fenced out
                run.put(otherwise)

        self._core.ledger.submit(start).add_done_callback(started)

    def _may_lease(self, worker: Worker) -> bool:
        running = worker.running
        if running is None or running.stopping or running.lost or running.alone:
            return False
        return worker.quick and not (worker.reserved or worker.retiring or worker.killed)

    def _ask(self, run: ActiveRun, worker: Worker, job_ids: list[int]) -> None:
        worker.reserved = True
        out = run.record.out
        wanted = [(job_id, secrets.token_hex(8)) for job_id in job_ids]

        def lease(ledger: Ledger) -> list[Leased]:
            jobs = [ledger.lease(job_id, token) for job_id, token in wanted]
            return [(job, ledger.output(out, job.relative)) for job in jobs if job is not None]

        self._core.ledger.submit(lease).add_done_callback(partial(self._leased, run, worker))

    def _leased(self, run: ActiveRun, worker: Worker, future: "asyncio.Future[list[Leased]]") -> None:
        core, worker.reserved = self._core, False
        error = future.exception()
        if error is not None:
            core.give_up(error)
            return
        jobs = future.result()
        gone = core.pool.workers.get(worker.slot) is not worker or worker.killed or worker.retiring
        stopping = worker.running is not None and worker.running.stopping
        if gone or stopping or run is not core.active or not self._may_start(run) or worker.child is None:
            for job, _ in reversed(jobs):
                run.queue.add_first(job.job_id)
            core.pool.let_go(worker)
            return
        for job, known in jobs:
            running = Running(job, alone=False, started_s=core.clock(), host=core.shortest_host())
            worker.leased.append(running)
            worker.child.send(job_message(run, running, known, core.worker_plan))
        if worker.running is None and worker.leased:
            worker.running = worker.leased.popleft()
            self.begin(run, worker, worker.running)


def job_message(run: ActiveRun, running: Running, known: OutputRecord | None, plan: WorkerPlan) -> wire.Message:
    """Return the message that hands a job to a worker."""
    job = running.job
    assert job.state is JobState.RUNNING
    return {
        "type": "job",
        "run_id": job.run_id,
        "job_id": job.job_id,
        "attempt": job.attempt,
        "token": job.token,
        "source": os.fsdecode(job.source),
        "relative": os.fsdecode(job.relative),
        "identity": list(job.identity),
        "content_id": job.content_id,
        "decode_threads": plan.decode_threads,
        "encode_threads": plan.encode_threads,
        "output": os.fsdecode(output_name(run.record.kind, run.settings, job.relative, job.result)),
        "known_sha256": known.sha256 if known else "",
        "known_pictures_sha256": str(known.result.get("pictures_sha256", "")) if known else "",
        "force": run.record.force,
        "division": _division(job),
        "host": running.host,
    }


def _division(job: JobRecord) -> wire.Message | None:
    """Return how a long video is done, and which chunk of it is to be done now."""
    if not job.division:
        return None
    missing = {str(chunk.number): chunk.message for chunk in job.chunks if chunk.state in BAD}
    return job.division | {"chunk": job.chunk, "missing": missing}
