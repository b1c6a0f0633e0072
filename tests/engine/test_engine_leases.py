"""Jobs handed ahead to quick workers: charged only when begun, given back when the worker stops or dies."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine_harness import Bench, Driven, settings

from pipeline.commands import CancelJob, Pause, Retry, Unpause
from pipeline.engine.reader import LedgerReader
from pipeline.model import JobState, RunState

QUICK = 40


@contextmanager
def a_gate_after_quick_jobs(bench: Bench, gate: Path, workers: int = 1) -> Iterator[Driven]:
    """Quick jobs, one that waits at `gate`, and more quick ones that are handed out ahead behind it; all done after."""
    for number in range(QUICK):
        bench.video(f"a{number:02}.mp4")
    bench.video("b.mp4", f"gate {gate}")
    for number in range(QUICK):
        bench.video(f"c{number:02}.mp4")
    options = settings(workers=workers)
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        yield driven
        gate.touch()
        driven.until_done()


def cancelled_ahead(driven: Driven) -> int:
    """Cancel a job that a worker has ahead, and return its number."""
    driven.until_running("b.mp4")
    snapshot = driven.until(lambda snapshot: not snapshot.run.discovering)
    ahead = next(row for row in snapshot.jobs if row.name == "c00.mp4")
    driven.engine.send(CancelJob(ahead.job_id))
    driven.until(lambda snapshot: snapshot.run.count(JobState.CANCELLED) == 1)
    return ahead.job_id


def charged(bench: Bench) -> set[bytes]:
    with LedgerReader.read_only(bench.state) as ledger:
        return {job.relative for job in ledger.jobs(1) if job.state is JobState.QUEUED and job.attempt}


def test_a_job_handed_ahead_is_not_charged_when_the_worker_before_it_dies(bench: Bench, tmp_path: Path) -> None:
    with a_gate_after_quick_jobs(bench, tmp_path / "gate") as driven:
        pid = driven.worker_pid("b.mp4")
        assert charged(bench) == set()
        os.kill(pid, signal.SIGKILL)
    done = driven.engine.latest()
    assert {(row.state, row.attempts) for row in done.jobs} == {(JobState.DONE, 1)}
    assert set(bench.log("end").values()) == {1}
    with LedgerReader.read_only(bench.state) as ledger:
        assert {job.relative for job in ledger.jobs(1) if job.attempt != 1} == {b"b.mp4"}
    bench.oracle()


def test_a_pause_takes_back_what_was_handed_ahead(bench: Bench, tmp_path: Path) -> None:
    with a_gate_after_quick_jobs(bench, tmp_path / "gate") as driven:
        driven.until_running("b.mp4")
        driven.engine.send(Pause())
        paused = driven.until(lambda snapshot: not snapshot.run.count(JobState.RUNNING))
        assert paused.run and paused.run.state is RunState.PAUSED
        assert paused.run.count(JobState.QUEUED) == QUICK + 1
        driven.engine.send(Unpause())
    assert set(bench.log("end").values()) == {1}
    bench.oracle()


def test_jobs_ahead_of_a_worker_are_given_to_others_when_its_job_turns_out_to_be_long(
    bench: Bench, tmp_path: Path
) -> None:
    with a_gate_after_quick_jobs(bench, tmp_path / "gate", workers=2) as driven:
        driven.until(lambda snapshot: snapshot.run and snapshot.run.count(JobState.DONE) == 2 * QUICK, "all but one")
    assert set(bench.log("end").values()) == {1}
    bench.oracle()


def test_a_job_cancelled_and_sent_back_while_it_is_ahead_is_done_once(bench: Bench, tmp_path: Path) -> None:
    with a_gate_after_quick_jobs(bench, tmp_path / "gate") as driven:
        driven.engine.send(Retry((cancelled_ahead(driven),)))
        driven.until(lambda snapshot: snapshot.run.count(JobState.CANCELLED) == 0)
    assert bench.oracle() == {JobState.DONE: 2 * QUICK + 1}


def test_a_job_cancelled_while_it_is_ahead_stays_cancelled(bench: Bench, tmp_path: Path) -> None:
    with a_gate_after_quick_jobs(bench, tmp_path / "gate") as driven:
        cancelled_ahead(driven)
    assert bench.oracle() == {JobState.DONE: 2 * QUICK, JobState.CANCELLED: 1}


def test_quick_videos_that_are_done_in_chunks_are_all_put_together(bench: Bench) -> None:
    """The last attempt, at what the chunks are put together to, may be handed ahead as that at any other video."""
    for number in range(QUICK):
        bench.video(f"a{number:02}.mp4")
        bench.video(f"b{number:02}.mp4", "divide 3")
    options = settings(workers=2)
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        driven.until_done()
    with LedgerReader.read_only(bench.state) as ledger:
        assert {(len(job.chunks), job.attempt) for job in ledger.jobs(1)} == {(0, 1), (3, 5)}
    assert bench.oracle() == {JobState.DONE: 2 * QUICK}
