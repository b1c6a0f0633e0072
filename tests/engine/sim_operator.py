"""The operator of a simulated world: gives every command, at any moment, sensible or not."""

from typing import TYPE_CHECKING

from sim_rules import LIVE, MOST_WORKERS

from pipeline import commands
from pipeline.model import FailureClass, RunKind, RunState

if TYPE_CHECKING:
    from sim_world import World

RUNS = 6
"""Runs that are started in one world at most."""
FOLDERS = 4
"""Folders that runs may be of: few, so that some ask for the same."""


class Operator:
    """Acts now and then; when the world is calm, only so that every run can end."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.cancelled: set[int] = set()
        """Jobs that it wanted cancelled."""

    def act(self) -> None:
        """Do what an operator may want."""
        if self._world.life.up and not self._world.life.core.closing:
            command = self._command()
            if command is not None:
                self._world.said(f"command {type(command).__name__}", _told(command))
                if isinstance(command, commands.CancelJob):
                    self.cancelled.add(command.job_id)
                self._world.life.orders.put(command)

    def _command(self) -> commands.Command | None:
        run, chance = self._world.life.core.active, self._world.chance
        live = run is not None and run.state in LIVE
        if self._world.calm:
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
                return commands.CancelJob(chance.randrange(1, max(2, len(self._world.rules.jobs) + 2)))
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
        run = self._world.life.core.active
        if live is RunState.PAUSED and run.hold is None:
            return commands.Unpause()
        if live is None and not self._world.life.is_busy() and self._world.ledger.runs(RunState.INTERRUPTED):
            return commands.ResumeRun()
        return None

    def _begin_command(self) -> commands.Command:
        if len(self._world.ledger.runs()) < RUNS and self._world.chance.random() < 0.6:
            inputs = self._world.inputs(self._world.chance.randrange(FOLDERS))
            return commands.StartRun(RunKind.EXTRACT, inputs, b"/out", "standard", self._world.settings)
        return commands.ResumeRun(self._world.chance.choice((0, 0, self._world.chance.randrange(1, RUNS + 1))))

    def _retry_command(self) -> commands.Command:
        chance = self._world.chance
        if chance.random() < 0.2:
            return commands.Retry()
        if chance.random() < 0.3:
            return commands.Retry(failure=chance.choice(tuple(FailureClass)))
        if self.cancelled and chance.random() < 0.4:
            return commands.Retry(job_ids=(chance.choice(sorted(self.cancelled)),))
        over = [
            job.job_id for job in self._world.rules.jobs.values() if job.state in {"failed", "cancelled", "partial"}
        ]
        return commands.Retry(job_ids=(chance.choice(over),) if over else (1,))


def _told(command: commands.Command) -> str:
    return f"inputs {command.inputs}" if isinstance(command, commands.StartRun) else repr(command)
