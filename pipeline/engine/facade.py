"""The engine as others see it: a thread that can be asked for a snapshot and given commands."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.commands import Command
from pipeline.engine.active import LIVE
from pipeline.engine.beside import Beside
from pipeline.engine.conductor import Conductor
from pipeline.engine.core import Core
from pipeline.engine.fleet import Hosts, runtime_folder
from pipeline.engine.folder import state_folder
from pipeline.engine.labels import Labels
from pipeline.engine.ledger import OPEN_RUNS, Ledger
from pipeline.engine.ledger_thread import LedgerThread
from pipeline.engine.limits import raise_descriptors
from pipeline.engine.orders import Orders
from pipeline.engine.telemetry import Telemetry
from pipeline.engine.view import View
from pipeline.engine.workers import Pool
from pipeline.model import RunState
from pipeline.models import remembered
from pipeline.settings import Settings
from pipeline.snapshot import RunSummary, Snapshot

WORKER_COMMAND = (sys.executable, "-P", "-m", "pipeline.worker")
HOST_COMMAND = (sys.executable, "-P", "-m", "pipeline.models.host")
"""`-P`: modules are never taken from the folder that the operator happens to stand in."""
SWITCH_S = 0.0005
"""How soon a thread of this process that waits for the interpreter gets it.

