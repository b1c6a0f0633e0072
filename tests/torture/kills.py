"""kill -9 of workers, the model host, or engine and all its children at once, at random moments of one long run.

    python tests/torture/kills.py [--kills 500] [--seed N] [--seconds 2400] [--victims group worker host]
                                   [--chunk-s 0]

The inputs are real videos from ../shared/media where that is, and ones made here; copies of them that differ in a box
that says nothing are added while the run goes on, so that there is always something to be hit. Afterwards the oracle is
asked (ledger sound, every input accounted for, no video and no chunk finished twice, no innocent video quarantined,
every output readable, no temporary file, no process left), and everything is compared with an undisturbed run over the
same inputs: integers and text exactly, floats within 1e-5. With `--chunk-s` the disturbed run cuts videos longer than
that into chunks, and the undisturbed one does not.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
from compare import differences
from form import Form, begin

from pipeline.engine.reader import LedgerReader
from pipeline.engine.store import LEDGER_NAME
from pipeline.identity import sha256_of
from pipeline.media.samples import make
from pipeline.model import TERMINAL, JobState
from pipeline.outputs.manifest import read_manifest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "tests" / "engine" / "engine_process.py"
SHARED = ROOT.parent / "shared" / "media" / "videos"
OPTIONS: dict[str, Any] = {
    "engine": {"workers": 2, "settle_s": 0, "retry_pause_s": 0.2, "chunk_s": 0},
    "embed": {"models": ["tiny-shapes"]},
    "frames": {"candidates_per_s": 4},
}
VICTIMS = {"group": 0.4, "worker": 0.35, "host": 0.25}
"""Who may be killed, and how often each."""
PROGRAMS = {"worker": "pipeline.worker", "host": "pipeline.models.host"}
LONGEST_S = {"group": 4.0, "worker": 1.0, "host": 3.0}
"""The longest time from the last kill, or the first result after a start, to the next kill."""
COPIED_BYTES = 4_000_000
"""Larger videos are taken as they are and not copied."""
LOW, ADDED = 80, 80
"""So many videos are added when fewer than this are left to do."""
DEADLINE_S = 1800.0


class Supply:
    """The folder of inputs, which grows."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder = folder
        self.made = 0
        self._chance = chance
        samples, folder = folder.parent / "samples", folder
        samples.mkdir()
        folder.mkdir()
        make(samples)
        found = [path for top in (samples, SHARED) if top.is_dir() for path in sorted(top.rglob("*")) if path.is_file()]
        for number, path in enumerate(found):
            shutil.copyfile(path, folder / f"{number:04}-{path.name}")
        self._copied = [path for path in found if _takes_a_box(path) and path.stat().st_size <= COPIED_BYTES]

    def add(self, count: int) -> None:
        """Add copies that differ from all others in a box which players pass over."""
        for _ in range(count):
            self.made += 1
            original = self._chance.choice(self._copied)
            part = self.folder / f".{self.made}"
            part.write_bytes(original.read_bytes() + struct.pack(">I4sQ", 16, b"free", self.made))
            part.rename(self.folder / f"copy-{self.made:05}-{original.name}")


def _takes_a_box(path: Path) -> bool:
    """Whether a file is a whole sequence of ISO boxes, so that one more may follow."""
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        while at < size:
            file.seek(at)
            head = file.read(16)
            if len(head) < 8 or (at == 0 and head[4:8] != b"ftyp"):
                return False
            length = struct.unpack(">I", head[:4])[0]
            if length == 1 and len(head) == 16:
                length = struct.unpack(">Q", head[8:])[0]
            if length < 8:
                return False
            at += length
        return at == size


