"""Starts an attempt: it is charged in the ledger first, and only then handed to its worker."""

import asyncio
import os
import secrets
from collections.abc import Callable
from functools import partial

from pipeline.engine.active import ActiveRun
from pipeline.engine.core import Core
from pipeline.engine.leases import job_message
from pipeline.engine.ledger import Ledger
from pipeline.engine.records import JobRecord, OutputRecord
from pipeline.engine.scheduler import Report
from pipeline.engine.slots import Running, Worker
from pipeline.model import RunState

Started = tuple[JobRecord, OutputRecord | None]
"""A job with its new attempt, and the output that the ledger has of it."""


class Starts:
    """`close` takes an attempt that may not be handed out any more, `again` is called when a worker is left free."""

    def __init__(
        self,
        core: Core,
        *,
        may_start: Callable[[ActiveRun], bool],
        close: Callable[[ActiveRun, Running, Report], None],
        again: Callable[[], None],
    ) -> None:
        self._core = core
        self._may_start = may_start
        self._close = close
        self._again = again

    def start(self, run: ActiveRun, worker: Worker, job_id: int, alone: bool) -> None:
        """Charge a job and hand it to a free worker; `alone` = with no other beside it."""
        worker.reserved, worker.alone = True, alone
        token, now_s, out = secrets.token_hex(8), self._core.wall_clock(), run.record.out

        def start(ledger: Ledger) -> Started | None:
            job = ledger.start(job_id, token, now_s, alone=alone)
            return (job, ledger.output(out, job.relative)) if job else None

        self._core.ledger.submit(start).add_done_callback(partial(self._charged, run, worker))

    def _charged(self, run: ActiveRun, worker: Worker, future: "asyncio.Future[Started | None]") -> None:
        alone, worker.reserved = worker.alone, False
        error = future.exception()
        if error is not None:
            self._core.give_up(error)
            return
        started = future.result()
        if started is None:
            worker.alone = False
            self._core.pool.let_go(worker)
            self._again()
            return
        job, known = started
        running = Running(job, alone, self._core.clock())
        run.put(job)
        gone = self._core.pool.workers.get(worker.slot) is not worker or worker.killed or worker.retiring
        if gone or run is not self._core.active or not self._may_start(run):
            worker.alone = False
            self._close(run, running, Report("cancelled" if run.state is RunState.CANCELLED else "stopped"))
            self._core.pool.let_go(worker)
            return
        self._send(run, worker, running, known)

    def _send(self, run: ActiveRun, worker: Worker, running: Running, known: OutputRecord | None) -> None:
        core, job = self._core, running.job
        assert worker.child is not None
        if run.needs_host:
            core.hosts.need(run.settings)
            running.host = core.shortest_host()
        if worker.told_run != run.record.run_id:
            worker.told_run = run.record.run_id
            worker.child.send(
                {
                    "type": "run",
                    "run_id": run.record.run_id,
                    "kind": run.record.kind,
                    "settings": run.settings.model_dump(mode="json"),
                    "out": os.fsdecode(run.record.out),
                    "state_dir": str(core.state_dir),
                    "out_device": run.surroundings.out_device,
                    "fingerprints": run.fingerprints,
                    "host_sockets": [str(path) for path in core.hosts.sockets] if run.needs_host else [],
                }
            )
        worker.running = running
        worker.heard_s = core.clock()
        worker.child.send(job_message(run, running, known, core.worker_plan))
        run.set(job.job_id, worker=worker.slot)
        core.dirty = True
