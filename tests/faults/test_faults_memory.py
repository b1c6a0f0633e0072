"""Workers that grow: replaced over their cap and after their share of videos, by real processes (case 12)."""

import sys
from pathlib import Path

from engine_harness import Bench, jobs, settings

from pipeline.engine.facade import WORKER_COMMAND
from pipeline.model import FailureClass, JobState
from pipeline.snapshot import Snapshot

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "worker"))

from worker_harness import make_video

CAP_GB = 0.25
"""Far above what the fake worker needs by itself, far below what it grows to here."""


def worker_pids(bench: Bench) -> list[tuple[str, int]]:
    """Return which process began which input, in order."""
    lines = (bench.out / "log").read_text().splitlines()
    return [(words[1], int(words[3])) for words in map(str.split, lines) if words[0] == "start"]


def noted(snapshot: Snapshot, words: str) -> int:
    return sum(words in notice.text for notice in snapshot.notices)


def test_a_worker_that_grows_too_large_during_a_job_is_ended_and_the_job_runs_alone_uncharged(bench: Bench) -> None:
    for number in range(8):
        bench.video(f"{number}.mp4", "slow 4 0.05")
    bench.video("a-leaks.mp4", "first:leak 10 40")
    done = bench.run(settings(worker_memory_cap_gb=CAP_GB))
    assert {(row.state, row.attempts) for row in done.jobs} == {(JobState.DONE, 1)}
    assert bench.log() == {f"{number}.mp4": 1 for number in range(8)} | {"a-leaks.mp4": 2}
    assert noted(done, "engine.worker_memory_cap_gb allows 0.25) during a-leaks.mp4") == 1
    began = worker_pids(bench)
    assert began[-1][0] == "a-leaks.mp4", "alone means after the others"
    assert began[-1][1] not in {pid for _, pid in began[:-1]}, "alone means in a fresh worker"


def test_a_video_that_needs_more_than_the_cap_even_alone_fails_and_the_message_names_the_setting(bench: Bench) -> None:
    for number in range(4):
        bench.video(f"{number}.mp4", "slow 4 0.05")
    bench.video("leaks.mp4", "leak 10 40")
    done = bench.run(settings(worker_memory_cap_gb=CAP_GB, max_attempts=2))
    rows = jobs(done)
    leaky = rows.pop("leaks.mp4")
    assert (leaky.state, leaky.failure, leaky.attempts) == (JobState.FAILED, FailureClass.OUT_OF_MEMORY, 2)
    assert "engine.worker_memory_cap_gb allows 0.25" in done.failures[0].message
    assert {(row.state, row.attempts) for row in rows.values()} == {(JobState.DONE, 1)}
    assert bench.log()["leaks.mp4"] == 3, "beside others once, then twice alone"


def test_a_worker_that_is_too_large_after_a_job_is_replaced_and_what_it_had_ahead_comes_back(bench: Bench) -> None:
    for number in range(24):
        bench.video(f"{number:02}.mp4", "grow 40")
    done = bench.run(settings(workers=1, worker_memory_cap_gb=CAP_GB))
    assert {(row.state, row.attempts) for row in done.jobs} == {(JobState.DONE, 1)}
    assert len({pid for _, pid in worker_pids(bench)}) > 24 * 40e-3 / CAP_GB
    assert done.workers_recycled >= 2
    assert noted(done, "was replaced between two videos") == 1, "the first of many is told"


def test_no_cap_lets_a_worker_grow(bench: Bench) -> None:
    for name in ("a.mp4", "b.mp4"):
        bench.video(name, "grow 300")
    done = bench.run(settings(workers=1, worker_memory_cap_gb=0))
    assert done.workers_recycled == 0
    assert len({pid for _, pid in worker_pids(bench)}) == 1


def test_a_worker_is_replaced_after_its_share_of_videos(bench: Bench) -> None:
    for number in range(9):
        bench.video(f"{number}.mp4")
    done = bench.run(settings(workers=1, recycle_after=3))
    pids = [pid for _, pid in worker_pids(bench)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 3]
    assert not done.notices, "an orderly replacement is no news"


def test_a_cap_below_what_a_fresh_worker_needs_pauses_the_run_and_charges_no_video(bench: Bench) -> None:
    bench.video("a.mp4")
    options = settings(workers=1, worker_memory_cap_gb=0.01, breaker_deaths=2, retry_pause_s=30, retry_pause_max_s=30)
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        paused = driven.until(lambda snapshot: snapshot.run and snapshot.run.paused_because)
        assert paused.run and "engine.worker_memory_cap_gb allows 0.01, before any job" in paused.run.paused_because
        assert (paused.jobs[0].state, paused.jobs[0].attempts) == (JobState.QUEUED, 0)


def test_the_real_worker_is_held_to_its_cap(bench: Bench) -> None:
    """A large picture needs more than the cap, small ones do not; nothing that the worker says is believed for it."""
    make_video(bench.source / "large.mp4", scenes=1, frames_per_scene=15, width=3840, height=2160)
    for number in range(3):
        make_video(bench.source / f"{number}.mp4", scenes=1, frames_per_scene=25 + number)
    options = settings(worker_memory_cap_gb=0.15, max_attempts=1, decode_threads=1)
    with bench.engine(options, WORKER_COMMAND) as driven:
        driven.engine.send(bench.start(options))
        done = driven.until_done()
    rows = jobs(done)
    large = rows.pop("large.mp4")
    assert (large.state, large.failure, large.attempts) == (JobState.FAILED, FailureClass.OUT_OF_MEMORY, 1)
    assert {(row.state, row.attempts) for row in rows.values()} == {(JobState.DONE, 1)}
    assert all(worker.rss_bytes > 50e6 for worker in done.workers if worker.state == "idle")