At Python's own 5 ms a busy discovery makes every step of loop and ledger wait that long (a third of the throughput).
"""
CLOSE_SHARE = 0.7
"""Share of `engine.grace_s` that workers have to give their jobs back; the rest is for the ledger and the reports."""
REPORT_SHARE = 0.9
"""Share of `engine.grace_s` after which reports are left as they were."""
FIRST_GPU_READING_S = 2.0
"""How long the start waits for the first reading of the GPUs, which `workers = auto` counts."""


class Engine:
    """Runs videos through stages; one engine at a time holds a state folder.

    `worker_command` and `host_command` replace the programs that are started, `clock` and `wall_clock` the times that
    it goes by (tests do that): seconds that only rise, for pauses, deadlines and durations, and Unix time, to be shown.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        state_dir: Path | None = None,
        worker_command: Sequence[str] | None = None,
        host_command: Sequence[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._state_dir = (state_dir or state_folder(settings.state_dir)).absolute()
        self._worker_command = tuple(worker_command or WORKER_COMMAND)
        self._host_command = tuple(host_command or HOST_COMMAND)
        self._clock = clock
        self._wall_clock = wall_clock
        self._snapshot = Snapshot()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._orders: Orders | None = None
        self._grace_s = settings.engine.grace_s
        self._started = threading.Event()
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="engine", daemon=True)

    @property
    def state_dir(self) -> Path:
        """The folder of the ledger."""
        return self._state_dir

    def start(self) -> None:
        """Take the state folder's lock, open the ledger and begin to serve.

        Raises LedgerError, or EngineRunningError that names who holds the folder.
        """
        sys.setswitchinterval(min(SWITCH_S, sys.getswitchinterval()))
        raise_descriptors()
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def latest(self) -> Snapshot:
        """Return the newest snapshot; from any thread, without waiting."""
        return self._snapshot

    def send(self, command: Command) -> None:
        """Ask for something; from any thread, without waiting. What cannot be done becomes a notice."""
        loop, orders = self._loop, self._orders
        if loop is not None and orders is not None:
            with suppress(RuntimeError):  # the loop has ended: nobody is left to ask
                loop.call_soon_threadsafe(orders.put, command)

    def close(self, *, now: bool = False) -> None:
        """Give running attempts back, end workers and host within `engine.grace_s` (`now`: at once), close the ledger.

        From any thread; waits for the end; a second call with `now` hurries the first.
        """
        loop, stop = self._loop, self._stop
        if now:
            self._grace_s = 0.0
        if loop is not None and stop is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(stop.set)
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - start() raises it, or the snapshot tells it
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop, self._stop = loop, asyncio.Event()
        ledger = LedgerThread(self._state_dir, loop, lambda what: core.heed_ledger(what))
        telemetry = Telemetry(self._settings.engine, bytes(self._state_dir), lambda: _soon(loop, core.touch))
        core = self._core(ledger, telemetry)
        limits, now_s = self._settings.engine, time.time()

        def recover(ledger: Ledger) -> tuple[int, tuple[RunSummary, ...]]:
            return ledger.recover(now_s, max_engine_deaths=limits.max_engine_deaths), ledger.summaries()

        closed, core.runs = await ledger.open(recover)
        telemetry.start()
        await asyncio.to_thread(telemetry.gpus.first.wait, FIRST_GPU_READING_S if limits.workers == "auto" else 0)
        conductor = self._conductor(core, telemetry)
        if closed:
            core.note("warning", f"An engine died before this one; {closed} attempts were given back to their videos.")
        self._orders = Orders(core, conductor)
        view = View(core)
        self._snapshot = view.build(telemetry.view)
        self._started.set()
        serving = asyncio.create_task(self._orders.serve())
        try:
            await self._tick(core, conductor, view, telemetry)
        except Exception as error:  # noqa: BLE001 - the snapshot tells it
            core.give_up(error)
        finally:
            serving.cancel()
            await self._shut_down(core, conductor)
            telemetry.stop()
            self._snapshot = view.build(telemetry.view)

    def _core(self, ledger: LedgerThread, telemetry: Telemetry) -> Core:
        gpus = telemetry.gpus
        return Core(
            self._settings, self._state_dir, self._clock, self._wall_clock, ledger, gpus.memory_bytes, gpus.names
        )

    def _conductor(self, core: Core, telemetry: Telemetry) -> Conductor:
        """Return what carries out runs; the pool and the model hosts that it listens to are made with it."""
        gpus, limits = telemetry.gpus, self._settings.engine
        conductor = Conductor(core)
        core.pool = Pool(self._worker_command, limits, conductor.dispatcher, core.clock)
        core.plan_workers(limits)
        core.hosts = Hosts(
            self._host_command,
            runtime_folder(self._state_dir),
            conductor,
            core.clock,
            self._state_dir / remembered.FILE,
            lambda: gpus.view()[0],
            gpus.first,
        )
        return conductor

    async def _tick(self, core: Core, conductor: Conductor, view: View, telemetry: Telemetry) -> None:
        """Do what time brings about and publish what changed, until told to stop."""
        period_s, labels, beside = 1.0 / self._settings.engine.snapshot_hz, Labels(core), Beside(core)
        assert self._stop is not None
        while not self._stop.is_set():
            conductor.tick()
            labels.tick()
            beside.tick()
            view.sample()
            telemetry.idle = core.active is None or core.active.state not in LIVE
            if core.active:
                telemetry.disk_path = core.active.record.out
            if core.dirty:
                core.dirty = False
                self._snapshot = view.build(telemetry.view)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), period_s)

    async def _shut_down(self, core: Core, conductor: Conductor) -> None:
        """Give attempts back, end children, note that the run was interrupted, close the ledger."""
        core.closing = True
        begun_s = core.clock()
        conductor.stop_scan()
        for worker in core.pool.running():
            conductor.dispatcher.stop_job(worker, "stopped")
        await core.pool.close(lambda: self._grace_s * CLOSE_SHARE)
        await core.hosts.close(0.0)
        for program in conductor.apart.values():
            await program.close(self._grace_s * CLOSE_SHARE)
        conductor.dispatcher.give_back()
        now_s = core.wall_clock()
        run = core.active
        core.ledger.give_up_soon()

        def interrupt(ledger: Ledger) -> None:
            for record in ledger.runs(*OPEN_RUNS, limit=1_000_000):
                ledger.move_run(record.run_id, RunState.INTERRUPTED, now_s)
            core.runs = ledger.summaries()

        try:
            await core.ledger.submit(interrupt)
        except Exception as error:  # noqa: BLE001 - the next start recovers it
            core.give_up(error)
        if run and run.state in LIVE:
            run.state, run.reported = RunState.INTERRUPTED, False
        await conductor.last_reports(lambda: begun_s + self._grace_s * REPORT_SHARE - core.clock())
        await core.ledger.close()


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    """Call on the loop from another thread, unless the loop has ended."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(call)
