"""Feeds mutants to a real engine with real workers and asks of each what must be true of any file."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import psutil
from engine_harness import Bench, settings
from excerpts import Excerpt
from media_judge import Look, quiet_losses
from mutants import Mutant

from pipeline.engine import Engine
from pipeline.engine.reader import LedgerReader
from pipeline.engine.records import JobRecord
from pipeline.model import TERMINAL, FailureClass, JobState, RunState
from pipeline.outputs.features import check_features

STALL_S = 20.0
ONE_FILE_S = 60.0
"""No mutant may take longer from the start of its first attempt to the end of its last."""
BATCH_S = 1800.0
JUDGE = Path(__file__).with_name("media_judge.py")
OPTIONS: dict[str, Any] = {"stall_s": STALL_S, "decode_threads": 2, "recycle_after": 500}
DIED = frozenset({"crashed", "stalled", "killed"})
TRUE_CLASSES = frozenset(
    {FailureClass.CORRUPT, FailureClass.UNSUPPORTED, FailureClass.TOO_LARGE, FailureClass.ENCRYPTED, FailureClass.EMPTY}
)
"""What a damaged file may be called; anything else blames the surroundings, or us."""


@dataclass(slots=True)
class Tally:
    """What was found so far."""

    violations: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    deaths: list[str] = field(default_factory=list)
    slowest: list[tuple[float, int]] = field(default_factory=list)
    judged: int = 0
    fewer: Counter[str] = field(default_factory=Counter)
    """Videos that are `done`, have fewer pictures than before and say nowhere that they had more, by container."""
    told: dict[int, dict[str, Any]] = field(default_factory=dict)
    engine_s: float = 0.0
    judge_s: float = 0.0

    def add(self, other: "Tally") -> None:
        """Take in what another batch found; of the files only those of the last batch are remembered singly."""
        self.violations += other.violations
        self.states += other.states
        self.classes += other.classes
        self.deaths += other.deaths
        self.slowest = sorted([*self.slowest, *other.slowest], reverse=True)[:10]
        self.judged += other.judged
        self.fewer += other.fewer
        self.told = other.told
        self.engine_s += other.engine_s
        self.judge_s += other.judge_s

    def brief(self) -> dict[str, Any]:
        """Return one line's worth."""
        facts = {"violations": len(self.violations), **self.states, "deaths": len(self.deaths)}
        return facts | {"slowest_s": self.slowest[0] if self.slowest else 0}

    def facts(self) -> dict[str, Any]:
        """Return everything but single files and violations."""
        return {
            "files": self.states.total(),
            "states": dict(self.states),
            "classes": dict(self.classes),
            "worker_deaths": self.deaths,
            "slowest_s": self.slowest,
            "done_judged": self.judged,
            "done_with_fewer_pictures_but_no_promise": dict(self.fewer),
            "engine_s": round(self.engine_s, 1),
            "judge_s": round(self.judge_s, 1),
        }


class MutationBench:
    """Runs batches of mutants, each in a run and an engine of its own."""

    def __init__(self, originals: Sequence[Excerpt], folder: Path) -> None:
        self._folder = folder
        self._before: dict[int, Look] = {}
        self._names = {id(one): f"{number}.{one.suffix}" for number, one in enumerate(originals)}

    def run(self, batch: Sequence[Mutant], **engine: Any) -> Tally:
        """Carry one batch to its end and return what was found."""
        folder = self._folder / "batch"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        bench, tally = Bench(folder), Tally()
        for one in batch:
            (bench.source / one.name).write_bytes(one.data)
        begun = time.monotonic()
        tally.violations += _carried(bench, OPTIONS | engine)
        tally.engine_s = time.monotonic() - begun
        if not tally.violations:
            bench.oracle()
            self._check(bench, batch, tally)
        tally.judge_s = time.monotonic() - begun - tally.engine_s
        shutil.rmtree(folder)
        return tally

    def _check(self, bench: Bench, batch: Sequence[Mutant], tally: Tally) -> None:
        by_name = {os.fsencode(one.name): one for one in batch}
        with LedgerReader.read_only(bench.state) as ledger, judge() as ask:
            for job in ledger.jobs(1):
                one = by_name.pop(job.relative)
                attempts = ledger.attempts(job.job_id)
                told = _facts(job, attempts)
                tally.told[one.number] = told
                tally.states[str(job.state)] += 1
                problems = _problems(bench, job, attempts)
                took_s = max((a["ended_s"] for a in attempts), default=0) - min(
                    (a["started_s"] for a in attempts), default=0
                )
                tally.slowest.append((round(took_s, 2), one.number))
                if job.failure:
                    tally.classes[str(job.failure)] += 1
                if any(a["outcome"] in DIED for a in attempts):
                    tally.deaths.append(f"{one.number} {job.state}: {[(a['outcome'], a['message']) for a in attempts]}")
                if job.state is JobState.DONE and not job.duplicate_of:
                    after, before = ask(bench.source / one.name), self._look_before(one, ask)
                    told["look"], told["before"] = after, before
                    decoded = _decoded(bench, job)
                    problems += quiet_losses(before, after, decoded)
                    tally.judged += 1
                    if not problems and decoded < before.frames:
                        tally.fewer[before.container.split(",")[0]] += 1
                tally.violations += [f"{one.number} ({one.original.kind}; {'+'.join(one.done)}) {p}" for p in problems]
        tally.violations += [f"{one.number} was never a job" for one in by_name.values()]
        tally.slowest = sorted(tally.slowest, reverse=True)[:10]

    def _look_before(self, one: Mutant, ask: Any) -> Look:
        key = id(one.original)
        if key not in self._before:
            path = self._folder / self._names[key]
            path.write_bytes(one.original.data)
            self._before[key] = ask(path)
            path.unlink()
        return self._before[key]


