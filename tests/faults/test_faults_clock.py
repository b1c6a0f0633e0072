"""Clocks that jump harm nothing: no mass retry, no stall, no negative age or duration (case 21)."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest
from engine_harness import FAKE_WORKER, SETTLE_S, Bench, Clock, jobs, settings

from pipeline.engine.reader import LedgerReader
from pipeline.model import JobState
from pipeline.snapshot import Snapshot

PROGRAM = str(Path(__file__).resolve().parents[1] / "engine" / "engine_process.py")
DAY_S = 86_400.0
DEADLINE_S = 60.0


def check_times(snapshot: Snapshot, longest_s: float) -> bool:
    """See that nothing in a snapshot is of negative age or length."""
    run = snapshot.run
    if run is None:
        return False
    assert 0 <= run.elapsed_s < longest_s
    for estimate in (run.eta_s, run.eta_low_s, run.eta_high_s):
        assert estimate is None or 0 <= estimate < DAY_S / 2
    assert run.video_s_per_s >= 0
    for stage in snapshot.stages:
        assert min(stage.items_per_s, stage.video_s_per_s, stage.p50_s, stage.busy_share) >= 0
        assert stage.busy_share <= 1
    assert all(row.rate >= 0 and 0 <= row.progress <= 1 for row in snapshot.jobs)
    assert "%" not in run.bottleneck or int(run.bottleneck.split("%")[0].split()[-1]) <= 100
    return True


def outcomes(bench: Bench) -> Counter[str]:
    """Return the attempts of the run by outcome, after a look at their times."""
    with LedgerReader.read_only(bench.state) as ledger:
        attempts = [one for job in ledger.jobs(1) for one in ledger.attempts(job.job_id)]
    assert all(one["ended_s"] >= one["started_s"] for one in attempts)
    return Counter(one["outcome"] for one in attempts)


def report(bench: Bench) -> dict[str, float]:
    told = json.loads((bench.out / "run.json").read_text())
    assert told["ended_utc"] >= told["started_utc"]
    return dict(told["totals"])


@pytest.mark.parametrize("jump_s", [DAY_S, -DAY_S], ids=["forward", "back"])
def test_a_wall_clock_that_is_set_during_a_run_changes_no_duration(bench: Bench, tmp_path: Path, jump_s: float) -> None:
    gate = tmp_path / "gate"
    for number in range(6):
        bench.video(f"{number}.mp4", f"gate {gate}" if number < 2 else "done")
    retried = bench.video("retried.mp4", "first:fail io")
    wall = Clock(time.time)
    options = settings(stall_s=5)
    with bench.engine(options, wall_clock=wall) as driven:
        driven.engine.send(bench.start(options))
        driven.until_running("0.mp4")
        wall.offset_s = jump_s
        driven.until(lambda snapshot: abs(snapshot.taken_s - time.time() - jump_s) < DEADLINE_S, "the new time")
        driven.until(lambda snapshot: check_times(snapshot, DEADLINE_S))
        gate.touch()
        done = driven.until(lambda snapshot: check_times(snapshot, DEADLINE_S) and not left(snapshot))
        driven.until_done()
    assert {row.attempts for name, row in jobs(done).items() if name != retried.name} == {1}
    assert bench.oracle() == {JobState.DONE: 7}
    assert outcomes(bench) == {"done": 7, "failed": 1}
    assert report(bench)["wall_s"] < DEADLINE_S


def left(snapshot: Snapshot) -> int:
    return len(snapshot.jobs) - (snapshot.run.count(JobState.DONE) if snapshot.run else 0)


def test_a_machine_that_slept_a_day_kills_no_worker_and_charges_no_attempt(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    for name in ("a.mp4", "b.mp4"):
        bench.video(name, f"gate {gate}")
    clock = Clock(time.monotonic)
    options = settings(job_timeout_s=600)
    with bench.engine(options, clock=clock) as driven:
        driven.engine.send(bench.start(options))
        driven.until_running("a.mp4")
        driven.until_running("b.mp4")
        clock.offset_s = DAY_S
        driven.until(lambda snapshot: snapshot.run and snapshot.run.elapsed_s > DAY_S, "the new time")
        woken = driven.engine.latest().serial
        driven.until(lambda snapshot: snapshot.serial > woken + 10 and check_times(snapshot, DAY_S + DEADLINE_S))
        gate.touch()
        driven.until_done()
    assert bench.oracle() == {JobState.DONE: 2}
    assert outcomes(bench) == {"done": 2}


@pytest.mark.parametrize("ahead_s", [0.0, DAY_S], ids=["now", "tomorrow"])
def test_a_file_of_the_future_is_taken_once_it_has_stopped_changing(bench: Bench, ahead_s: float) -> None:
    path = bench.video("a.mp4")
    os.utime(path, (time.time() + ahead_s,) * 2)
    options, clock = settings(settle_s=SETTLE_S), Clock()
    with bench.engine(options, clock=clock, wall_clock=lambda: time.time() - DAY_S) as driven:
        driven.engine.send(bench.start(options))
        driven.until_settling()
        clock.settle(driven)
        driven.until_done()
    assert bench.oracle() == {JobState.DONE: 1}


def test_an_engine_that_stood_still_longer_than_a_stall_kills_no_worker(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    for name in ("a.mp4", "b.mp4"):
        bench.video(name, f"gate {gate}")
    options = settings(stall_s=1).model_dump(mode="json", include={"engine", "embed"})
    process = engine(bench, options)
    wait_for(bench, lambda counts: counts.get(JobState.RUNNING) == 2)
    stopped = psutil.Process(process.pid)
    workers = stopped.children()
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):  # twice a stall passes, and nothing else happens
        process.wait(2)
    process.send_signal(signal.SIGCONT)
    begun = stopped.cpu_times().user
    end = time.monotonic() + DEADLINE_S
    while stopped.cpu_times().user < begun + 0.1:  # it has had time for many looks at its workers
        assert time.monotonic() < end
        time.sleep(0.01)
    assert all(worker.is_running() for worker in workers)
    gate.touch()
    assert process.wait(DEADLINE_S) == 0
    process.communicate()
    assert bench.oracle() == {JobState.DONE: 2}
    assert outcomes(bench) == {"done": 2}


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare here")
def test_a_whole_run_under_another_monotonic_clock_is_like_any_other(bench: Bench) -> None:
    prefix = ["unshare", "-r", "--time", "--monotonic", str(int(DAY_S)), "--boottime", str(int(DAY_S)), "--"]
    if subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no time namespaces here")
    for number in range(6):
        bench.video(f"{number}.mp4", "first:fail io" if number % 2 else "done")
    options = settings(settle_s=0.1).model_dump(mode="json", include={"engine", "embed"})
    process = engine(bench, options, prefix)
    assert process.communicate(timeout=DEADLINE_S)[0] == "done\n"
    assert bench.oracle() == {JobState.DONE: 6}
    assert outcomes(bench) == {"done": 6, "failed": 3}
    assert report(bench)["wall_s"] < DEADLINE_S


def engine(bench: Bench, options: dict[str, object], prefix: Sequence[str] = ()) -> "subprocess.Popen[str]":
    """Start an engine in a process of its own and wait until its run has begun."""
    command = [*prefix, sys.executable, PROGRAM, str(bench.state), json.dumps(options), str(bench.out)]
    command += [str(bench.source), "--worker", FAKE_WORKER[1]]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "running\n"
    return process


def wait_for(bench: Bench, holds: Callable[[dict[JobState, int]], bool]) -> None:
    """Wait until the ledger's counts are as asked for."""
    end = time.monotonic() + DEADLINE_S
    while True:
        with LedgerReader.read_only(bench.state) as ledger:
            if holds(ledger.counts(1)):
                return
        assert time.monotonic() < end, "the run does not get on"
        time.sleep(0.01)
