"""A world for the real scheduler, drawn from a seed: engines that die, workers that fail, an operator, and a clock.

Real are conductor, orders, dispatcher, leases, pool, settling and the ledger on SQLite; not there are processes,
threads, files and time. Every step is one event; after each the rules are asked.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

from sim_draw import draw_plan, draw_settings
from sim_engine import Life, SimSurroundings
from sim_faults import Faults
from sim_ledger import WatchedLedger
from sim_operator import Operator
from sim_rules import Rules
from sim_time import Act, Timeline, Violation
from sim_worker import SimChild

from pipeline import commands
from pipeline.engine import conductor, load, orders, reporting, settling, threads, workers
from pipeline.engine.active import ActiveRun
from pipeline.engine.faults import Trouble
from pipeline.engine.records import NewJob
from pipeline.engine.settling import _Look
from pipeline.identity import Identity
from pipeline.model import RunState

STOPPED = ("Paused on request.", "Drained: what ran is finished, nothing more is started.")
"""Why a run is paused that the operator has stopped."""
BEGUN_AHEAD = 5
LOAD_ROWS = 7
"""Rows that an engine here takes in at once when it resumes a run: few, so that commands fall in between."""
COMPARED_EVERY = 16
"""Steps after which memory and ledger are compared, if nothing is under way then."""
CALM_STEPS = 60_000
"""Steps after the last fault within which everything must be over."""


class World:
    """One world from its seed to the end of its runs."""

    def __init__(self, seed: int, steps: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.time = Timeline()
        self.calm = False
        self._found: Violation | None = None
        self._stopped: ActiveRun | None = None
        """The run that the operator has paused or drained and not let go on."""
        self._was_stopped = False
        self._seen_run: ActiveRun | None = None
        self.faults = Faults(self)
        self.operator = Operator(self)
        self._steps = steps
        self._natures: dict[str, str] = {}
        self._tries: dict[str, int] = {}
        self._plans: dict[tuple[bytes, ...], list[NewJob]] = {}
        self.children: list[SimChild] = []
        self._pids = 0
        self.settings = draw_settings(self.chance)
        self.ledger = WatchedLedger()
        self.rules = Rules(
            self.settings.engine,
            now_s=lambda: self.time.now_s,
            nature=self.nature,
            note=self.time.note,
            broken=self.broken,
        )
        self.life: Life

    def run(self) -> None:
        """Go through `steps` events with faults, then on without until every run is over. Raises Violation."""
        with self._instead():
            self.life = Life(self)
            try:
                self.faults.begin()
                while self.time.steps < self._steps:
                    self._step()
                self._come_to_an_end()
                self.rules.audit(self.ledger, self.operator.cancelled)
            finally:
                self.life.loop.abandon()
                self.ledger.close()

    def _come_to_an_end(self) -> None:
        """Let faults cease, and see every run end."""
        self.calm = True
        self.faults.cease()
        last = self.time.steps + CALM_STEPS
        while not self._is_over():
            self._step()
            if self.time.steps > last:
                self.broken(f"the runs do not end: {[(run.run_id, run.state) for run in self.ledger.runs()]}")

    def broken(self, what: str) -> None:
        before = "\n".join(self.time.trace)
        found = Violation(f"seed {self.seed}, step {self.time.steps}: {what}\nThe events before it:\n{before}")
        self._found = self._found or found
        raise found

    def _step(self) -> None:
        life, time = self.life, self.time
        timer_s = life.loop.next_timer_s()
        if timer_s <= time.next_s():
            time.now_s = max(time.now_s, timer_s)
            time.step("timer")
            life.loop.settle()
        else:
            kind, act = time.take()
            if act.life not in (None, life):
                return  # of an engine that is gone
            time.step(kind)
            if act.outside:
                act.do()
            else:
                life.loop.call_soon(act.do)
                life.loop.settle()
        if self._dies_now():
            self._perish()
        life = self.life
        if self._found:
            raise self._found
        if life.loop.errors:
            self.broken(f"an error that nobody took: {life.loop.errors[0]}")
        if life.up:
            self._ask_rules(life)

    def _ask_rules(self, life: Life) -> None:
        run = life.core.active
        if run is not self._seen_run:
            self._seen_run = run
            self.rules.loaded_anew()
        stopped = run and (run.state is RunState.DRAINING or run.paused_because in STOPPED)
        if stopped and not self._was_stopped:
            self._stopped = run
        self._was_stopped = bool(stopped)
        self.rules.watch(life.core)
        if run and self.time.steps % COMPARED_EVERY == 0 and life.is_quiet():
            self.time.kinds["compared"] += 1
            self.rules.compare(life.core, self.ledger)

    def _is_over(self) -> bool:
        open_states = (RunState.QUEUED, RunState.RUNNING, RunState.PAUSED, RunState.DRAINING, RunState.INTERRUPTED)
        return self.life.up and self.life.is_quiet() and not (self.life.is_busy() or self.ledger.runs(*open_states))

    def ordered(self, command: commands.Command) -> None:
        """The engine takes a command up."""
        if isinstance(command, commands.Unpause | commands.ResumeRun | commands.Retry):
            self._stopped = None

    def soon(self, delay_s: float, kind: str, act: Callable[[], None], *, outside: bool = False) -> None:
        """Let something happen in this engine's life, or `outside` of any."""
        self.time.after(delay_s, kind, Act(act, life=None if outside else self.life, outside=outside))

    def said(self, kind: str, detail: object = "") -> None:
        self.time.note(kind, detail)

    def nature(self, name: str) -> str:
        return self._natures[name]

    def tries(self, name: str) -> int:
        self._tries[name] = self._tries.get(name, 0) + 1
        return self._tries[name]

    def hit(self, name: str) -> None:
        """A job fails because of a fault of the surroundings."""
        self.rules.hit.add(name)

    def fault_passes(self) -> None:
        """What has failed because of a fault, and was not judged yet, will look as if that had never been."""
        running = {job.name for job in self.rules.running.values()}
        self.rules.unlucky |= self.rules.hit & running
        self.rules.hit.clear()

    def done(self, token: str) -> None:
        self.rules.told_done.add(token)

    def busy_children(self) -> int:
        return sum(1 for child in self.children if child.job is not None and not child.dead)

    def job_sent(self, child: SimChild, job: dict[str, Any]) -> None:
        core = self.life.core
        run = core.active
        if run is self._stopped:
            self.broken(f"job {job['job_id']} was handed out though the operator had stopped the run")
        if run is None or run.state is not RunState.RUNNING or core.closing or core.ledger_trouble:
            self.broken(f"job {job['job_id']} was handed out while the run was {run and run.state}")
        if child.held > 1 + self.settings.engine.lease_ahead:
            self.broken(f"a worker was given {child.held} jobs")

    async def spawn(self, _command: object, *, on_message: Any, on_end: Any) -> SimChild:
        """Stand in for `Child.spawn`."""
        await self.life.pause(self.chance.choice((0.0, 0.01, 0.1)))
        sick = self.time.now_s < self.faults.sick_until_s
        if not self.calm and self.chance.random() < (0.3 if sick else 0.01):
            self.said("spawn refused")
            raise OSError(11, "Resource temporarily unavailable")
        self._pids += 1
        self.children = [child for child in self.children if not child.dead]
        child = SimChild(self, self._pids, on_message, on_end)
        self.children.append(child)
        fault = not self.calm and self.chance.random()
        child.begin(dies=sick and fault < 0.9, hangs=not self.calm and fault > 0.99)
        return child

    def batches(self, inputs: tuple[bytes, ...], run_id: int) -> Iterator[list[NewJob]]:
        """Yield what discovery finds that the run does not know."""
        plan = self._plans[inputs]
        while plan:
            size = self.chance.choice((1, 2, 5, 20))
            batch, plan = plan[:size], plan[size:]
            new = [one for one in batch if not self.ledger.has(run_id, one.relative)]
            if new:
                yield new

    def look(self, job_id: int, source: bytes, before: Identity, surroundings: Any) -> _Look:
        """Stand in for a look at a settling file."""
        chance = self.chance.random()
        name = source.decode().removeprefix("/in/")
        if trouble := surroundings.scan_trouble(0):
            return _Look(job_id, source, before, trouble=trouble)
        if chance < 0.2:
            return _Look(job_id, source, before._replace(mtime_ns=before.mtime_ns + 1))
        if chance < 0.22 and not self.calm:
            self.rules.unreadable.add(name)
            return _Look(job_id, source, before, error="cannot be read: gone")
        return _Look(job_id, source, before, content_id=f"c{before.inode}")

    def report(self, *_: object, **__: object) -> None:
        """Stand in for the writing of reports."""
        self.said("reports")
        if self.faults.disk_full or (not self.calm and self.chance.random() < 0.05):
            raise OSError(28, "No space left on device")

    async def prepare(self, _core: object, run: ActiveRun) -> Trouble | None:
        """Stand in for the preparation of a run."""
        run.surroundings = SimSurroundings(self)
        trouble = await threads.in_thread(lambda: run.surroundings.scan_trouble(0) or run.surroundings.out_trouble())
        if not self.calm and self.chance.random() < 0.03:
            self.said("cannot begin")
            raise OSError(13, "Permission denied")
        return trouble

    def inputs(self, folder: int) -> tuple[bytes, ...]:
        """Return the inputs of a run over a folder, drawn when it is first asked for."""
        inputs = (b"/in/%d" % folder,)
        if inputs not in self._plans:
            drawn = draw_plan(self.chance, folder)
            self._natures |= {new.relative.decode(): nature for new, nature in drawn}
            self._plans[inputs] = [new for new, _ in drawn]
        return inputs

    def _dies_now(self) -> bool:
        ledger = self.life.core.ledger
        return bool({"": False, "now": True, "asked": ledger.asked, "unheard": ledger.unheard}[self.faults.engine_dies])

    def _perish(self) -> None:
        """End the engine, its loop and its workers at once; what was not committed is lost."""
        self.faults.engine_dies = ""
        ledger = self.life.core.ledger
        self.said("died with operations lost" if ledger.asked else "died with nothing asked")
        if ledger.unheard:
            self.said("died before the answer was heard")
        for job in self.rules.running.values():
            job.alone_deaths += job.alone
        self.life.loop.abandon()
        self._next_life()

    def close(self) -> None:
        """Stop the engine as a signal does; another follows when it has ended."""
        if self.life.up:
            self.life.close(lambda: self.soon(0, "closed", self._closed, outside=True))

    def _closed(self) -> None:
        states = (RunState.QUEUED, RunState.RUNNING, RunState.PAUSED, RunState.DRAINING)
        if self.ledger.runs(*states):
            self.broken("an engine that ended left a run open")
        self.life.loop.abandon()
        self._next_life()

    def _next_life(self) -> None:
        self.children = []
        self.life = Life(self)

    @contextmanager
    def _instead(self) -> Iterator[None]:
        """Put the world in the place of processes, threads, files and the walk over them."""
        with ExitStack() as stack:
            for module, name, stand_in in (
                (workers, "Child", SimpleNamespace(spawn=self.spawn)),
                (threads, "threading", SimpleNamespace(Thread=self._thread)),
                (settling, "_look", self.look),
                (reporting, "write_reports", self.report),
                (orders, "check", lambda command: None),
                (conductor, "prepare", self.prepare),
                (load, "LOAD_ROWS", LOAD_ROWS),
                (load, "BEGUN_AHEAD", BEGUN_AHEAD),
                (conductor, "Scan", lambda *parts, **listeners: self.life.scan(*parts, **listeners)),
            ):
                stack.enter_context(mock.patch.object(module, name, stand_in))
            yield

    def _thread(self, *, target: Callable[[], None], **_: object) -> Any:
        delay_s = self.chance.choice((0.0, 0.01, 0.3))
        return SimpleNamespace(start=lambda: self.soon(delay_s, "thread", target))
