"""An engine in a process of its own, to be killed: carries one run to its end and says how it ended.

    python engine_process.py STATE_DIR OPTIONS_JSON OUT INPUT... [--worker PROGRAM] [--at STAGE]

Prints a line `running` when the run has begun, `at STAGE` when a video is in that stage, and `done` at its end; on
stderr why it is paused.
Without --worker the real worker is used.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from pipeline.commands import StartRun
from pipeline.engine import Engine
from pipeline.errors import VconsoleError
from pipeline.model import RunKind, RunState
from pipeline.settings import PipelineSettings, Settings


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("state", type=Path)
    parser.add_argument("options", type=json.loads)
    parser.add_argument("out")
    parser.add_argument("inputs", nargs="+")
    parser.add_argument("--worker")
    parser.add_argument("--at", default="")
    arguments = parser.parse_args()
    settings = Settings.model_validate(arguments.options)
    command = (sys.executable, arguments.worker) if arguments.worker else None
    engine = Engine(settings, state_dir=arguments.state, worker_command=command)
    try:
        engine.start()
    except VconsoleError as error:
        sys.exit(f"{error} {error.remedy}")
    run_settings = PipelineSettings.model_validate(arguments.options)
    inputs = tuple(os.fsencode(path) for path in arguments.inputs)
    engine.send(StartRun(RunKind.EXTRACT, inputs, os.fsencode(arguments.out), "standard", run_settings))
    told, held = False, ""
    while True:
        snapshot = engine.latest()
        if snapshot.fatal or (snapshot.run is None and any(one.level == "error" for one in snapshot.notices)):
            engine.close()
            sys.exit(snapshot.fatal or snapshot.notices[0].text)
        if snapshot.run and not told:
            told = True
            print("running", flush=True)
        if arguments.at and any(str(row.stage) == arguments.at for row in snapshot.jobs if row.worker >= 0):
            print(f"at {arguments.at}", flush=True)
            arguments.at = ""
        if snapshot.run and snapshot.run.paused_because != held:
            held = snapshot.run.paused_because
            print(f"paused: {held}" if held else "goes on", file=sys.stderr, flush=True)
        if snapshot.run and snapshot.run.state is RunState.DONE:
            break
        time.sleep(0.01)
    engine.close()
    print("done", flush=True)


if __name__ == "__main__":
    main()