class Run:
    """One run that may need many engines."""

    def __init__(self, folder: Path, inputs: Path, chunk_s: float = 0, options: Mapping[str, Any] = OPTIONS) -> None:
        self.state, self.out = folder / "state", folder / "out"
        self.starts: list[float] = []
        told = json.dumps({**options, "engine": options["engine"] | {"chunk_s": chunk_s}})
        self._command = [sys.executable, str(PROGRAM), str(self.state), told, str(self.out), str(inputs)]

    def start(self, *more: str) -> "subprocess.Popen[str]":
        """Start an engine over the run and return once it has begun."""
        self.starts.append(time.time())
        process = subprocess.Popen([*self._command, *more], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stdout
        said = process.stdout.readline()
        assert said == "running\n", f"the engine did not begin: {said}"
        return process

    def finish(self, process: "subprocess.Popen[str]") -> None:
        """Wait for the end of the run."""
        out, _ = process.communicate(timeout=DEADLINE_S)
        assert not process.returncode and out == "done\n", f"the run did not end well: {process.returncode} {out}"

    def counts(self) -> dict[str, int]:
        """Return the number of jobs by state."""
        with LedgerReader.read_only(self.state) as ledger:
            return {str(state): count for state, count in ledger.counts(1).items()}

    def open_jobs(self) -> int:
        """Return how many jobs are not over."""
        return sum(count for state, count in self.counts().items() if JobState(state) not in TERMINAL)

    def finished(self) -> int:
        """Return how many jobs are over."""
        return sum(count for state, count in self.counts().items() if JobState(state) in TERMINAL)

    def violations(self) -> Iterator[str]:
        """Yield what does not hold that must hold after a run."""
        with contextlib.closing(sqlite3.connect(self.state / LEDGER_NAME)) as connection:
            verdict = connection.execute("PRAGMA integrity_check").fetchone()
            if verdict != ("ok",):
                yield f"the ledger is not sound: {verdict}"
        with LedgerReader.read_only(self.state) as ledger:
            jobs = list(ledger.jobs(1))
            for job in jobs:
                attempts = ledger.attempts(job.job_id)
                told = [one["outcome"] for one in attempts]
                wins = collections.Counter(one["chunk"] for one in attempts if one["outcome"] in {"done", "partial"})
                if job.state not in TERMINAL or "" in told:
                    yield f"{job.relative!r} is {job.state}, attempts {told}"
                yield from (f"chunk {one} of {job.relative!r} was done {n} times" for one, n in wins.items() if n > 1)
                if job.state in {JobState.DONE, JobState.PARTIAL}:
                    path = self.out / job.result["output"]
                    if not path.is_file() or sha256_of(os.fsencode(path)) != job.result["output_sha256"]:
                        yield f"the output of {job.relative!r} is not what was written"
        if len(list(read_manifest(os.fsencode(self.out)))) != len(jobs):
            yield "the manifest has not a line for each input"
        yield from (f"temporary file {path}" for path in self.out.rglob("*.part"))

    def attempts(self) -> dict[str, int]:
        """Return how many attempts ended how."""
        with LedgerReader.read_only(self.state) as ledger:
            return dict(
                collections.Counter(one["outcome"] for job in ledger.jobs(1) for one in ledger.attempts(job.job_id))
            )

    def claims_s(self) -> list[float]:
        """Return the seconds from each start of an engine to the first attempt that it charged, where it lived to."""
        with LedgerReader.read_only(self.state) as ledger:
            begun = sorted(one["started_s"] for job in ledger.jobs(1) for one in ledger.attempts(job.job_id))
        found = []
        for start, following in zip(self.starts, [*self.starts[1:], float("inf")], strict=True):
            first = next((at for at in begun if start <= at < following), None)
            found += [first - start] if first is not None else []
        return found

    def results(self) -> dict[str, tuple[str, str]]:
        """Return status and class of each input."""
        return {row["source"]: (row["status"], row.get("class", "")) for row in read_manifest(os.fsencode(self.out))}


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
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()
    left = psutil.wait_procs(children, timeout=30)[1]
    assert not left, f"processes outlive the engine: {left}"


def kill_one(process: "subprocess.Popen[str]", program: str, chance: random.Random) -> bool:
    """Kill one child that runs `program`; return whether there was one."""
    found = [child for child in family(process.pid) if program in " ".join(_command(child))]
    if found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(found).pid, signal.SIGKILL)
    return bool(found)


