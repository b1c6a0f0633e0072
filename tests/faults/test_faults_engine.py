"""The engine itself is killed: nothing is lost, nothing is done twice, nothing whole is done again (case 1)."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from engine_harness import FAKE_WORKER, Bench, settings

from pipeline.engine.reader import LedgerReader
from pipeline.errors import LedgerError
from pipeline.model import JobState

PROGRAM = str(Path(__file__).resolve().parents[1] / "engine" / "engine_process.py")
DEADLINE_S = 60.0


class Process:
    """An engine in a process of its own."""

    def __init__(self, bench: Bench, options: dict[str, object]) -> None:
        command = [sys.executable, PROGRAM, str(bench.state), json.dumps(options), str(bench.out), str(bench.source)]
        command += ["--worker", FAKE_WORKER[1]]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        assert self.process.stdout.readline() == "running\n"

    def kill(self, *, whole_group: bool) -> None:
        """Kill the engine, and if asked for its workers in the same breath; wait until all are gone."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        victims = [self.process.pid, *(child.pid for child in family if whole_group)]
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        self.process.communicate(timeout=DEADLINE_S)
        left = psutil.wait_procs(family, timeout=DEADLINE_S)[1]
        assert not left, f"workers outlive their engine: {left}"

    def finish(self) -> None:
        """Wait for the end of the run."""
        out, _ = self.process.communicate(timeout=DEADLINE_S)
        assert (self.process.returncode, out) == (0, "done\n")


def wait_for_done(bench: Bench, count: int) -> None:
    """Wait until the ledger holds so many finished jobs."""
    end = time.monotonic() + DEADLINE_S
    while True:
        try:
            with LedgerReader.read_only(bench.state) as ledger:
                if ledger.counts(1).get(JobState.DONE, 0) >= count:
                    return
        except LedgerError:
            assert time.monotonic() < end
        assert time.monotonic() < end, "the run does not get on"
        time.sleep(0.01)


@pytest.mark.parametrize("whole_group", [False, True], ids=["engine", "group"])
def test_a_killed_engine_goes_on_where_it_was(bench: Bench, whole_group: bool) -> None:
    for number in range(12):
        bench.video(f"{number:02}.mp4", "sleep 0.05")
    options = settings().model_dump(mode="json", include={"engine", "embed"})
    for done in (3, 7):
        process = Process(bench, options)
        wait_for_done(bench, done)
        process.kill(whole_group=whole_group)
    Process(bench, options).finish()
    assert bench.oracle() == {JobState.DONE: 12}
    with LedgerReader.read_only(bench.state) as ledger:
        jobs = list(ledger.jobs(1))
        outcomes = [[one["outcome"] for one in ledger.attempts(job.job_id)] for job in jobs]
    assert {job.attempts for job in jobs} == {1}, "a dead engine costs a video no attempt"
    assert all(one[-1] == "done" and set(one[:-1]) <= {"engine_died"} for one in outcomes)
    assert sum(len(one) - 1 for one in outcomes) <= 4, "at most what ran at each kill is done again"


def test_an_engine_that_dies_on_one_video_each_time_runs_it_alone_and_then_blames_it(
    bench: Bench, tmp_path: Path
) -> None:
    bench.video("bad.mp4", f"gate {tmp_path / 'never'}")
    bench.video("good.mp4")
    options = settings(max_engine_deaths=2, workers=1).model_dump(mode="json", include={"engine", "embed"})
    for _ in range(4):
        process = Process(bench, options)
        end = time.monotonic() + DEADLINE_S
        while True:
            with LedgerReader.read_only(bench.state) as ledger:
                if {job.relative for job in ledger.jobs(1, [JobState.RUNNING])} == {b"bad.mp4"}:
                    break
            assert time.monotonic() < end
            time.sleep(0.01)
        process.kill(whole_group=True)
    Process(bench, options).finish()
    assert bench.oracle() == {JobState.DONE: 1, JobState.QUARANTINED: 1}
