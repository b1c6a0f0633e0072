"""What befalls a simulated world: kills, engines that end, full disks, suspends, workers that cannot start."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sim_time import Act

if TYPE_CHECKING:
    from sim_world import World


class Faults:
    """The faults that hold now, and those to come until the world is calm."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.disk_full = self.memory_short = self.input_gone = False
        self.host_up = True
        self.sick_until_s = 0.0
        """Until when workers die at start."""
        self.engine_dies = ""
        """At what moment the engine dies: now | asked | unheard; empty = not yet."""

    def cease(self) -> None:
        """Let all be well."""
        self.disk_full = self.memory_short = self.input_gone = False
        self.host_up = True
        self.sick_until_s = 0.0
        self.engine_dies = ""

    def begin(self) -> None:
        faults: tuple[tuple[float, Callable[[], None], bool], ...] = (
            (6.0, self._kill_outside, False),
            (150.0, self._die, True),
            (300.0, self._close, False),
            (4.0, self._world.operator.act, False),
            (120.0, self._change_surroundings, False),
            (400.0, self._suspend, True),
            (500.0, self._be_sick, False),
            (900.0, self._host_hopeless, False),
        )
        for mean_s, act, outside in faults:
            self._again(mean_s, act, outside)

    def _again(self, mean_s: float, act: Callable[[], None], outside: bool) -> None:
        def once() -> None:
            if not self._world.calm or act == self._world.operator.act:
                self._again(mean_s, act, outside)
                act()

        name = act.__name__.strip("_").replace("_", " ")
        self._world.time.after(self._world.chance.expovariate(1 / mean_s), name, Act(once, outside=outside))

    def _kill_outside(self) -> None:
        there = [child for child in self._world.children if not child.dead]
        if not there:
            return
        child = self._world.chance.choice(there)
        signal_name = self._world.chance.choice(("SIGKILL", "SIGTERM"))
        worker = next((one for one in self._world.life.core.pool.workers.values() if one.child is child), None)
        if worker and worker.running:
            job = self._world.rules.jobs[worker.running.job.job_id]
            self._world.said("killed with a job", job.job_id)
            if job.alone or any(one.alone for one in self._world.life.core.pool.workers.values()):
                self._world.said("killed alone", job.job_id)
                job.alone_kills += 1
        child.die(-9, signal_name, "")

    def _die(self) -> None:
        """End the engine soon: now, when it has asked the ledger for something, or when it has not heard the answer."""
        self.engine_dies = self._world.chance.choice(("now", "asked", "unheard"))

    def _close(self) -> None:
        self._world.close()

    def _change_surroundings(self) -> None:
        what, life = self._world.chance.choice(("disk", "memory", "inputs", "host")), self._world.life
        if what == "disk":
            self.disk_full = True
            self._world.said("disk full")
        elif what == "memory":
            self.memory_short = True
            self._world.said("memory short")
        elif what == "inputs":
            self.input_gone = True
            self._world.said("inputs gone")
        else:
            self.host_up = False
            self._world.said("host down")
            life.host_goes()
        self._world.soon(
            self._world.chance.uniform(1, 60), "surroundings better", self._surroundings_better, outside=True
        )

    def _surroundings_better(self) -> None:
        self._world.fault_passes()
        self.disk_full = self.memory_short = self.input_gone = False
        self.host_up = True
        self._world.life.loop.call_soon(self._world.life.host_comes)
        self._world.life.loop.settle()

    def _suspend(self) -> None:
        self._world.time.jump(self._world.chance.uniform(15, 500))
        self._world.rules.slept()

    def _be_sick(self) -> None:
        self.sick_until_s = self._world.time.now_s + self._world.chance.uniform(5, 60)
        self._world.said("workers die at start")

    def _host_hopeless(self) -> None:
        if self._world.life.up and not self._world.life.core.closing:
            self._world.life.conductor.host_hopeless("The model host can never serve.")
