"""One engine of the simulation: the real parts of it put together, from its start to its death or end."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim_ledger import SimLedger
from sim_time import VirtualLoop

from pipeline.commands import Command
from pipeline.engine import Engine
from pipeline.engine.conductor import Conductor
from pipeline.engine.core import Core
from pipeline.engine.faults import Fault, Trouble
from pipeline.engine.orders import Orders
from pipeline.engine.planner import BrokenOff
from pipeline.engine.scan import Scan
from pipeline.engine.workers import Pool
from pipeline.machine import HostView
from pipeline.model import FailureClass

if TYPE_CHECKING:
    from sim_world import World

TICK_S = 0.5
CALM_TICK_S = 2.0


class SimHost:
    """A model host that is up or down."""

    sockets = (Path("/simulated/host-0.sock"),)
    why = ""
    busy_share = 0.0

    def __init__(self, world: "World") -> None:
        self._world = world

    @property
    def ready(self) -> bool:
        return self._world.faults.host_up

    @property
    def failed(self) -> bool:
        return not self._world.faults.host_up

    @property
    def views(self) -> tuple[HostView, ...]:
        return (HostView("cpu", "failed" if self.failed else "ready"),)

    @property
    def fault(self) -> Fault:
        return Fault.HOST

    async def look(self) -> None:
        return

    def shortest(self, _videos: Any) -> int:
        return 0

    def need(self, _settings: Any) -> None:
        return

    def tick(self) -> None:
        return

    def woke(self) -> None:
        return

    def try_now(self) -> None:
        return

    async def close(self, _grace_s: float) -> None:
        return


class SimSurroundings:
    """Volumes and memory that the world says are at fault or not."""

    out_device = 1

    def __init__(self, world: "World") -> None:
        self._world = world

    def input_of(self, _source: bytes) -> bytes:
        return b"/in"

    def at_fault(self, report: Any, _source: bytes, *, alone: bool) -> Trouble | None:
        if report.failure is FailureClass.OUT_OF_MEMORY:
            return Trouble(Fault.MEMORY) if self._world.faults.memory_short else None
        return self.scan_trouble(0) or self.out_trouble()

    def scan_trouble(self, _number: int) -> Trouble | None:
        return Trouble(Fault.IN_GONE, b"/in") if self._world.faults.input_gone else None

    def out_trouble(self) -> Trouble | None:
        return Trouble(Fault.OUT_FULL, b"/out") if self._world.faults.disk_full else None

    def wants_room(self, _written_bytes: int) -> None:
        return

    def has_passed(self, trouble: Trouble) -> bool:
        world = self._world
        bad = {
            Fault.OUT_FULL: world.faults.disk_full,
            Fault.MEMORY: world.faults.memory_short,
            Fault.IN_GONE: world.faults.input_gone,
        }
        return not bad.get(trouble.fault, False)


class SimScan(Scan):
    """Discovery whose batches come at seeded moments."""

    def __init__(self, world: "World", *parts: Any, **listeners: Any) -> None:
        super().__init__(*parts, **listeners)
        self._world = world

    def start(self) -> None:
        if self._walking or self._stop.is_set() or not self._run.discovering:
            return
        self._walking = True
        record = self._run.record
        self._walk = self._world.batches(record.inputs, record.run_id)
        self._later()

    def _later(self) -> None:
        self._world.soon(self._world.chance.choice((0.0, 0.1, 2.0)), "discovery", self._find)

    def _find(self) -> None:
        if self._stop.is_set():
            return
        trouble = self._run.surroundings.scan_trouble(0)
        if not self._world.calm and self._world.chance.random() < 0.003:
            self._world.said("discovery failed")
            self._discovered(OSError(5, "Input/output error"))
            return
        batch = None if trouble else next(self._walk, None)
        if batch is None:
            self._discovered(BrokenOff(trouble) if trouble else None)
        else:
            asyncio.ensure_future(self._accept(batch)).add_done_callback(lambda done: (done.result(), self._later()))


class SimOrders(Orders):
    """Takes commands, and tells the world when."""

    world: "World"

    async def _do(self, command: Command) -> None:
        self.world.ordered(command)
        await super()._do(command)


class Life:
    """An engine that is alive."""

    def __init__(self, world: "World") -> None:
        self._world = world
        chance = world.chance
        self.up = False
        self.loop = VirtualLoop(lambda: world.time.now_s)
        settings = world.settings
        self._engine = Engine(settings, state_dir=Path("/simulated"))
        ledger = SimLedger(
            world.ledger,
            self.loop,
            soon=lambda kind, act: world.soon(1.0 if kind == "refused" else self._commit_s(), kind, act),
            batch=lambda asked: asked if chance.random() < 0.6 else chance.randrange(1, asked + 1),
            refuses=lambda: not world.calm and chance.random() < 0.01,
            committed=lambda: world.rules.take(world.ledger.moves()),
            trouble=self._trouble,
        )
        self.core = Core(
            settings,
            Path("/simulated"),
            lambda: world.time.now_s,
            lambda: 1e9 + world.time.now_s,
            ledger,
            lambda: (),
            lambda: (),
        )
        world.life = self
        asyncio._set_running_loop(self.loop)
        self.conductor = Conductor(self.core)
        self.core.pool = Pool(("worker",), settings.engine, self.conductor.dispatcher, self.core.clock)
        self.core.plan_workers(settings.engine)
        self.core.hosts = SimHost(world)
        self.orders = SimOrders(self.core, self.conductor)
        self.orders.world = world
        self._serving: asyncio.Task[None] | None = None
        self._task = self.loop.create_task(self._begin())
        world.rules.loaded_anew()
        world.rules.may_start = self._may_start
        world.rules.on_workers = lambda: {
            one.job.job_id for worker in self.core.pool.running() if (one := worker.running)
        }
        self.loop.settle()

    def is_quiet(self) -> bool:
        """Whether nothing is between the engine and its ledger."""
        ends = self._serving is not None and self._serving.done()
        if ends and not self.core.closing:
            self._world.broken(f"commands are served no more: {self._serving.exception()!r}")
        judged = not self.conductor.dispatcher.inquiry.under_way
        return judged and self.core.ledger.quiet and self.conductor._idle_task()

    def is_busy(self) -> bool:
        """Whether a run is under way or waits."""
        return self.conductor.is_active() or bool(self.conductor.waiting_runs) or bool(self.core.pool.running())

    def _may_start(self, job_id: int) -> bool:
        run = self.core.active
        return run is not None and run.has(job_id) and job_id not in run.queue._alone

    def scan(self, *parts: Any, **listeners: Any) -> SimScan:
        return SimScan(self._world, *parts, **listeners)

    async def pause(self, seconds: float) -> None:
        """Wait in virtual time, as an event of its own."""
        waited = self.loop.create_future()
        self._world.soon(seconds, "spawn", lambda: waited.set_result(None))
        await waited

    def close(self, ended: Callable[[], None]) -> None:
        """Shut down as the engine does."""
        self.up = False
        self._serving.cancel()
        self._task = self.loop.create_task(self._engine._shut_down(self.core, self.conductor))
        self._task.add_done_callback(lambda done: (done.result(), ended()))

    def host_goes(self) -> None:
        if self.up:
            self.conductor.host_failed("The model host ended.")

    def host_comes(self) -> None:
        if self.up:
            self.conductor.host_back()

    async def _begin(self) -> None:
        limits = self._world.settings.engine
        now_s = self.core.wall_clock()
        await self.core.ledger.submit(lambda ledger: ledger.recover(now_s, max_engine_deaths=limits.max_engine_deaths))
        self._serving = self.loop.create_task(self.orders.serve())
        self.up = True
        self._tick()

    def _tick(self) -> None:
        if self.up:
            self.conductor.tick()
            self._world.soon(CALM_TICK_S if self._world.calm else TICK_S, "tick", self._tick)

    def _commit_s(self) -> float:
        return self._world.chance.choice((0.0, 0.001, 0.003, 0.01, 0.05))

    def _trouble(self, what: str) -> None:
        self.core.ledger_trouble = what
        self.core.note("error" if what else "info", what or "The ledger can be written again.")
