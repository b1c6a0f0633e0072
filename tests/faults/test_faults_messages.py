"""What a worker sends, and how, cannot block the engine, fill its memory or end it (cases 6 and 7)."""

import time
from pathlib import Path

import psutil
import pytest
from engine_harness import FAKE_WORKER, Bench, Driven, jobs, settings

from pipeline.commands import StartRun
from pipeline.model import FailureClass, JobState, RunState
from pipeline.snapshot import Snapshot

SENSELESS = (
    "stream",
    "deep",
    "odd frames 1e400",
    "odd video_s NaN",
    f"odd frames 1{'0' * 300}",
    "odd share []",
    "odd stage 7",
    f"result output_bytes 1{'0' * 30}",
    'result scenes "many"',
    'result seconds {"scenes":"long"}',
    "result probe [1]",
    "result duration_s Infinity",
)
"""What the fake worker is told to send: too much, too deep, or of a kind that could end whoever reckons with it."""
LAG_S = 6.0
"""How old a snapshot may get while workers flood the engine, on a machine that is busy with other tests too."""


def worst_lag_s(driven: Driven, start: StartRun) -> tuple[Snapshot, float, float]:
    """Carry a run to its end; return its last snapshot, the longest time without a new one, and the growth in MB."""
    before = psutil.Process().memory_info().rss
    driven.engine.send(start)
    worst, peak, serial, since = 0.0, before, 0, time.monotonic()

    def over(snapshot: Snapshot) -> bool:
        nonlocal worst, peak, serial, since
        worst = max(worst, time.monotonic() - since)
        if snapshot.serial != serial:
            serial, since = snapshot.serial, time.monotonic()
            peak = max(peak, psutil.Process().memory_info().rss)
        return bool(snapshot.run and snapshot.run.state is RunState.DONE)

    return driven.until(over), worst, (peak - before) / 1e6


@pytest.mark.parametrize("count", [3, 8, 20, 500_000], ids=["in-header", "after-header", "in-head", "late-in-head"])
def test_a_worker_killed_in_the_middle_of_a_message_costs_its_video_nothing(bench: Bench, count: int) -> None:
    bench.video("a.mp4", f"first:cut {count}")
    bench.video("b.mp4")
    done = bench.run(settings())
    assert {(row.state, row.attempts) for row in done.jobs} == {(JobState.DONE, 1)}


def test_what_makes_no_sense_is_a_protocol_failure_and_the_engine_lives_on(bench: Bench) -> None:
    for number, line in enumerate(SENSELESS):
        bench.video(f"bad-{number:02}.mp4", line)
        bench.video(f"good-{number:02}.mp4")
    rows = jobs(bench.run(settings(max_attempts=1)))
    ends = {line: (rows[f"bad-{n:02}.mp4"].state, rows[f"bad-{n:02}.mp4"].failure) for n, line in enumerate(SENSELESS)}
    assert ends == dict.fromkeys(SENSELESS, (JobState.FAILED, FailureClass.PROTOCOL))
    assert all(row.state is JobState.DONE for name, row in rows.items() if name.startswith("good"))


@pytest.mark.parametrize("line", ["bytes", "long"])
def test_a_message_may_come_in_pieces_and_be_long(bench: Bench, line: str) -> None:
    bench.video("a.mp4", line)
    done = bench.run(settings())
    assert (done.jobs[0].state, done.jobs[0].attempts) == (JobState.DONE, 1)


def test_a_flood_of_messages_neither_blocks_the_engine_nor_fills_its_memory(bench: Bench) -> None:
    for name in ("a.mp4", "b.mp4"):
        bench.video(name, "flood 2")
    options = settings()
    with bench.engine(options) as driven:
        done, lag_s, growth_mb = worst_lag_s(driven, bench.start(options))
    assert {(row.state, row.attempts) for row in done.jobs} == {(JobState.DONE, 1)}
    assert lag_s < LAG_S
    assert growth_mb < 60


def test_a_worker_that_reads_no_more_is_replaced_and_its_videos_are_done(bench: Bench) -> None:
    for number in range(40):
        bench.video(f"{number:02}.mp4", "deaf" if number == 10 else "done")
    done = bench.run(settings(workers=1, stall_s=1.5))
    assert {row.state for row in done.jobs} == {JobState.DONE}
    assert sum(row.attempts for row in done.jobs) <= 41, "only the one it was handed last is charged, as a stall"


def test_workers_that_die_at_start_now_and_then_cost_nothing_and_pause_nothing(bench: Bench, tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    starts.write_text("die\nlive\n" * 4)
    for number in range(4):
        bench.video(f"{number}.mp4", "first:kill")
    options = settings(breaker_deaths=3)
    with bench.engine(options, (*FAKE_WORKER, "--starts", str(starts))) as driven:
        driven.engine.send(bench.start(options))
        done = driven.until_done()
    assert {(row.state, row.attempts) for row in done.jobs} == {(JobState.DONE, 1)}
    assert not any("die at start" in notice.text for notice in done.notices)


def test_five_deaths_at_start_pause_the_run_which_goes_on_by_itself_once_workers_live(
    bench: Bench, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    starts.write_text("die\n" * 6)
    for number in range(3):
        bench.video(f"{number}.mp4")
    options = settings(workers=1, retry_pause_s=0.3, retry_pause_max_s=0.3)
    with bench.engine(options, (*FAKE_WORKER, "--starts", str(starts))) as driven:
        driven.engine.send(bench.start(options))
        paused = driven.until(lambda snapshot: snapshot.run and snapshot.run.state is RunState.PAUSED)
        assert paused.run and "(5 times in a row" in paused.run.paused_because
        assert "import" in paused.run.paused_because, "the worker's last words are the reason"
        done = driven.until_done()
    assert {(row.state, row.attempts) for row in done.jobs} == {(JobState.DONE, 1)}
    assert bench.log() == {f"{number}.mp4": 1 for number in range(3)}
