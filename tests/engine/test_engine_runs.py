"""Runs from their start to their end: results, commands, resume, reports and snapshots."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from engine_harness import FAKE_WORKER, SETTLE_S, Bench, Clock, jobs, settings

from pipeline.commands import (
    CancelJob,
    CancelRun,
    Drain,
    OpenRun,
    Pause,
    ResumeRun,
    Retry,
    SetWorkers,
    Unpause,
)
from pipeline.engine import Engine
from pipeline.engine.reader import LedgerReader
from pipeline.errors import EngineRunningError
from pipeline.model import FailureClass, JobState, RunState, Stage
from pipeline.outputs.manifest import read_manifest
from pipeline.settings import Settings
from pipeline.snapshot import Snapshot


def noted(snapshot: Snapshot, words: str) -> bool:
    return any(words in notice.text for notice in snapshot.notices)


def state_is(state: RunState) -> object:
    return lambda snapshot: snapshot.run and snapshot.run.state is state


def test_every_input_ends_in_the_state_that_its_worker_told(bench: Bench) -> None:
    for name, line in {"a.mp4": "done", "b.mp4": "partial", "c.mp4": "fail corrupt", "d.mp4": "skip"}.items():
        bench.video(name, line)
    (bench.source / "notes.txt").write_text("hello")
    snapshot = bench.run(settings())
    assert {name: str(row.state) for name, row in jobs(snapshot).items()} == {
        "a.mp4": "done",
        "b.mp4": "partial",
        "c.mp4": "failed",
        "d.mp4": "skipped",
        "notes.txt": "skipped",
    }
    assert snapshot.run and snapshot.run.total == 5 == sum(count for _, count in snapshot.run.counts)
    assert [(row.name, row.failure, row.message) for row in snapshot.failures] == [
        ("c.mp4", FailureClass.CORRUPT, "it is corrupt")
    ]
    rows = {row["source"]: row for row in read_manifest(os.fsencode(bench.out))}
    assert rows["b.mp4"]["lost_frames"] == 25
    assert rows["d.mp4"]["reason"] == "no video stream"
    assert rows["c.mp4"]["class"] == "corrupt"
    assert (bench.out / "run.json").exists() and (bench.out / "failures.json").exists()
    bench.oracle()


def test_a_second_run_does_nothing_again_and_force_does_all(bench: Bench) -> None:
    for number in range(3):
        bench.video(f"{number}.mp4")
    bench.run(settings())
    again = bench.run(settings())
    assert again.run and (again.run.reused, again.run.count(JobState.DONE)) == (3, 3)
    assert set(bench.log().values()) == {1}
    (bench.out / "features" / "1.mp4.h5").unlink()
    bench.run(settings())
    assert bench.log() == {"0.mp4": 1, "1.mp4": 2, "2.mp4": 1}
    bench.run(settings(), force=True)
    assert bench.log() == {"0.mp4": 2, "1.mp4": 3, "2.mp4": 2}


def test_a_file_that_still_changes_waits_until_it_has_settled(bench: Bench) -> None:
    options, clock = settings(settle_s=SETTLE_S), Clock()
    path = bench.video("a.mp4")
    with bench.engine(options, clock=clock) as driven:
        driven.engine.send(bench.start(options))
        driven.until_settling()
        path.write_text("done\nlonger now\n")
        clock.settle(driven)
        snapshot = driven.until_done()
    assert snapshot.jobs[0].state is JobState.DONE
    assert bench.log() == {"a.mp4": 1}


def test_a_file_that_changes_while_it_is_read_is_done_again(bench: Bench) -> None:
    bench.video("a.mp4", "first:fail changed")
    assert bench.run(settings()).jobs[0].state is JobState.DONE
    assert bench.log() == {"a.mp4": 2}


def test_a_transient_failure_is_tried_again_and_bounded(bench: Bench) -> None:
    bench.video("passes.mp4", "first:fail io")
    bench.video("stays.mp4", "fail io")
    rows = jobs(bench.run(settings()))
    assert (rows["passes.mp4"].state, rows["passes.mp4"].attempts) == (JobState.DONE, 2)
    assert (rows["stays.mp4"].state, rows["stays.mp4"].attempts) == (JobState.FAILED, 3)


def test_retry_does_failed_jobs_again_and_the_reports_follow(bench: Bench) -> None:
    path = bench.video("a.mp4", "fail corrupt")
    bench.video("b.mp4")
    options = settings()
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        before = driven.until_done()
        path.write_text("done\na\n")
        driven.engine.send(Retry(failure=FailureClass.STALLED))
        driven.until(lambda snapshot: noted(snapshot, "Nothing to try again"))
        driven.engine.send(Retry(job_ids=(jobs(before)["a.mp4"].job_id,)))
        after = driven.until(
            lambda snapshot: state_is(RunState.DONE)(snapshot) and snapshot.run.count(JobState.DONE) == 2  # type: ignore[operator]
        )
    assert jobs(after)["b.mp4"] is jobs(before)["b.mp4"], "a row that did not change is the same object"
    assert after.failures == ()
    assert {row["status"] for row in read_manifest(os.fsencode(bench.out))} == {"done"}
    assert bench.log() == {"a.mp4": 2, "b.mp4": 1}
    bench.oracle()


def test_a_run_that_is_over_can_be_opened_by_a_later_engine_and_what_failed_be_tried_again(bench: Bench) -> None:
    path = bench.video("a.mp4", "fail corrupt")
    bench.video("b.mp4")
    options = settings()
    before = bench.run(options)
    assert before.run
    with bench.engine(options) as driven:
        driven.engine.send(OpenRun(before.run.run_id))
        shown = driven.until(lambda snapshot: snapshot.run and not snapshot.run.loading)
        assert shown.run and (shown.run.state, shown.run.counts) == (RunState.DONE, before.run.counts)
        assert shown.run.elapsed_s == pytest.approx(before.run.elapsed_s, abs=0.5)
        assert [row.message for row in shown.failures] == ["it is corrupt"]
        assert [(row.name, row.state, row.attempts) for row in shown.jobs] == [
            (row.name, row.state, row.attempts) for row in before.jobs
        ]
        assert bench.log() == {"a.mp4": 1, "b.mp4": 1}, "it is only shown"
        path.write_text("done\na\n")
        driven.engine.send(Retry())
        after = driven.until(
            lambda snapshot: state_is(RunState.DONE)(snapshot) and snapshot.run.count(JobState.DONE) == 2  # type: ignore[operator]
        )
    assert after.failures == ()
    assert bench.log() == {"a.mp4": 2, "b.mp4": 1}
    bench.oracle()


def test_a_run_is_not_opened_over_one_that_is_under_way(bench: Bench, tmp_path: Path) -> None:
    bench.video("a.mp4")
    done = bench.run(settings())
    assert done.run
    gate = tmp_path / "gate"
    bench.video("b.mp4", f"gate {gate}")
    with bench.engine(settings()) as driven:
        driven.engine.send(bench.start(settings()))
        driven.until_running("b.mp4")
        driven.engine.send(OpenRun(done.run.run_id))
        driven.until(lambda snapshot: noted(snapshot, "cannot be opened while another is under way"))
        gate.touch()
        driven.until_done()


def test_a_healthy_copy_of_a_video_that_could_not_be_read_is_tried(bench: Bench) -> None:
    for name, line in {"a.mp4": "first:fail io", "b.mp4": "x", "c.mp4": "x", "z.mp4": "fail corrupt"}.items():
        bench.video(name, line)
    for name in ("b.mp4", "c.mp4"):
        (bench.source / name).write_bytes((bench.source / "a.mp4").read_bytes())
    (bench.source / "zz.mp4").write_bytes((bench.source / "z.mp4").read_bytes())
    rows = jobs(bench.run(settings(max_attempts=1)))
    assert {name: (str(row.state), row.note) for name, row in rows.items()} == {
        "a.mp4": ("failed", "it is io"),
        "b.mp4": ("failed", "it is io"),
        "c.mp4": ("failed", "it is io"),
        "z.mp4": ("failed", "it is corrupt"),
        "zz.mp4": ("skipped", "duplicate of z.mp4"),
    }
    assert bench.log() == {"a.mp4": 1, "b.mp4": 1, "c.mp4": 1, "z.mp4": 1}
    bench.oracle()


def test_copies_that_were_not_needed_are_duplicates_of_the_one_that_was_done(bench: Bench) -> None:
    original = bench.video("a.mp4", "unless b.mp4 fail stalled")
    for name in ("b.mp4", "c.mp4"):
        (bench.source / name).write_bytes(original.read_bytes())
    rows = jobs(bench.run(settings(max_attempts=1)))
    told = {name: (str(row.state), row.note) for name, row in rows.items()}
    assert (told["a.mp4"][0], told["b.mp4"][0]) == ("failed", "done")
    assert told["c.mp4"] == ("skipped", "duplicate of b.mp4")
    manifest = {row["source"]: row for row in read_manifest(os.fsencode(bench.out))}
    assert manifest["c.mp4"]["duplicate_of"] == "b.mp4"
    bench.oracle()


def test_a_duplicate_names_an_original_whose_name_is_not_text(bench: Bench) -> None:
    for name in (b"a\xff.mp4", b"b.mp4"):
        (Path(os.fsdecode(os.path.join(os.fsencode(bench.source), name)))).write_text("done\nsame\n")
    rows = jobs(bench.run(settings()))
    assert os.fsencode(rows["b.mp4"].note) == b"duplicate of a\xff.mp4"


def test_pause_gives_jobs_back_uncharged_and_unpause_goes_on(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    bench.video("a.mp4", f"gate {gate}")
    options = settings()
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        driven.until_running("a.mp4")
        driven.engine.send(Pause())
        paused = driven.until(lambda snapshot: snapshot.jobs[0].state is JobState.QUEUED)
        assert paused.run and (paused.run.state, paused.jobs[0].attempts) == (RunState.PAUSED, 0)
        gate.touch()
        driven.engine.send(Unpause())
        done = driven.until_done()
    assert done.jobs[0].attempts == 1
    bench.oracle()


def test_drain_finishes_what_runs_and_starts_nothing_more(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    bench.video("a.mp4", f"gate {gate}")
    bench.video("b.mp4")
    options = settings(workers=1)
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        driven.until_running("a.mp4")
        driven.engine.send(Drain())
        driven.until(state_is(RunState.DRAINING))  # type: ignore[arg-type]
        gate.touch()
        drained = driven.until(state_is(RunState.PAUSED))  # type: ignore[arg-type]
        rows = jobs(drained)
        assert (rows["a.mp4"].state, rows["b.mp4"].state) == (JobState.DONE, JobState.QUEUED)
        assert drained.run and drained.run.paused_because.startswith("Drained")
        driven.engine.send(Unpause())
        driven.until_done()


def test_a_cancelled_run_keeps_what_is_done_and_can_be_resumed(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    bench.video("a.mp4")
    bench.video("b.mp4", f"gate {gate}")
    bench.video("c.mp4")
    options = settings(workers=1)
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        driven.until_running("b.mp4")
        driven.engine.send(CancelRun(1))
        cancelled = driven.until(
            lambda snapshot: snapshot.run.count(JobState.CANCELLED) == 2 and (bench.out / "run.json").exists()
        )
        assert cancelled.run and cancelled.run.state is RunState.CANCELLED
        assert jobs(cancelled)["a.mp4"].state is JobState.DONE
        gate.touch()
        driven.engine.send(ResumeRun(1))
        driven.until_done()
    assert bench.log() == {"a.mp4": 1, "b.mp4": 2, "c.mp4": 1}
    bench.oracle()


def test_one_job_can_be_cancelled_while_it_runs_or_waits(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    bench.video("a.mp4", f"gate {gate}")
    bench.video("b.mp4")
    bench.video("c.mp4")
    options = settings(workers=1)
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        driven.until_running("a.mp4")
        rows = jobs(driven.until(lambda snapshot: len(snapshot.jobs) == 3))
        driven.engine.send(CancelJob(rows["b.mp4"].job_id))
        driven.until(lambda snapshot: jobs(snapshot)["b.mp4"].state is JobState.CANCELLED)
        driven.engine.send(CancelJob(rows["a.mp4"].job_id))
        rows = jobs(driven.until_done())
    assert [str(rows[name].state) for name in ("a.mp4", "b.mp4", "c.mp4")] == ["cancelled", "cancelled", "done"]
    bench.oracle()


def test_runs_wait_for_one_another(bench: Bench, tmp_path: Path) -> None:
    bench.video("a.mp4")
    options = settings()
    first = bench.start(options)
    second = replace(first, out=os.fsencode(tmp_path / "out2"))
    with bench.engine(options) as driven:
        driven.engine.send(first)
        driven.engine.send(second)
        driven.until(lambda snapshot: snapshot.run and snapshot.run.run_id == 2 and snapshot.run.state is RunState.DONE)
        assert [summary.state for summary in driven.engine.latest().runs] == [RunState.DONE, RunState.DONE]
    assert (tmp_path / "out2" / "features" / "a.mp4.h5").exists()


@pytest.mark.parametrize("how", ["resume", "same command"])
def test_a_closed_engine_gives_attempts_back_and_the_run_goes_on_later(bench: Bench, tmp_path: Path, how: str) -> None:
    gate = tmp_path / "gate"
    bench.video("a.mp4")
    bench.video("b.mp4", f"gate {gate}")
    options = settings(workers=1)
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        driven.until_running("b.mp4")
    assert bench.oracle() == {JobState.DONE: 1, JobState.QUEUED: 1}
    assert [row["status"] for row in read_manifest(os.fsencode(bench.out))] == ["done", "queued"]
    assert json.loads((bench.out / "run.json").read_text())["state"] == "interrupted"
    bench.video("late.mp4")
    gate.touch()
    with bench.engine(options) as driven:
        assert driven.engine.latest().runs[0].state is RunState.INTERRUPTED
        driven.engine.send(ResumeRun() if how == "resume" else bench.start(options))
        done = driven.until_done()
    assert done.run and done.run.run_id == 1
    assert jobs(done)["b.mp4"].attempts == 1
    assert jobs(done)["late.mp4"].state is JobState.DONE
    assert bench.log() == {"a.mp4": 1, "b.mp4": 2, "late.mp4": 1}
    bench.oracle()


def test_closing_at_once_leaves_no_worker_even_if_none_answers(bench: Bench) -> None:
    bench.video("a.mp4", "stopped")
    options = settings(grace_s=60)
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        driven.until_running("a.mp4")
        driven.engine.close(now=True)
    assert bench.oracle() == {JobState.QUEUED: 1}
    assert not (bench.out / "manifest.jsonl.gz").exists(), "there was no time for reports"


def test_the_number_of_workers_can_be_changed_while_the_run_goes_on(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    for number in range(4):
        bench.video(f"{number}.mp4", f"gate {gate}")
    options = settings(workers=1)
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        driven.until_running("0.mp4")
        driven.engine.send(SetWorkers(3))
        driven.until(lambda snapshot: snapshot.run.count(JobState.RUNNING) == 3)
        driven.engine.send(SetWorkers(1))
        driven.until(lambda snapshot: sum(worker.state == "stopping" for worker in snapshot.workers) == 2)
        gate.touch()
        done = driven.until(lambda snapshot: state_is(RunState.DONE)(snapshot) and len(snapshot.workers) == 1)  # type: ignore[operator]
        assert done.worker_plan and done.worker_plan.workers == 1
        driven.engine.send(SetWorkers(0))
        driven.until(lambda snapshot: noted(snapshot, "0 workers cannot be"))
    bench.oracle()


@pytest.mark.parametrize(
    "command", [Pause(), Unpause(), Drain(), CancelRun(7), CancelJob(7), Retry(), ResumeRun(), OpenRun(7)]
)
def test_a_command_that_cannot_be_done_becomes_a_notice(bench: Bench, command: object) -> None:
    with bench.engine(settings()) as driven:
        driven.engine.send(command)  # type: ignore[arg-type]
        driven.until(lambda snapshot: snapshot.notices and snapshot.notices[0].level == "error")


def test_an_engine_holds_its_state_folder_against_a_second_one(bench: Bench) -> None:
    with bench.engine(settings()):
        second = Engine(settings(), state_dir=bench.state, worker_command=FAKE_WORKER)
        with pytest.raises(EngineRunningError, match=str(os.getpid())):
            second.start()
    Engine(settings(), state_dir=bench.state).close()


def test_an_output_that_a_worker_finds_whole_counts_as_reused_and_in_no_rate(bench: Bench) -> None:
    bench.video("a.mp4", "adopt")
    done = bench.run(settings())
    assert done.run and (done.run.reused, done.run.video_s_per_s, done.run.bytes_written) == (1, 0.0, 0)
    assert (done.jobs[0].note, done.jobs[0].reused, done.jobs[0].duration_s) == ("done already", True, 10.0)
    bench.video("b.mp4")
    again = bench.run(settings())
    assert again.run and again.run.reused == 1


def test_the_length_of_a_video_is_shown_while_it_runs_and_after_it_failed(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    bench.video("a.mp4", f"gate {gate}")
    bench.video("b.mp4", "segv")
    options = settings(max_crashes=1)
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        assert driven.until_running("a.mp4").duration_s == 10.0
        gate.touch()
        rows = jobs(driven.until_done())
    assert (rows["b.mp4"].state, rows["b.mp4"].duration_s) == (JobState.QUARANTINED, 10.0)


def test_the_run_record_tells_machine_versions_and_totals(bench: Bench) -> None:
    bench.video("a.mp4")
    bench.video("b.mp4", "partial")
    bench.video("c.mp4", "fail corrupt")
    bench.run(settings())
    told = json.loads((bench.out / "run.json").read_text())
    totals = {"jobs": 3, "done": 1, "partial": 1, "failed": 1, "video_s": 20.0, "scenes": 2, "frames": 6}
    assert told["totals"].items() >= totals.items()
    sizes = [(bench.source / name).stat().st_size for name in ("a.mp4", "b.mp4")]
    assert told["totals"]["source_bytes"] == sum(sizes) and told["totals"]["output_bytes"] > 0
    assert told["totals"]["wall_s"] > 0
    assert told["machine"]["cores"] >= 1 and told["machine"]["memory_bytes"] > 1 << 20
    assert told["machine"].keys() >= {"system", "gpus", "device"}
    assert told["versions"].keys() >= {"python", "av", "h5py", "torch"}


def test_only_stages_that_the_settings_ask_for_are_shown_and_rates_stand_still_at_the_end(bench: Bench) -> None:
    bench.video("a.mp4")
    options = settings(rate_window_s=3)
    options = Settings.model_validate(options.model_dump() | {"crop": {"enabled": False}})
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        done = driven.until_done()
        assert [str(view.stage) for view in done.stages] == ["probe", "scenes", "frames", "dedupe", "write"]
        assert done.run and done.run.video_s_per_s > 0
        later = driven.until(lambda snapshot: snapshot.taken_s > done.taken_s + 4)
    assert later.run and later.run.video_s_per_s == done.run.video_s_per_s
    assert later.stages == done.stages


def test_stages_tell_of_their_rate_and_the_run_of_its_end(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    for number in range(3):
        bench.video(f"{number}.mp4")
    bench.video("z.mp4", f"gate {gate}")
    options = settings(workers=1)
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        driven.until_running("z.mp4")
        snapshot = driven.until(lambda snapshot: snapshot.run.eta_s is not None)
        scenes = next(stage for stage in snapshot.stages if stage.stage is Stage.SCENES)
        assert (scenes.done, scenes.p50_s, scenes.p95_s) == (3, 0.1, 0.1)
        assert scenes.items_per_s > 0
        run = snapshot.run
        assert run and run.eta_low_s is not None and run.eta_high_s is not None and run.eta_s is not None
        assert run.eta_low_s <= run.eta_s <= run.eta_high_s
        assert snapshot.worker_plan and "1 worker " in snapshot.worker_plan.sentence
        driven.until(lambda snapshot: snapshot.machine.memory_total_bytes > 0)
        gate.touch()
        driven.until_done()


def test_snapshots_stop_while_nothing_changes(bench: Bench) -> None:
    bench.video("a.mp4")
    options = settings(sensor_s=3600)
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        driven.until_done()
        serials = {driven.engine.latest().serial for _ in range(3)}
        last = driven.engine.latest()
        driven.engine.send(SetWorkers(0))
        after = driven.until(lambda snapshot: noted(snapshot, "cannot be"))
    assert after.serial - last.serial <= 3 and len(serials) <= 2


def test_the_engine_imports_nothing_heavy() -> None:
    heavy = ("torch", "av", "cv2", "h5py", "textual", "rich")
    code = f"import sys, pipeline.engine; print([name for name in {heavy} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"


def test_a_job_that_fails_while_it_is_cancelled_is_not_tried_again(bench: Bench) -> None:
    bench.video("a.mp4", "turn io")
    options = settings()
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        driven.engine.send(CancelJob(driven.until_running("a.mp4").job_id))
        done = driven.until_done()
    assert [(row.state, row.attempts) for row in done.jobs] == [(JobState.CANCELLED, 1)]
    bench.oracle()


def test_a_cancelled_run_ends_though_its_job_fails_while_it_is_stopped(bench: Bench) -> None:
    bench.video("a.mp4", "turn io")
    options = settings()
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        driven.until_running("a.mp4")
        driven.engine.send(CancelRun(1))
        driven.until(lambda snapshot: snapshot.run.count(JobState.CANCELLED) == 1, "the job to be cancelled")
        driven.until(lambda _: (bench.out / "run.json").exists(), "the reports of the cancelled run")
    assert bench.oracle() == {JobState.CANCELLED: 1}


def test_a_run_resumed_while_it_is_still_being_cancelled_does_all_its_jobs(bench: Bench) -> None:
    bench.video("a.mp4", "first:turn io")
    options = settings()
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        driven.until_running("a.mp4")
        driven.engine.send(CancelRun(1))
        driven.engine.send(ResumeRun(1))
        driven.until_done()
    assert bench.oracle() == {JobState.DONE: 1}


def test_a_run_cancelled_before_it_begins_leaves_no_job_open(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    bench.video("a.mp4", f"gate {gate}")
    options, other = settings(), settings(workers=1)
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        driven.until_running("a.mp4")
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(other))
        driven.until_running("a.mp4")
        driven.engine.send(ResumeRun(1))
        driven.engine.send(CancelRun(1))
        driven.until(lambda snapshot: any(run.run_id == 1 and run.state == "cancelled" for run in snapshot.runs))
        gate.touch()
        driven.until_done()
    with LedgerReader.read_only(bench.state) as ledger:
        assert ledger.counts(1) == {JobState.CANCELLED: 1}
