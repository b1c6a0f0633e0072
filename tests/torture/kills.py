"""Point 8: kill -9 of engine, workers and model host together at random moments of one run, restarted each time.

    python tests/torture/kills.py [--kills 30] [--seed N] [--inputs FOLDER ...] [--victim group|worker|host]

Compares every dataset with that of an undisturbed run (integers and text exactly, floats within 1e-5), and asks the
oracle: ledger sound, every input accounted for, nothing finished twice, no innocent video quarantined, no temporary
file, no process left. With victim `worker` or `host` only that is killed and the engine runs on.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from compare import differences

from pipeline.engine.reader import LedgerReader
from pipeline.engine.store import LEDGER_NAME
from pipeline.errors import LedgerError
from pipeline.model import TERMINAL, JobState
from pipeline.outputs.manifest import read_manifest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "tests" / "engine" / "engine_process.py"
SHARED = ROOT.parent / "shared" / "media" / "videos"
OPTIONS: dict[str, Any] = {
    "engine": {"workers": 2, "settle_s": 0, "retry_pause_s": 0.2},
    "embed": {"models": ["tiny-shapes"]},
    "frames": {"candidates_per_s": 4},
}


class Run:
    """One run that may need many engines."""

    def __init__(self, folder: Path, inputs: list[str]) -> None:
        self.state, self.out = folder / "state", folder / "out"
        self.command = [sys.executable, str(PROGRAM), str(self.state), json.dumps(OPTIONS), str(self.out), *inputs]

    def start(self) -> "subprocess.Popen[str]":
        """Start an engine over the run and return once it has begun."""
        process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stdout
        if process.stdout.readline() != "running\n":
            raise SystemExit("the engine did not begin")
        return process

    def finish(self, process: "subprocess.Popen[str]") -> None:
        """Wait for the end of the run."""
        out, _ = process.communicate(timeout=3600)
        if process.returncode or out != "done\n":
            raise SystemExit(f"the run did not end well: {process.returncode} {out}")

    def counts(self) -> dict[str, int]:
        """Return the number of jobs by state."""
        with LedgerReader.read_only(self.state) as ledger:
            return {str(state): count for state, count in ledger.counts(1).items()}

    def oracle(self) -> dict[str, int]:
        """Raise AssertionError unless everything holds that must hold after a run; return attempts by outcome."""
        outcomes: collections.Counter[str] = collections.Counter()
        with contextlib.closing(sqlite3.connect(self.state / LEDGER_NAME)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with LedgerReader.read_only(self.state) as ledger:
            jobs = list(ledger.jobs(1))
            for job in jobs:
                told = [one["outcome"] for one in ledger.attempts(job.job_id)]
                outcomes.update(told)
                assert job.state in TERMINAL, f"{job.relative!r} is {job.state}"
                assert sum(one in {"done", "partial"} for one in told) <= 1, f"{job.relative!r} finished twice"
        assert len(list(read_manifest(os.fsencode(self.out)))) == len(jobs)
        left = list(self.out.rglob("*.part"))
        assert not left, f"temporary files: {left}"
        return dict(outcomes)


def family(pid: int) -> list[psutil.Process]:
    """Return the children of an engine."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill_group(process: "subprocess.Popen[str]") -> None:
    """Kill an engine and all its children in one breath; see that none outlives it."""
    children = family(process.pid)
    for pid in (process.pid, *(child.pid for child in children)):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.communicate()
    left = psutil.wait_procs(children, timeout=30)[1]
    assert not left, f"processes outlive the engine: {left}"


def kill_one(process: "subprocess.Popen[str]", program: str, chance: random.Random) -> bool:
    """Kill one child that runs `program`; return whether there was one."""
    found = [child for child in family(process.pid) if program in " ".join(_command(child))]
    if found:
        os.kill(chance.choice(found).pid, signal.SIGKILL)
    return bool(found)


def _command(child: psutil.Process) -> list[str]:
    try:
        return list(child.cmdline())
    except psutil.Error:
        return []


def await_moment(run: Run, process: "subprocess.Popen[str]", longest_s: float, chance: random.Random) -> bool:
    """Wait for a random moment; return whether the engine still runs then.

    Half of the moments are counted from the start of this engine, so that recovery and loading are hit, half from
    the first result of this engine, so that there is a run to be hit.
    """
    finished = finished_attempts(run)
    if chance.random() < 0.5:
        while process.poll() is None and finished_attempts(run) == finished:
            time.sleep(0.05)
    try:
        process.wait(chance.uniform(0.05, longest_s))
    except subprocess.TimeoutExpired:
        return True
    return False


def finished_attempts(run: Run) -> int:
    """Return how many jobs are over."""
    try:
        return sum(count for state, count in run.counts().items() if JobState(state) in TERMINAL)
    except LedgerError:
        return 0


def disturb(run: Run, kills: int, victim: str, longest_s: float, chance: random.Random) -> tuple[int, float]:
    """Carry a run to its end with `kills` kills at random moments; return how many fell, and the seconds it took."""
    begun, done = time.perf_counter(), 0
    process = run.start()
    while done < kills:
        if not await_moment(run, process, longest_s, chance):
            break
        if victim == "group":
            kill_group(process)
            done += 1
            print(
                json.dumps({"kill": done, "after_s": round(time.perf_counter() - begun, 1), **run.counts()}), flush=True
            )
            process = run.start()
        else:
            program = "pipeline.worker" if victim == "worker" else "pipeline.models.host"
            done += kill_one(process, program, chance)
    run.finish(process)
    return done, time.perf_counter() - begun


def main() -> None:
    """Run undisturbed, run disturbed, compare; print one JSON object at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--inputs", nargs="+", default=[str(SHARED)])
    parser.add_argument("--victim", choices=("group", "worker", "host"), default="group")
    parser.add_argument(
        "--longest-s", type=float, default=6.0, help="longest time from a start, or a result, to a kill"
    )
    parser.add_argument(
        "--keep", type=Path, help="folder to work in and to keep; an undisturbed run in it is used again"
    )
    arguments = parser.parse_args()
    print(json.dumps({"seed": arguments.seed}), flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        calm = Run(folder / "calm", arguments.inputs)
        begun = time.perf_counter()
        calm.finish(calm.start())
        calm_s = time.perf_counter() - begun
        rough = Run(folder / f"rough-{arguments.victim}-{arguments.seed}", arguments.inputs)
        chance = random.Random(arguments.seed)
        kills, rough_s = disturb(rough, arguments.kills, arguments.victim, arguments.longest_s, chance)
        outcomes = rough.oracle()
        found = differences(calm.out / "features", rough.out / "features")
        verdict = {
            "seed": arguments.seed,
            "victim": arguments.victim,
            "kills": kills,
            "undisturbed": calm.counts(),
            "undisturbed_s": round(calm_s, 1),
            "disturbed": rough.counts(),
            "disturbed_s": round(rough_s, 1),
            "attempts": outcomes,
            "differences": found[:20],
            "quarantined": rough.counts().get(str(JobState.QUARANTINED), 0),
        }
        print(json.dumps(verdict, indent=2))
        if found or calm.counts() != rough.counts():
            sys.exit(1)


if __name__ == "__main__":
    main()