def _carried(bench: Bench, engine: dict[str, Any]) -> list[str]:
    """Run everything in an engine of its own; return what is wrong with the engine itself."""
    options, found = settings(**engine), []
    started = Engine(options, state_dir=bench.state)
    started.start()
    pids: set[int] = set()
    try:
        started.send(bench.start(options))
        end = time.monotonic() + BATCH_S
        while True:
            snapshot = started.latest()
            pids |= {worker.pid for worker in snapshot.workers if worker.pid}
            if snapshot.run and snapshot.run.state is RunState.DONE:
                break
            if snapshot.fatal or time.monotonic() > end:
                found.append(f"the engine died or does not end: {snapshot.fatal} {snapshot.run}")
                break
            time.sleep(0.02)
    finally:
        started.close()
    return found + [f"a worker outlives its engine: {pid}" for pid in pids if psutil.pid_exists(pid)]


@contextlib.contextmanager
def judge() -> Iterator[Callable[[Path], Look]]:
    """Start the judge as a process of its own, and give a function that asks it."""
    command = [sys.executable, str(JUDGE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def ask(path: Path) -> Look:
            assert process.stdin and process.stdout
            process.stdin.write(f"{path}\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            assert answer, f"the judge died of {path}"
            return Look(**json.loads(answer))

        yield ask


def _facts(job: JobRecord, attempts: list[dict[str, Any]]) -> dict[str, Any]:
    kept = {key: job.result.get(key) for key in ("frames", "duration_s", "lost_s", "lost_frames", "lost", "reason")}
    return {
        "state": str(job.state),
        "class": str(job.failure or ""),
        "message": job.message or job.reason,
        "detail": job.detail[-600:],
        "attempts": [f"{one['outcome']} {one['message']}" for one in attempts],
        "result": kept if job.result else {},
    }


def _problems(bench: Bench, job: JobRecord, attempts: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with how a job ended, whatever was in the file."""
    found = []
    if job.state not in TERMINAL:
        found.append(f"is {job.state}")
    if attempts and max(one["ended_s"] for one in attempts) - min(one["started_s"] for one in attempts) > ONE_FILE_S:
        found.append("took too long")
    died = [one for one in attempts if one["outcome"] in DIED]
    if job.failure and not died and job.failure not in TRUE_CLASSES:
        found.append(f"is blamed on {job.failure}: {job.message}; {job.detail[-300:]}")
    if job.failure and not job.message:
        found.append("failed without a sentence")
    if job.state is JobState.SKIPPED and not job.reason:
        found.append("was skipped without a reason")
    if job.state is JobState.PARTIAL and not (job.result["lost_frames"] or job.result["lost"]):
        found.append("is partial and does not say what is lost")
    if job.state in {JobState.DONE, JobState.PARTIAL} and not job.duplicate_of:
        found += check_features(os.fsencode(bench.out / job.result["output"]))
    return found


def _decoded(bench: Bench, job: JobRecord) -> int:
    with h5py.File(bench.out / job.result["output"]) as file:
        return int(file.attrs["frames_decoded"])
