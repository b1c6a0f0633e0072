"""A seeded mix of all that a worker can do wrong, what each video deserves for it, and what an engine holds before and
after: for the short and the long form of cases 4 to 8 and 12."""

import os
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
from engine_harness import Bench, settings

from pipeline.engine.reader import LedgerReader
from pipeline.model import FailureClass, JobState

CAP_GB = 0.25


@dataclass(frozen=True)
class Misdeed:
    """A line for the fake worker and the end that its video deserves."""

    line: str
    state: JobState = JobState.DONE
    failure: FailureClass | None = None
    charged: bool = True
    """Whether a first attempt that does it is charged when the second is done."""


CRASHED = (JobState.QUARANTINED, FailureClass.WORKER_CRASHED)
SENSELESS = (JobState.FAILED, FailureClass.PROTOCOL)
STALLED = (JobState.QUARANTINED, FailureClass.STALLED)
QUICK = (
    *(Misdeed(line, *CRASHED) for line in ("segv", "abort", "exit0")),
    Misdeed("kill", *CRASHED, charged=False),
    Misdeed("cut 500000", *CRASHED, charged=False),
    *(Misdeed(line, *SENSELESS) for line in ("garbage", "huge", "nonsense", "stream", "deep", "odd frames 1e400")),
    Misdeed("leak 20 20", JobState.FAILED, FailureClass.OUT_OF_MEMORY, charged=False),
    Misdeed("fail io", JobState.FAILED, FailureClass.IO),
    Misdeed("fail out_of_memory", JobState.FAILED, FailureClass.OUT_OF_MEMORY, charged=False),
)
SLOW = (Misdeed("stall", *STALLED), Misdeed("stopped", *STALLED))
HARMLESS = ("late", "bytes", "long", "flood 0.1", "slow 5 0.05", "grow 40")


@dataclass(frozen=True)
class Deserved:
    """How a job must end: its state and class, and how many attempts it may be charged."""

    state: JobState
    failure: FailureClass | None
    most_attempts: int


def mix(bench: Bench, count: int, chance: random.Random, misdeeds: Sequence[Misdeed]) -> dict[str, Deserved]:
    """Make `count` inputs, a fifth of them with misdeeds, for ever or for once; return what each deserves."""
    deserved = {}
    for number in range(count):
        name, line = f"{number:04}.mp4", chance.choice((*HARMLESS, *["done"] * 30))
        deserved[name] = Deserved(JobState.DONE, None, 1)
        if chance.random() < 0.2:
            misdeed = chance.choice(misdeeds)
            once = chance.random() < 0.5
            line = f"first:{misdeed.line}" if once else misdeed.line
            end = Deserved(JobState.DONE, None, 1 + misdeed.charged)
            deserved[name] = end if once else Deserved(misdeed.state, misdeed.failure, 3)
        bench.video(name, line)
    return deserved


def run_mix(deserved_of: dict[str, Deserved], bench: Bench, stall_s: float) -> list[str]:
    """Carry the inputs of `bench` to their end; return what is not as it must be."""
    options = settings(
        stall_s=stall_s, worker_memory_cap_gb=CAP_GB, max_engine_deaths=3, recycle_after=100, max_attempts=3
    )
    done = bench.run(options)
    bench.oracle()
    wrong = []
    for row in done.jobs:
        deserved = deserved_of[row.name]
        if (row.state, row.failure) != (deserved.state, deserved.failure) or row.attempts > deserved.most_attempts:
            line = (bench.source / row.name).read_text().split("\n")[0]
            with LedgerReader.read_only(bench.state) as ledger:
                told = [(one["outcome"], one["message"]) for one in ledger.attempts(row.job_id)]
            wrong.append(f"{row.name} ({line}) ended {row.state} {row.failure} after {told}, not {deserved}")
    if {row.name for row in done.jobs} != set(deserved_of):
        wrong.append("jobs are missing")
    return wrong


def worker_pids(bench: Bench) -> list[tuple[str, int]]:
    """Return which process began which input, in order."""
    lines = (bench.out / "log").read_text().splitlines()
    return [(words[1], int(words[3])) for words in map(str.split, lines) if words[0] == "start"]


@dataclass(frozen=True)
class Held:
    """What this process holds."""

    descriptors: int
    threads: int
    children: int
    rss_mb: float


def held() -> Held:
    """Return what this process holds now."""
    me = psutil.Process()
    descriptors = len(os.listdir("/proc/self/fd"))
    return Held(descriptors, threading.active_count(), len(me.children()), me.memory_info().rss / 1e6)
