"""An engine that a test starts for one command, and waits for."""

from pathlib import Path

from waiting import until

from pipeline.commands import StartRun
from pipeline.engine import Engine
from pipeline.model import RunState
from pipeline.settings import Settings
from pipeline.snapshot import Snapshot


def carried_out(state: Path, settings: Settings, command: StartRun, *ends: RunState) -> Snapshot:
    """Carry out a run until it is in one of the states `ends`, by default done, and return the snapshot then."""
    engine = Engine(settings, state_dir=state)
    engine.start()
    try:
        engine.send(command)
        until(lambda: (run := engine.latest().run) is not None and run.state in (ends or (RunState.DONE,)))
        return engine.latest()
    finally:
        engine.close()
