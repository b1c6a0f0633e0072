"""A world for the real scheduler, drawn from a seed: engines that die, workers that fail, an operator, and a clock.

Real are conductor, orders, dispatcher, leases, pool, settling and the ledger on SQLite; not there are processes,
threads, files and time. Every step is one event; after each the rules are asked.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

from sim_engine import Life, SimSurroundings
from sim_ledger import WatchedLedger
from sim_rules import LIVE, MOST_WORKERS, Rules
from sim_time import Timeline, Violation
from sim_worker import NATURES, SimChild

from pipeline import commands
from pipeline.engine import conductor, load, orders, reporting, settling, threads, workers
from pipeline.engine.active import ActiveRun
from pipeline.engine.faults import Trouble
from pipeline.engine.records import NewJob
from pipeline.engine.settling import _Look
from pipeline.identity import Identity
from pipeline.model import JOB_TRANSITIONS, FailureClass, JobState, RunKind, RunState
from pipeline.settings import Settings

RUNS = 6
"""Runs that an operator starts in one world at most."""
STOPPED = ("Paused on request.", "Drained: what ran is finished, nothing more is started.")
"""Why a run is paused that the operator has stopped."""
BEGUN_AHEAD = 5
LOAD_ROWS = 7
"""Rows that an engine here takes in at once when it resumes a run: few, so that commands fall in between."""
CALM_STEPS = 60_000
"""Steps after the last fault within which everything must be over."""


REAL_MOVES = [
    (before, after)
    for before, targets in JOB_TRANSITIONS.items()
    for after in sorted(targets)
    if (before, after) not in {("queued", "skipped"), ("queued", "done"), ("waiting", "queued")}
]
"""Moves that a job may make and that something in the engine makes it do."""


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
        self._dies_when = ""
        self._seen_run: ActiveRun | None = None
        self._cancelled: set[int] = set()
        self.disk_full = self.memory_short = self.input_gone = False
        self.host_up = True
        self._sick_until_s = 0.0
        self._steps = steps
        self._natures: dict[str, str] = {}
        self._tries: dict[str, int] = {}
        self._plans: dict[tuple[bytes, ...], list[NewJob]] = {}
        self._children: list[SimChild] = []
        self._pids = 0
        self.settings = self._draw_settings()
        self.ledger = WatchedLedger()
        self.rules = Rules(
            self.settings.engine,
            now_s=lambda: self.time.now_s,
            nature=self.nature,
            note=self.time.note,
            broken=self.broken,
        )
        self.life: Life

    # ---- the run of the world

    def run(self) -> None:
        """Go through `steps` events with faults, then on without until every run is over. Raises Violation."""
        with self._instead():
            self.life = Life(self)
            try:
                self._schedule_faults()
                while self.time.steps < self._steps:
                    self._step()
                self._come_to_an_end()
                self.rules.audit(self.ledger, self._cancelled)
            finally:
                self.life.loop.abandon()
                self.ledger.close()

    def _come_to_an_end(self) -> None:
        """Let faults cease, and see every run end."""
        self.calm = self.host_up = True
        self._dies_when = ""
        self.disk_full = self.memory_short = self.input_gone = False
        self._sick_until_s = 0.0
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
            if getattr(act, "life", life) is not life:
                return
            time.step(kind)
            if getattr(act, "outside", False):
                act()
            else:
                life.loop.call_soon(act)
                life.loop.settle()
        if self._dies_now():
            self._perish()
        life = self.life
        if self._found:
            raise self._found
        if life.loop.errors:
            self.broken(f"an error that nobody took: {life.loop.errors[0]}")
        if life.up:
            run = life.core.active
            if run is not self._seen_run:
                self._seen_run = run
                self.rules.loaded_anew()
            stopped = run and (run.state is RunState.DRAINING or run.paused_because in STOPPED)
            if stopped and not self._was_stopped:
                self._stopped = run
            self._was_stopped = bool(stopped)
            self.rules.watch(life.core)
            if run and time.steps % 16 == 0 and life.is_quiet():
                time.kinds["compared"] += 1
                self.rules.compare(life.core, self.ledger)

    def _is_over(self) -> bool:
        open_states = (RunState.QUEUED, RunState.RUNNING, RunState.PAUSED, RunState.DRAINING, RunState.INTERRUPTED)
        return self.life.up and self.life.is_quiet() and not (self.life.is_busy() or self.ledger.runs(*open_states))

    # ---- what the parts of the world ask

    def ordered(self, command: commands.Command) -> None:
        """The engine takes a command up."""
        if isinstance(command, commands.Unpause | commands.ResumeRun | commands.Retry):
            self._stopped = None

    def soon(self, delay_s: float, kind: str, act: Callable[[], None], *, outside: bool = False) -> None:
        """Let something happen in this engine's life, or `outside` of any."""
        once = _Act(act, None if outside else self.life)
        self.time.after(delay_s, kind, once)

    def said(self, kind: str, detail: object = "") -> None:
        self.time.note(kind, detail)

    def nature(self, name: str) -> str:
        return self._natures[name]

    def tries(self, name: str) -> int:
        self._tries[name] = self._tries.get(name, 0) + 1
        return self._tries[name]

    def done(self, token: str) -> None:
        self.rules.told_done.add(token)

    def busy_children(self) -> int:
        return sum(1 for child in self._children if child.job is not None and not child.dead)

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
        sick = self.time.now_s < self._sick_until_s
        if not self.calm and self.chance.random() < (0.3 if sick else 0.01):
            self.said("spawn refused")
            raise OSError(11, "Resource temporarily unavailable")
        self._pids += 1
        self._children = [child for child in self._children if not child.dead]
        child = SimChild(self, self._pids, on_message, on_end)
        self._children.append(child)
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
        if self.disk_full or (not self.calm and self.chance.random() < 0.05):
            raise OSError(28, "No space left on device")

    async def prepare(self, _core: object, run: ActiveRun) -> Trouble | None:
        """Stand in for the preparation of a run."""
        run.surroundings = SimSurroundings(self)
        trouble = await threads.in_thread(lambda: run.surroundings.scan_trouble(0) or run.surroundings.out_trouble())
        if not self.calm and self.chance.random() < 0.03:
            self.said("cannot begin")
            raise OSError(13, "Permission denied")
        return trouble

    # ---- how it is drawn

    def _draw_settings(self) -> Settings:
        pick = self.chance.choice
        engine = {
            "workers": pick((1, 2, 3, 4, 6)),
            "worker_memory_cap_gb": pick((0, 2)),
            "lease_ahead": pick((0, 2, 4, 8)),
            "recycle_after": pick((1, 3, 10, 50)),
            "max_attempts": pick((1, 2, 3, 4)),
            "max_crashes": pick((1, 2, 3)),
            "max_engine_deaths": pick((1, 2, 3, 5)),
            "breaker_deaths": pick((2, 3, 5)),
            "job_timeout_s": pick((0, 200)),
            "settle_s": pick((0.5, 2)),
            "retry_pause_s": pick((0, 1, 5)),
            "retry_pause_max_s": 30,
            "stall_s": 20,
            "events_kept": 20,
            "runs_queued": 2,
            "nice": 0,
        }
        return Settings.model_validate({"engine": engine, "embed": {"enabled": False}})

    def _draw_plan(self, folder: int) -> tuple[bytes, ...]:
        inputs = (b"/in/%d" % folder,)
        if inputs in self._plans:
            return inputs
        plan: list[NewJob] = []
        for number in range(self.chance.choice((3, 20, 80, 200))):
            name = f"{folder}/{number:03}"
            self._natures[name] = self.chance.choices(tuple(NATURES), NATURES.values())[0]
            inode = folder * 1000 + number
            if plan and self.chance.random() < 0.1:
                inode = self.chance.choice(plan).identity.inode
            identity = Identity(1, inode, self.chance.randrange(1, 10_000), 1)
            state = self.chance.choices((JobState.SETTLING, JobState.QUEUED, JobState.SKIPPED), (1, 12, 1))[0]
            content = "" if state is JobState.SETTLING else f"c{inode}"
            if content:  # a copy: another file with the same content
                identity = identity._replace(inode=folder * 1000 + number)
            reason = "not media" if state is JobState.SKIPPED else ""
            relative = name.encode()
            plan.append(NewJob(b"/in/" + relative, relative, state, identity, content, reason))
        self._plans[inputs] = plan
        return inputs

    # ---- faults and the operator

    def _schedule_faults(self) -> None:
        faults: tuple[tuple[float, Callable[[], None], bool], ...] = (
            (6.0, self._kill_outside, False),
            (150.0, self._die, True),
            (300.0, self._close, False),
            (4.0, self._operate, False),
            (120.0, self._change_surroundings, False),
            (400.0, self._suspend, True),
            (500.0, self._be_sick, False),
            (900.0, self._host_hopeless, False),
        )
        for mean_s, act, outside in faults:
            self._again(mean_s, act, outside)

    def _again(self, mean_s: float, act: Callable[[], None], outside: bool) -> None:
        def once() -> None:
            if not self.calm or act == self._operate:
                self._again(mean_s, act, outside)
                act()

        name = act.__name__.strip("_").replace("_", " ")
        self.time.after(self.chance.expovariate(1 / mean_s), name, _Act(once, None, outside))

    def _kill_outside(self) -> None:
        there = [child for child in self._children if not child.dead]
        if not there:
            return
        child = self.chance.choice(there)
        signal_name = self.chance.choice(("SIGKILL", "SIGTERM"))
        worker = next((one for one in self.life.core.pool.workers.values() if one.child is child), None)
        if worker and worker.running:
            job = self.rules.jobs[worker.running.job.job_id]
            self.said("killed with a job", job.job_id)
            if job.alone or any(one.alone for one in self.life.core.pool.workers.values()):
                self.said("killed alone", job.job_id)
                job.alone_kills += 1
        child.die(-9, signal_name, "")

    def _die(self) -> None:
        """End the engine soon: now, when it has asked the ledger for something, or when it has not heard the answer."""
        self._dies_when = self.chance.choice(("now", "asked", "unheard"))

    def _dies_now(self) -> bool:
        ledger = self.life.core.ledger
        return bool({"": False, "now": True, "asked": ledger.asked, "unheard": ledger.unheard}[self._dies_when])

    def _perish(self) -> None:
        """End the engine, its loop and its workers at once; what was not committed is lost."""
        self._dies_when = ""
        ledger = self.life.core.ledger
        self.said("died with operations lost" if ledger.asked else "died with nothing asked")
        if ledger.unheard:
            self.said("died before the answer was heard")
        for job in self.rules.running.values():
            job.alone_deaths += job.alone
        self.life.loop.abandon()
        self._next_life()

    def _close(self) -> None:
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
        self._children = []
        self.life = Life(self)

    def _change_surroundings(self) -> None:
        what, life = self.chance.choice(("disk", "memory", "inputs", "host")), self.life
        if what == "disk":
            self.disk_full = True
            self.said("disk full")
        elif what == "memory":
            self.memory_short = True
            self.said("memory short")
        elif what == "inputs":
            self.input_gone = True
            self.said("inputs gone")
        else:
            self.host_up = False
            self.said("host down")
            life.host_goes()
        self.soon(self.chance.uniform(1, 60), "surroundings better", self._surroundings_better, outside=True)

    def _surroundings_better(self) -> None:
        self.disk_full = self.memory_short = self.input_gone = False
        self.host_up = True
        self.life.loop.call_soon(self.life.host_comes)
        self.life.loop.settle()

    def _suspend(self) -> None:
        self.time.jump(self.chance.uniform(15, 500))
        self.rules.slept()

    def _be_sick(self) -> None:
        self._sick_until_s = self.time.now_s + self.chance.uniform(5, 60)
        self.said("workers die at start")

    def _host_hopeless(self) -> None:
        if self.life.up and not self.life.core.closing:
            self.life.conductor.host_hopeless("The model host can never serve.")

    def _operate(self) -> None:
        """Do what an operator may want."""
        if self.life.up and not self.life.core.closing:
            command = self._command()
            if command is not None:
                self.said(f"command {type(command).__name__}", _told(command))
                if isinstance(command, commands.CancelJob):
                    self._cancelled.add(command.job_id)
                self.life.orders.put(command)

    def _command(self) -> commands.Command | None:
        run, chance = self.life.core.active, self.chance
        live = run is not None and run.state in LIVE
        if self.calm:
            return self._calm_command(run.state if run and live else None)
        if not live and chance.random() < 0.7:
            return self._begin_command()
        kinds = {
            "pause": 4,
            "unpause": 12,
            "drain": 3,
            "job": 8,
            "retry": 6,
            "run": 1,
            "workers": 3,
            "start": 1,
            "go": 2,
        }
        match chance.choices(tuple(kinds), kinds.values())[0]:
            case "pause":
                return commands.Pause()
            case "unpause":
                return commands.Unpause()
            case "drain":
                return commands.Drain()
            case "job":
                return commands.CancelJob(chance.randrange(1, max(2, len(self.rules.jobs) + 2)))
            case "retry":
                return self._retry_command()
            case "run":
                return commands.CancelRun(run.record.run_id if run and chance.random() < 0.8 else chance.randrange(8))
            case "workers":
                return commands.SetWorkers(chance.randrange(MOST_WORKERS + 1))
            case "start":
                return self._begin_command()
        return commands.ResumeRun(chance.randrange(8))

    def _calm_command(self, live: RunState | None) -> commands.Command | None:
        run = self.life.core.active
        if live is RunState.PAUSED and run.hold is None:
            return commands.Unpause()
        if live is None and not self.life.is_busy() and self.ledger.runs(RunState.INTERRUPTED):
            return commands.ResumeRun()
        return None

    def _begin_command(self) -> commands.Command:
        if len(self.ledger.runs()) < RUNS and self.chance.random() < 0.6:
            inputs = self._draw_plan(self.chance.randrange(4))
            return commands.StartRun(RunKind.EXTRACT, inputs, b"/out", "standard", self.settings)
        return commands.ResumeRun(self.chance.choice((0, 0, self.chance.randrange(1, RUNS + 1))))

    def _retry_command(self) -> commands.Command:
        chance = self.chance
        if chance.random() < 0.2:
            return commands.Retry()
        if chance.random() < 0.3:
            return commands.Retry(failure=chance.choice(tuple(FailureClass)))
        if self._cancelled and chance.random() < 0.4:
            return commands.Retry(job_ids=(chance.choice(sorted(self._cancelled)),))
        over = [job.job_id for job in self.rules.jobs.values() if job.state in {"failed", "cancelled", "partial"}]
        return commands.Retry(job_ids=(chance.choice(over),) if over else (1,))

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


