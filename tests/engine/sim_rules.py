"""What must hold in the simulation: of every committed move, and of the engine's memory when nothing is under way."""

from collections import Counter
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

from sim_ledger import Move, WatchedLedger
from sim_worker import INNOCENT

from pipeline.engine.scheduler import retry_pause
from pipeline.model import BAD, JOB_TRANSITIONS, TERMINAL, JobState, RunState
from pipeline.sections import EngineSettings

LIVE = {RunState.RUNNING, RunState.PAUSED, RunState.DRAINING}
IDLE_S = 5.0
"""How long a worker may stand idle, or hold back a job that it has ahead, beside a job that could start."""
OVERTAKEN = 60
"""How many jobs that were ready later may start before one that is ready, beside those handed ahead."""
MOST_WORKERS = 6


@dataclass(slots=True)
class Seen:
    """What the rules know of a job from its committed moves."""

    job_id: int
    name: str
    state: JobState
    attempt: int = 0
    wins: int = 0
    may_win: int = 1
    not_before_s: float = 0.0
    epoch: int = -1
    ready: int = 0
    """The place of its last becoming ready in the order of all."""
    overtaken: int = 0
    returned: bool = False
    """Whether it became ready by being given back."""
    alone: bool = False
    alone_kills: int = 0
    alone_deaths: int = 0


