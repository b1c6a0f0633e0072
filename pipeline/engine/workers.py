"""The bounded pool of workers: starts, watches, kills and replaces them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from pipeline import wire
from pipeline.engine.child import Child, Death
from pipeline.engine.scale import Scale
from pipeline.engine.slots import Running, Worker
from pipeline.errors import SCARCE
from pipeline.sections import EngineSettings

RESTART_PAUSE_S = 0.1
"""Pause after a worker died at start; doubled for each further one until the breaker opens."""
HEAVY_TOLD_S = 600.0
"""How often at most it is told that workers are replaced because they had grown."""
CROWDED_S = 60.0
"""How long there are fewer workers after one could not be started for want of descriptors, processes or memory."""
CLOSE_STEP_S = 0.02
"""How often a closing pool looks whether its jobs are given back."""


class PoolListener(Protocol):
    """Who is told what happens in the pool; every call is on the loop."""

    def worker_ready(self, worker: Worker) -> None:
        """A worker can be given a job."""

    def worker_said(self, worker: Worker, message: wire.Message) -> None:
        """A worker sent a message about its job."""

    def worker_died(self, worker: Worker, death: Death | OSError) -> None:
        """A worker is gone; `worker.running` is what it had. Its slot is free already."""

    def worker_replaced(self, worker: Worker, why: str) -> None:
        """A worker that did well is replaced; told of the first of many."""

    def breaker_opened(self, deaths: int, death: Death | OSError) -> None:
        """So many workers died at start, one after another, that none is started any more."""

    def crowded(self, standing: int, error: OSError) -> None:
        """No more than `standing` workers can be started: this process or the machine has no more to give."""


class Pool:
    """At most `target` workers, started when there is work for them."""

    def __init__(
        self,
        command: Sequence[str],
        limits: EngineSettings,
        listener: PoolListener,
        clock: Callable[[], float],
    ) -> None:
        self._command = tuple(command)
        self._listener = listener
        self._clock = clock
        self._spawning: set[asyncio.Task[None]] = set()
        self._start_deaths = 0
        self._not_before_s = 0.0
        self._ticked_s = clock()
        self._told_of_weight_s: float | None = None
        self.scale = Scale(clock, lambda: self.limits.worker_memory_cap_gb)
        self.recycled = 0
        """Workers replaced because they had done their share or had grown over their cap."""
        self._room: int | None = None
        self._room_until_s = 0.0
        self.workers: dict[int, Worker] = {}
        self.limits = limits
        self.target = 1

    @property
    def broken(self) -> bool:
        """Whether the breaker is open."""
        return self._start_deaths >= self.limits.breaker_deaths

    @property
    def room(self) -> int:
        """How many workers may stand: the target, or for a while as many as could be started."""
        if self._room is not None and self._clock() >= self._room_until_s:
            self._room = None
        return self.target if self._room is None else min(self.target, self._room)

    def start_anew(self) -> None:
        """Start workers again, as many as wanted, and tell those that stand of the run again."""
        self._start_deaths = 0
        self._not_before_s = 0.0
        self._room = None
        for worker in self.workers.values():
            worker.told_run = 0

    def fewer(self) -> bool:
        """Go on with one worker fewer for a while; return whether there is one to spare."""
        if self.room <= 1:
            return False
        self._room, self._room_until_s = self.room - 1, self._clock() + CROWDED_S
        return True

    def ensure(self, wanted: int) -> None:
        """Start workers until `wanted` or the target stand; retire those above the target."""
        standing = [worker for worker in self.workers.values() if not worker.retiring]
        for worker in sorted(
            standing, key=lambda one: (one.child is not None, one.running is not None or one.reserved)
        ):
            if len(standing) <= self.room:
                break
            standing.remove(worker)
            self._retire(worker)
        if self.broken or self._clock() < self._not_before_s:
            return
        for slot in range(self.target):
            if len(standing) >= min(wanted, self.room):
                break
            if slot not in self.workers:
                worker = Worker(slot, heard_s=self._clock())
                self.workers[slot] = worker
                standing.append(worker)
                task = asyncio.create_task(self._spawn(worker))
                self._spawning.add(task)
                task.add_done_callback(self._spawning.discard)

    def free(self) -> Worker | None:
        """Return a worker that can be given a job, one that has had none if there is one."""
        return min((one for one in self.workers.values() if one.free), key=lambda one: one.jobs_done, default=None)

    def running(self) -> list[Worker]:
        """Return the workers that have a job, or for which one is being charged."""
        return [worker for worker in self.workers.values() if worker.running or worker.reserved]

    def release(self, worker: Worker, then: Running | None = None) -> None:
        """Take a worker's finished job from it; `then` is what it goes on with.

        With nothing to go on with, the worker is replaced when it has done its share.
        """
        worker.running = then
        worker.alone = False
        worker.jobs_done += 1
        if then is not None:
            return
        if worker.retiring:
            self.let_go(worker)
        elif self.scale.is_over(worker):
            self._replace_heavy(worker)
        elif worker.jobs_done >= self.limits.recycle_after:
            self.renew(worker)

    def renew(self, worker: Worker) -> None:
        """Replace a worker by a fresh one once it has nothing left to do."""
        self.recycled += 1
        self._retire(worker)

    def renew_idle(self, worker: Worker) -> None:
        """Replace a free worker by a fresh one, unless a fresh one is on its way already."""
        if all(one.ready and not one.retiring for one in self.workers.values()):
            self.renew(worker)

    def kill(self, worker: Worker, why: str, because: str = "") -> None:
        """End a worker at once; `why` is what became of its job (stalled | timeout | memory | cancelled)."""
        worker.killed = worker.killed or why
        if worker.running and not worker.running.lost:
            worker.running.lost, worker.running.lost_because = why, because
        if worker.child:
            worker.child.kill()

    def watch(self) -> None:
        """Kill workers that have made no progress for too long, or whose attempt takes too long.

        Time in which the engine itself stood still (a machine put to sleep, a stopped process) does not count.
        """
        now = self._clock()
        passed, self._ticked_s = now - self._ticked_s, now
        slept = passed > self.limits.stall_s / 2
        for worker in list(self.workers.values()):
            if slept and worker.running:
                worker.running.started_s += passed
            if slept or (worker.ready and worker.running is None):
                worker.heard_s = now
            elif now - worker.heard_s > self.limits.stall_s:
                self.kill(worker, "stalled")
            elif worker.running and 0 < self.limits.job_timeout_s < now - worker.running.started_s:
                self.kill(worker, "timeout")
        for worker in self.scale.over(self.workers.values()):
            if worker.running:
                self.kill(worker, "memory", self.scale.sentence(worker))
            elif worker.jobs_done and not worker.retiring:
                self._replace_heavy(worker)

    async def close(self, grace_s: Callable[[], float]) -> None:
        """End all workers once their jobs are given back, or after `grace_s()` seconds (it may shrink meanwhile)."""
        begun_s = self._clock()
        while self.running() and self._clock() - begun_s < grace_s():  # noqa: ASYNC110 - grace_s has no event
            await asyncio.sleep(CLOSE_STEP_S)
        if self._spawning:
            await asyncio.wait(self._spawning)
        children = [worker.child for worker in self.workers.values() if worker.child]
        for child in children:
            child.kill()
        if children:
            await asyncio.wait([child.ended for child in children])

    def _retire(self, worker: Worker) -> None:
        worker.retiring = True
        self.let_go(worker)

    def let_go(self, worker: Worker) -> None:
        """Let a retiring worker end if it has nothing left to do."""
        busy = worker.running or worker.reserved or worker.leased
        if worker.retiring and not busy and worker.child:
            worker.child.hang_up()

    def _replace_heavy(self, worker: Worker) -> None:
        """Replace a worker that has grown over its cap between two jobs; told at most every HEAVY_TOLD_S."""
        now = self._clock()
        if self._told_of_weight_s is None or now - self._told_of_weight_s > HEAVY_TOLD_S:
            self._told_of_weight_s = now
            self._listener.worker_replaced(worker, self.scale.sentence(worker))
        self.renew(worker)

    async def _spawn(self, worker: Worker) -> None:
        try:
            worker.child = await Child.spawn(
                [*self._command, "--nice", str(self.limits.nice)],
                on_message=lambda message: self._heard(worker, message),
                on_end=lambda death: self._ended(worker, death),
            )
        except OSError as error:
            self._ended(worker, error)
            return
        if worker.killed:
            worker.child.kill()
        elif worker.retiring:
            worker.child.hang_up()

    def _heard(self, worker: Worker, message: wire.Message) -> None:
        worker.heard_s = self._clock()
        if message.get("type") == "ready" and not worker.ready:
            if self.scale.is_over(worker):
                self.kill(worker, "memory")
                return
            worker.ready = True
            self._start_deaths = 0
            self._listener.worker_ready(worker)
        else:
            self._listener.worker_said(worker, message)

    def _ended(self, worker: Worker, death: Death | OSError) -> None:
        del self.workers[worker.slot]
        if isinstance(death, OSError) and death.errno in SCARCE:
            self._not_started(death)
        elif not worker.ready and not worker.retiring:
            if worker.killed == "memory" and isinstance(death, Death):
                death = replace(death, said=f"{self.scale.sentence(worker)}, before any job")
            self._start_deaths += 1
            self._not_before_s = self._clock() + RESTART_PAUSE_S * 2.0**self._start_deaths
            if self._start_deaths == self.limits.breaker_deaths:
                self._listener.breaker_opened(self._start_deaths, death)
        self._listener.worker_died(worker, death)

    def _not_started(self, error: OSError) -> None:
        """Do with the workers that stand, once it is known of all that were being started whether they do."""
        self._not_before_s = self._clock() + RESTART_PAUSE_S
        there = [worker for worker in self.workers.values() if not worker.retiring]
        if any(worker.child is None for worker in there):
            return
        told, self._room, self._room_until_s = self._room, max(1, len(there)), self._clock() + CROWDED_S
        if told != self._room or not there:
            self._listener.crowded(len(there), error)