class _Act:
    """An event; one of a life that is over does not happen."""

    def __init__(self, act: Callable[[], None], life: Life | None, outside: bool = True) -> None:
        self._act = act
        if life is not None:
            self.life = life
        self.outside = life is None and outside

    def __call__(self) -> None:
        self._act()


def _told(command: commands.Command) -> str:
    return f"inputs {command.inputs}" if isinstance(command, commands.StartRun) else repr(command)


MUST_HAPPEN = (
    *("tick", "timer", "commit", "answer", "refused", "discovery", "compared", "reports", "suspend", "kill outside"),
    *("killed with a job", "killed alone", "dies at start", "spawn refused", "workers die at start", "cannot begin"),
    *("died with nothing asked", "died with operations lost", "died before the answer was heard", "close", "closed"),
    *("disk full", "memory short", "inputs gone", "host down", "surroundings better", "host hopeless", "told ready"),
    *(f"told finished {outcome}" for outcome in ("done", "partial", "failed", "skipped", "stopped")),
    *(f"end killed by {name}" for name in ("SIGKILL", "SIGTERM", "SIGSEGV")),
    *("end exit code 0", "end exit code 1", "told progress"),
    *(f"command {kind.__name__}" for kind in commands.Command.__args__),
    *(f"{before} > {after}" for before, after in REAL_MOVES),
)
"""What a long simulation has seen; one that misses any of it has not tried what it says."""


def missing(kinds: Counter[str]) -> list[str]:
    """Return what should have happened and did not."""
    return [kind for kind in MUST_HAPPEN if not kinds[kind]]
