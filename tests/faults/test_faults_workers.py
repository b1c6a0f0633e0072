"""Workers that die, hang or talk nonsense: the run goes on and only the guilty video pays (cases 1, 4, 5, 8)."""

import os
import signal
from pathlib import Path

import pytest
from engine_harness import FAKE_WORKER, Bench, jobs, settings

from pipeline.commands import Retry, Unpause
from pipeline.model import FailureClass, JobState, RunState


def test_a_killed_worker_is_replaced_and_its_video_done_once(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    bench.video("a.mp4", f"gate {gate}")
    bench.video("b.mp4", f"gate {gate}")
    options = settings()
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        driven.until_running("b.mp4")
        os.kill(driven.worker_pid("a.mp4"), signal.SIGKILL)
        snapshot = driven.until(lambda snapshot: snapshot.notices)
        assert "killed by SIGKILL" in snapshot.notices[0].text
        gate.touch()
        done = driven.until_done()
    assert {row.state for row in done.jobs} == {JobState.DONE}
    assert bench.log("end") == {"a.mp4": 1, "b.mp4": 1}


def test_many_kills_from_outside_quarantine_no_innocent_video(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    bench.video("a.mp4", f"gate {gate}")
    options = settings(workers=1, max_engine_deaths=5)
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        killed: set[int] = set()
        while len(killed) < 4:
            pid = driven.worker_pid("a.mp4")
            if pid not in killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            driven.until(lambda snapshot: all(worker.pid not in killed for worker in snapshot.workers))
        gate.touch()
        done = driven.until_done()
    assert (done.jobs[0].state, done.jobs[0].attempts) == (JobState.DONE, 1)


@pytest.mark.parametrize("death", ["segv", "abort", "exit0"])
def test_a_video_that_crashes_its_worker_is_quarantined_after_two_and_no_other_suffers(
    bench: Bench, death: str
) -> None:
    for number in range(3):
        bench.video(f"{number}.mp4")
    bench.video("bad.mp4", death)
    rows = jobs(bench.run(settings()))
    bad = rows.pop("bad.mp4")
    assert (bad.state, bad.failure, bad.attempts) == (JobState.QUARANTINED, FailureClass.WORKER_CRASHED, 2)
    assert {(row.state, row.attempts) for row in rows.values()} == {(JobState.DONE, 1)}
    assert bench.log()["bad.mp4"] == 2


def test_a_quarantined_video_is_shown_and_can_be_tried_again(bench: Bench) -> None:
    path = bench.video("bad.mp4", "segv")
    options = settings()
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        shown = driven.until_done()
        assert (shown.failures[0].name, shown.failures[0].state) == ("bad.mp4", JobState.QUARANTINED)
        assert shown.failures[0].remedy
        path.write_text("done\n")
        driven.engine.send(Retry())
        driven.until(lambda snapshot: snapshot.run.state is RunState.DONE and not snapshot.failures)


@pytest.mark.parametrize("silence", ["stall", "stopped"])
def test_a_silent_worker_is_killed_and_replaced_and_its_video_tried_once_more(bench: Bench, silence: str) -> None:
    bench.video("hangs.mp4", silence)
    bench.video("once.mp4", f"first:{silence}")
    bench.video("good.mp4")
    rows = jobs(bench.run(settings(stall_s=1.5)))
    assert (rows["hangs.mp4"].state, rows["hangs.mp4"].failure) == (JobState.QUARANTINED, FailureClass.STALLED)
    assert (rows["once.mp4"].state, rows["good.mp4"].state) == (JobState.DONE, JobState.DONE)
    assert bench.log()["hangs.mp4"] == 2


def test_a_slow_video_that_moves_is_left_alone(bench: Bench) -> None:
    bench.video("slow.mp4", "slow 8 0.25")
    done = bench.run(settings(stall_s=1.5))
    assert (done.jobs[0].state, done.jobs[0].attempts) == (JobState.DONE, 1)


def test_an_attempt_that_takes_too_long_is_ended_if_a_limit_is_set(bench: Bench) -> None:
    bench.video("slow.mp4", "slow 1000 0.05")
    done = bench.run(settings(job_timeout_s=0.3))
    assert (done.jobs[0].state, done.jobs[0].failure) == (JobState.FAILED, FailureClass.TIMEOUT)


@pytest.mark.parametrize("nonsense", ["garbage", "huge", "nonsense"])
def test_a_worker_that_sends_what_is_no_message_is_replaced_and_the_failure_named(bench: Bench, nonsense: str) -> None:
    bench.video("bad.mp4", nonsense)
    bench.video("good.mp4")
    rows = jobs(bench.run(settings()))
    assert (rows["bad.mp4"].state, rows["bad.mp4"].failure) == (JobState.FAILED, FailureClass.PROTOCOL)
    assert rows["good.mp4"].state is JobState.DONE


def test_a_late_result_is_fenced_out(bench: Bench) -> None:
    bench.video("a.mp4", "late")
    done = bench.run(settings())
    assert done.jobs[0].state is JobState.DONE
    assert any("came after its attempt" in notice.text for notice in done.notices)


def test_workers_that_die_at_start_pause_the_run_and_burn_no_attempt(bench: Bench) -> None:
    bench.video("a.mp4")
    options = settings(breaker_deaths=3, retry_pause_s=30, retry_pause_max_s=30)
    with bench.engine(options, (*FAKE_WORKER, "--die-at-start")) as driven:
        driven.engine.send(bench.start(options))
        paused = driven.until(lambda snapshot: snapshot.run and snapshot.run.paused_because)
        assert paused.run and "die at start. Mend" in paused.run.paused_because
        assert "3 times in a row" in paused.run.paused_because
        assert "import" in paused.run.paused_because, "the worker's last words are the reason"
        assert (paused.jobs[0].state, paused.jobs[0].attempts) == (JobState.QUEUED, 0)
        driven.engine.send(Unpause())
        driven.until(lambda snapshot: sum("ended without a job" in note.text for note in snapshot.notices) > 3)


def test_a_program_that_cannot_be_started_at_all_pauses_the_run_too(bench: Bench) -> None:
    bench.video("a.mp4")
    options = settings(breaker_deaths=2, retry_pause_s=30, retry_pause_max_s=30)
    with bench.engine(options, ("/no/such/program",)) as driven:
        driven.engine.send(bench.start(options))
        paused = driven.until(lambda snapshot: snapshot.run and snapshot.run.paused_because)
        assert paused.run and "No such file" in paused.run.paused_because


def test_a_full_volume_pauses_the_run_which_goes_on_by_itself(bench: Bench) -> None:
    bench.video("a.mp4", "first:fail disk_full")
    options = settings()
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        done = driven.until_done()
    assert (done.jobs[0].state, done.jobs[0].attempts) == (JobState.DONE, 1)
    texts = [notice.text for notice in done.notices]
    assert any("volume is full" in text for text in texts) and any(
        "has room again; the run goes on" in text for text in texts
    )


def test_a_job_that_ran_out_of_memory_is_tried_again_alone(bench: Bench) -> None:
    bench.video("a.mp4", "first:fail out_of_memory")
    bench.video("b.mp4")
    rows = jobs(bench.run(settings()))
    assert {(row.state, row.attempts) for row in rows.values()} == {(JobState.DONE, 1)}