def _command(child: psutil.Process) -> list[str]:
    try:
        return list(child.cmdline())
    except psutil.Error:
        return []


def await_moment(run: Run, process: "subprocess.Popen[str]", longest_s: float, chance: random.Random) -> bool:
    """Wait for a random moment; return whether the engine still runs then.

    Half of the moments are counted from now, so that recovery and loading are hit, half from the next result, so that
    there is a run to be hit.
    """
    finished, end = run.finished(), time.monotonic() + DEADLINE_S
    if chance.random() < 0.5:
        while process.poll() is None and run.finished() == finished:
            assert time.monotonic() < end, "the run does not get on"
            time.sleep(0.05)
    try:
        process.wait(chance.uniform(0.02, longest_s))
    except subprocess.TimeoutExpired:
        return True
    return False


def disturb(form: Form, run: Run, supply: Supply) -> collections.Counter[str]:
    """Carry a run to its end with kills at random moments; return how many of each kind fell."""
    chance, wanted, victims = form.chance, form.options.kills, form.options.victims
    fallen: collections.Counter[str] = collections.Counter()
    process = run.start()
    while sum(fallen.values()) < wanted and form.left_s > 0:
        victim = chance.choices(victims, [VICTIMS[name] for name in victims])[0]
        if run.open_jobs() < LOW:
            supply.add(ADDED)
            victim = "group"  # the engine that follows finds them
        if not await_moment(run, process, LONGEST_S[victim], chance):
            break
        if victim == "group":
            kill_group(process)
            fallen[victim] += 1
            form.say(kills=dict(fallen), left_s=round(form.left_s), **run.counts())
            process = run.start()
        else:
            fallen[victim] += kill_one(process, PROGRAMS[victim], chance)
    run.finish(process)
    return fallen


def compare(calm: Run, rough: Run) -> list[str]:
    """Return where a disturbed run came to other results than an undisturbed one."""
    expected, got = calm.results(), rough.results()
    found = [f"only in one run: {name}" for name in expected.keys() ^ got.keys()]
    found += [
        f"{name}: {expected[name]} undisturbed, {got[name]} disturbed"
        for name in expected.keys() & got.keys()
        if expected[name] != got[name]
    ]
    return found + differences(calm.out / "features", rough.out / "features")


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--chunk-s", type=float, default=0.0)
    parser.add_argument("--victims", nargs="+", choices=list(VICTIMS), default=list(VICTIMS))
    parser.add_argument("--keep", type=Path, help="work in this folder and keep it")


def main() -> None:
    """Run disturbed, run undisturbed, compare."""
    form = begin(__doc__, seconds=2400, add=options)
    with tempfile.TemporaryDirectory(prefix="kills-") as temporary:
        folder = form.options.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        supply = Supply(folder / "in", form.chance)
        supply.add(2 * ADDED)
        rough = Run(folder / "rough", supply.folder, form.options.chunk_s)
        fallen = disturb(form, rough, supply)
        rough_s = round(time.monotonic() - form.begun_s, 1)
        calm = Run(folder / "calm", supply.folder)
        calm.finish(calm.start())
        claims = sorted(rough.claims_s())
        form.end(
            [*rough.violations(), *compare(calm, rough)],
            kills=dict(fallen),
            inputs=sum(rough.counts().values()),
            disturbed=rough.counts(),
            undisturbed=calm.counts(),
            disturbed_s=rough_s,
            attempts=rough.attempts(),
            claiming_s={"median": claims[len(claims) // 2], "most": claims[-1]} if claims else {},
        )


if __name__ == "__main__":
    main()
