"""Discovery of one run in a thread of its own, a batch at a time into the ledger."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from dataclasses import replace

from pipeline.engine.active import ActiveRun
from pipeline.engine.core import Core
from pipeline.engine.dispatch import Dispatcher
from pipeline.engine.faults import Fault, Trouble
from pipeline.engine.planner import BrokenOff, Planner
from pipeline.engine.records import NewJob
from pipeline.model import TERMINAL, JobState, RunState

LOOK_S = 0.5
"""How often the thread looks whether it is to stop while its batch waits."""


class Scan:
    """The walk over the inputs of one run.

    On the loop, `over` is called when it is complete, `held` when it was broken off because the inputs could not be
    seen: then it is to be started again when they can. `failed` is called if it ended early for any other reason.
    """

    def __init__(
        self,
        core: Core,
        run: ActiveRun,
        dispatcher: Dispatcher,
        *,
        over: Callable[[], None],
        held: Callable[[ActiveRun, Trouble], None],
        failed: Callable[[ActiveRun, Exception], None],
    ) -> None:
        self._core = core
        self._run = run
        self._dispatcher = dispatcher
        self._over = over
        self._held = held
        self._failed = failed
        self._walking = False
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Begin to walk, or to walk again what was not seen before; nothing if it walks, is stopped or complete."""
        if self._walking or self._stop.is_set() or not self._run.discovering:
            return
        try:
            threading.Thread(target=self._main, name="discovery", daemon=True).start()
        except RuntimeError as error:
            self._held(self._run, Trouble(Fault.PROCESSES, why=str(error)))
            return
        self._walking = True

    def stop(self) -> None:
        """End at the next file."""
        self._stop.set()

    def _main(self) -> None:
        run, core = self._run, self._core
        error: Exception | None = None
        at_fault = run.surroundings.scan_trouble
        planner = Planner(
            run.record, run.settings, run.fingerprints, core.state_dir, at_fault=at_fault, wall_clock=core.wall_clock
        )
        try:
            for batch in planner.batches(self._stop):
                self._wait(asyncio.run_coroutine_threadsafe(self._accept(batch), self._loop))
        except Exception as raised:  # noqa: BLE001 - told to the operator
            error = raised
        if not (self._loop.is_closed() or self._stop.is_set()):
            self._loop.call_soon_threadsafe(self._discovered, error)

    def _wait(self, future: "concurrent.futures.Future[None]") -> None:
        """Wait until a batch is taken in, so that discovery runs ahead by one batch at most."""
        while not self._stop.is_set():
            try:
                future.result(timeout=LOOK_S)
            except TimeoutError:
                if future.done():
                    raise
            else:
                return

    async def _accept(self, batch: list[NewJob]) -> None:
        run, core = self._run, self._core
        jobs = await core.ledger.submit(lambda ledger: ledger.add_jobs(run.record.run_id, batch))
        if run.state is RunState.CANCELLED:
            found = [job.job_id for job in jobs]
            await core.ledger.submit(lambda ledger: ledger.move(found, JobState.CANCELLED))
            jobs = [job if job.state in TERMINAL else replace(job, state=JobState.CANCELLED) for job in jobs]
        for job in jobs:
            run.add(job)
            self._dispatcher.enqueue(run, job)
        core.dirty = True
        self._dispatcher.hand_out()

    def _discovered(self, error: Exception | None) -> None:
        run, core = self._run, self._core
        self._walking = False
        if isinstance(error, BrokenOff):
            self._held(run, error.trouble)
            return
        if error is not None:
            self._failed(run, error)
            return
        run.discovering = False
        core.ledger.submit(lambda ledger: ledger.set_discovered(run.record.run_id, True))
        core.dirty = True
        self._over()