class Rules:
    """The oracle; `broken` is called with what is wrong."""

    def __init__(
        self,
        limits: EngineSettings,
        *,
        now_s: Callable[[], float],
        nature: Callable[[str], str],
        note: Callable[..., None],
        broken: Callable[[str], None],
    ) -> None:
        self._limits = limits
        self._now_s = now_s
        self._nature = nature
        self._note = note
        self._broken = broken
        self._ready = 0
        self._since: dict[str, float] = {}
        self._queued: dict[int, Seen] = {}
        self.on_workers: Callable[[], Container[int]] = tuple
        """Jobs that workers have; others that still run in the ledger are being judged."""
        self.may_start: Callable[[int], bool] = bool
        """Whether a queued job is of the active run and need not run alone."""
        self.unreadable: set[str] = set()
        """Names of files that vanished while they settled."""
        self.hit: set[str] = set()
        """Names of files that just failed because of a fault of the surroundings."""
        self.unlucky: set[str] = set()
        """Names of files that failed because of a fault that had passed when it was looked at: that is not seen."""
        self.told_done: set[str] = set()
        """Tokens of the attempts that a worker has carried to their end."""
        self.jobs: dict[int, Seen] = {}
        self.running: dict[int, Seen] = {}
        self.epoch = 0
        """Raised whenever the engine loads rows anew: pauses do not outlive that."""

    # ---- committed moves

    def take(self, moves: list[Move]) -> None:
        """Look at what was committed."""
        for move in moves:
            if move.note:
                self._broken(f"{move.note}: job {move.job_id}")
            self._note(f"{move.before or 'new'} > {move.after}", move.job_id)
            if not move.before:
                name = move.name.decode()
                if move.job_id in self.jobs:
                    self._broken(f"job {move.job_id} was added twice")
                self.jobs[move.job_id] = Seen(move.job_id, name, JobState(move.after))
                self._became(self.jobs[move.job_id], move)
                continue
            job = self.jobs[move.job_id]
            before, after = JobState(move.before), JobState(move.after)
            if job.state is not before:
                self._broken(f"{job} was {before} in the ledger")
            if after not in JOB_TRANSITIONS[before]:
                self._broken(f"{job} may not become {after}")
            if before is JobState.RUNNING:
                self.running.pop(job.job_id, None)
            if before in TERMINAL:
                self._sent_back(job, before)
            job.state = after
            self._became(job, move)

    def _sent_back(self, job: Seen, before: JobState) -> None:
        job.may_win += before is JobState.PARTIAL
        job.alone_kills = job.alone_deaths = 0

    def _became(self, job: Seen, move: Move) -> None:
        limits = self._limits
        if move.attempts > limits.max_attempts or move.attempts < 0:
            self._broken(f"{job} is charged {move.attempts} attempts of {limits.max_attempts}")
        if move.crashes > limits.max_crashes:
            self._broken(f"{job} crashed {move.crashes} times; {limits.max_crashes} quarantine it")
        if move.kills > limits.max_engine_deaths:
            self._broken(f"{job} was given back {move.kills} times after kills, though it should run alone")
        state = job.state
        if state is JobState.RUNNING:
            self._started(job, move)
        elif state in {JobState.DONE, JobState.PARTIAL}:
            job.wins += 1
            if move.token and move.token not in self.told_done:
                self._broken(f"{job} is {state} though the worker that had it never said so")
            if job.wins > job.may_win:
                self._broken(f"{job} was finished {job.wins} times")
        elif state in BAD:
            self._fell(job)
        self._queued.pop(job.job_id, None)
        if state in {JobState.WAITING, JobState.QUEUED}:
            self._ready += 1
            job.ready, job.overtaken, job.epoch = self._ready, 0, self.epoch
        if state is JobState.QUEUED:
            job.returned = move.before == JobState.RUNNING
            self._queued[job.job_id] = job
        if state is JobState.WAITING:
            job.not_before_s = self._now_s() + retry_pause(move.attempts, limits)

    def _started(self, job: Seen, move: Move) -> None:
        if move.attempt != job.attempt + 1:
            self._broken(f"{job} starts attempt {move.attempt} after {job.attempt}")
        job.attempt = move.attempt
        if move.before == JobState.WAITING and job.epoch == self.epoch and self._now_s() < job.not_before_s - 0.001:
            self._broken(f"{job} starts at {self._now_s()} before its pause is over at {job.not_before_s}")
        job.alone = max(move.engine_deaths, move.kills) >= self._limits.max_engine_deaths
        beside = [other for other in self.running.values() if other.job_id in self.on_workers()]
        if beside and (job.alone or any(other.alone for other in beside)):
            self._broken(f"a job that must run alone does not: {job} beside {beside}")
        self.running[job.job_id] = job
        oldest = next((one for one in self._queued.values() if self.may_start(one.job_id)), None)
        if oldest and oldest.ready < job.ready and not job.returned:
            oldest.overtaken += 1
            if oldest.overtaken > OVERTAKEN + 3 * MOST_WORKERS * self._limits.lease_ahead:
                self._broken(f"{oldest} has waited while {oldest.overtaken} later ones were started")

    def slept(self) -> None:
        """Nothing could happen for a while: what lasts begins anew."""
        self._since.clear()

    def loaded_anew(self) -> None:
        """The engine takes in rows from the ledger: their order, and their pauses, begin again."""
        self.epoch += 1
        self._queued.clear()

    def _fell(self, job: Seen) -> None:
        if self._nature(job.name) not in INNOCENT or job.name in self.unreadable | self.unlucky:
            return
        limits = self._limits
        excused = job.alone_kills >= min(limits.max_crashes, limits.max_attempts)
        if not (excused or job.alone_deaths >= limits.max_engine_deaths):
            self._broken(f"an innocent job is {job.state}: {job}")

    # ---- the engine's memory

    def watch(self, core: Any) -> None:
        """Look at what must hold after every event."""
        pool, run = core.pool, core.active
        busy = [worker for worker in pool.workers.values() if worker.running or worker.reserved]
        if any(worker.alone for worker in busy) and len(busy) > 1:
            self._broken(f"a job that must run alone has another beside it: {busy}")
        if core.fatal:
            self._broken(f"the engine gave up: {core.fatal}")
        if len(core.notices) > core.settings.engine.events_kept:
            self._broken("notices without bound")
        if run is None:
            return
        for worker in busy:
            if len(worker.leased) > self._limits.lease_ahead:
                self._broken(f"{len(worker.leased)} jobs ahead of {self._limits.lease_ahead}")
        if run.begun and len(run.queue) > len(run.rows):
            self._broken(f"{len(run.queue)} places in the queue for {len(run.rows)} jobs")
        self._work_is_not_left(core)

    def _work_is_not_left(self, core: Any) -> None:
        """No worker stands idle for long while a job could start."""
        pool, run = core.pool, core.active
        going = run.state is RunState.RUNNING and not (core.closing or core.ledger_trouble or core.fatal)
        free = [one for one in pool.workers.values() if one.free and not one.killed]
        busy = len(pool.running())
        alone = any(worker.alone for worker in pool.workers.values())
        ready, lonely = len(run.queue._ready), len(run.queue._alone)
        fresh = lonely and not busy and all(one.ready for one in pool.workers.values())  # else one is on its way
        could = going and not alone and bool(ready or fresh) and (bool(free) or not pool.workers)
        self._lasting("a job could start and none is started", could and not pool.broken)
        behind = any(one.leased for one in pool.workers.values())
        self._lasting("a job waits behind another beside a worker that is idle", going and behind and bool(free))

    def _lasting(self, what: str, holds: bool) -> None:
        if not holds:
            self._since.pop(what, None)
        elif self._now_s() - self._since.setdefault(what, self._now_s()) > IDLE_S:
            self._broken(f"{what}, for {IDLE_S} s")

    def compare(self, core: Any, ledger: WatchedLedger) -> None:
        """With nothing under way: what the engine holds of its run is what the ledger says."""
        run = core.active
        state = ledger.run(run.record.run_id).state
        if state is RunState.QUEUED:
            return  # to be loaded anew
        if run.state is not state:
            self._broken(f"run {run.record.run_id} is {run.state} in memory and {state} in the ledger")
        if not run.begun:
            return
        rows = ledger.states(run.record.run_id)
        if len(run.rows) != len(rows):
            self._broken(f"{len(run.rows)} rows in memory, {len(rows)} in the ledger")
        for shown in run.rows:
            if shown.state is not rows[shown.job_id]:
                self._broken(f"job {shown.job_id} is {shown.state} in memory and {rows[shown.job_id]} in the ledger")
        counts = Counter(rows.values())
        if +run.counts != counts:
            self._broken(f"counts {+run.counts} in memory and {counts} in the ledger")
        left = sum(count for state, count in counts.items() if state not in TERMINAL)
        estimated = len(run.estimate._known) + run.estimate._unknown_jobs
        if run.state in LIVE and estimated != left:
            self._broken(f"the estimate counts {estimated} jobs of {left}")
        if run.state in LIVE:
            self._compare_queue(core, rows)

    def _compare_queue(self, core: Any, rows: dict[int, JobState]) -> None:
        queue = core.active.queue
        places = [*queue._ready, *queue._alone, *(job_id for _, job_id, _ in queue._waiting)]
        leased = [one.job.job_id for worker in core.pool.workers.values() for one in worker.leased]
        there = Counter(one for one in [*places, *leased] if rows[one] not in TERMINAL)
        open_jobs = {job_id for job_id, state in rows.items() if state in {JobState.QUEUED, JobState.WAITING}}
        twice = [job_id for job_id, times in there.items() if times > 1]
        if twice:
            self._broken(f"jobs {twice} have more than one place")
        if set(there) != open_jobs:
            self._broken(f"jobs without a place: {open_jobs - set(there)}; places without: {set(there) - open_jobs}")
        held = {one.running.job.job_id for one in core.pool.workers.values() if one.running}
        running = {job_id for job_id, state in rows.items() if state is JobState.RUNNING}
        if not running <= held:
            self._broken(f"jobs {running - held} run in the ledger and on no worker")

    def audit(self, ledger: WatchedLedger, cancelled: Container[int]) -> None:
        """At the end, when faults have ceased: every job is over, and every attempt closed.

        `cancelled` are the jobs whose cancelling was asked for.
        """
        if ledger.open_attempts():
            self._broken(f"attempts left open: {ledger.open_attempts()}")
        for run in ledger.runs(limit=1000):
            for job in ledger.jobs(run.run_id):
                if job.state not in TERMINAL:
                    self._broken(f"job {job.job_id} is {job.state} in run {run.run_id}, which is {run.state}")
                if job.state is JobState.CANCELLED and run.state is RunState.DONE and job.job_id not in cancelled:
                    self._broken(f"job {job.job_id} is cancelled in run {run.run_id} that went on and is done")
                told = ledger.attempts(job.job_id)
                if [one["attempt"] for one in told] != list(range(1, job.attempt + 1)):
                    self._broken(f"job {job.job_id} has attempts {told}")
