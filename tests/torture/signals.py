"""Case 3: real headless runs told to end by a random signal, hang-up or closed pipe at a random moment, then resumed.

    python tests/torture/signals.py [--seconds 600] [--seed N] [--runs 200]

Each run must end within its grace with exit code 130 (or as if nothing had happened, where it was over already), leave
no process, charge no attempt, and after `vconsole resume` give what an undisturbed run gives.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from form import begin

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

from signals_harness import (
    GRACE_S,
    MOMENTS,
    SLACK_S,
    Program,
    broken,
    charged,
    make_inputs,
    resume,
    send,
    tmpfs_prefix,
)

from pipeline.engine.reader import LedgerReader
from pipeline.model import RunState

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def disturb(program: Program, source: Path, chance: random.Random, *, full: bool) -> str:
    """Tell a run to end in some way at some moment; return what was done."""
    moment = "pause" if full else chance.choice(sorted(MOMENTS))
    reached = program.until(
        lambda: program.run_state() is RunState.PAUSED if full else MOMENTS[moment](program, source), moment
    )
    pause_s = chance.choice((0.0, chance.uniform(0, 0.1), chance.uniform(0, 1.5)))
    try:
        program.process.wait(pause_s)
    except subprocess.TimeoutExpired:
        ways = ["once", "twice", "twice", "gone"]
        way, number = chance.choice(ways), chance.choice(SIGNALS)
        if way == "gone" and program.terminal >= 0:
            program.hang_up()
        elif way == "gone" and program.process.stdout:
            program.process.stdout.close()
            program.process.stdout = None
        else:
            send(program, number)
            if way == "twice":
                send(program, chance.choice(SIGNALS))
        return f"{moment} + {pause_s:.2f} s: {way} {number.name}"
    return f"{moment}: over before" if reached else f"{moment}: never came"


def trial(folder: Path, source: Path, undisturbed: Path, chance: random.Random) -> tuple[str, list[str]]:
    """Do one run; return what was done to it and what went wrong."""
    full = chance.random() < 0.2 and shutil.which("unshare") is not None
    terminal = chance.random() < 0.4
    prefix = tmpfs_prefix(folder / "out") if full else ()
    program = Program(folder, source, terminal=terminal, prefix=prefix)
    try:
        told = disturb(program, source, chance, full=full)
        code, said, took_s = program.ended()
        wrong = [f"took {took_s:.1f} s"] if took_s > GRACE_S + SLACK_S and code else []
        if program.run_state() is None:  # nothing to be kept yet: the signal may end it as it ends any program
            return f"{told}; it had not begun", wrong
        wrong += [] if code in {0, 130} else [f"exit code {code}: {said[-300:]}"]
        with LedgerReader.read_only(program.state) as ledger:
            left_open = ledger.runs(limit=1)[0].state is not RunState.INTERRUPTED
        if code == 130 and not left_open:
            wrong += [f"charged: {name}" for name, attempts in charged(program.state).items() if attempts]
        if program.run_state() is not RunState.DONE:
            resume(program)
        return told, wrong + broken(program, undisturbed)
    except AssertionError as error:
        return "a promise was not kept", [str(error)]
    finally:
        program.close()


def main() -> None:
    """Do runs until they, or the time, are over."""

    def options(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--runs", type=int, default=200, help="end after so many runs")

    form = begin(__doc__, seconds=600, add=options)
    done, violations = 0, []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["HOME"] = temporary
        source = make_inputs(folder / "in", dull=300)
        calm = Program(folder / "calm", source)
        code, said, _ = calm.ended()
        if code:
            form.end([f"the undisturbed run ended with {code}: {said[-500:]}"])
        while done < form.options.runs and form.left_s > 0 and not violations:
            told, wrong = trial(folder / str(done), source, calm.out, form.chance)
            done += 1
            violations += [f"{told}: {text}" for text in wrong]
            form.say(run=done, left_s=round(form.left_s), told=told, wrong=wrong)
            if not wrong:
                shutil.rmtree(folder / str(done - 1), ignore_errors=True)
    form.end(violations, runs=done)


if __name__ == "__main__":
    main()
