"""A transcode as a run: names, plan, refusals, reports, verify; the work itself is the fake worker's."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
from engine_harness import Bench, jobs, settings

from pipeline.commands import ResumeRun, StartRun
from pipeline.engine.faults import Fault, Trouble
from pipeline.engine.plan import check, plan
from pipeline.engine.surroundings import Surroundings
from pipeline.engine.tuning import EXTRACTING, plan_workers, transcoding
from pipeline.engine.volumes import Volume
from pipeline.errors import SettingsError
from pipeline.forecast import Verdict
from pipeline.model import JobState, RunKind, RunState
from pipeline.outputs.naming import Names
from pipeline.sections import EngineSettings
from pipeline.settings import DEFAULT_PRESETS, Settings
from pipeline.stages.keys import transcode_keys
from vconsole.cli import run as command_line

TRANSCODE = RunKind.TRANSCODE


def options(**transcode: Any) -> Settings:
    return settings().model_copy(
        update={"transcode": Settings.model_validate({"transcode": transcode}).transcode},
    )


def outputs(bench: Bench) -> set[str]:
    """Return the name of every video in the output folder."""
    return {str(path.relative_to(bench.out)) for path in bench.out.rglob("*.m*") if path.is_file()}


def test_outputs_keep_folders_and_two_inputs_never_share_a_name(bench: Bench) -> None:
    for name in ("a/one.mov", "a/one.avi", "a/one.mkv", "two.mp4", "b/one.mov"):
        bench.video(name)
    planned = {job.relative.decode(): job for job in plan(bench.start(options(), kind=TRANSCODE), bench.state)}
    assert planned["a/one.avi"].output == b"a/one.mp4"
    assert planned["a/one.mov"].output == b"a/one.mov.mp4"
    assert "another input has the name" in planned["a/one.mov"].reason
    snapshot = bench.run(options(), kind=TRANSCODE)
    assert all(row.state is JobState.DONE for row in snapshot.jobs)
    assert outputs(bench) == {"a/one.mp4", "a/one.mkv.mp4", "a/one.mov.mp4", "two.mp4", "b/one.mp4"}
    bench.oracle()


def test_a_plan_says_which_output_of_another_format_stays(bench: Bench) -> None:
    bench.video("one.mov")
    bench.run(options(output_format="mkv"), kind=TRANSCODE)
    command = bench.start(options(), kind=TRANSCODE)
    (planned,) = plan(command, bench.state)
    assert planned.output == b"one.mp4"
    assert planned.reason == "one.mkv, made in another format before, stays beside it"
    bench.run(options(), kind=TRANSCODE)
    assert outputs(bench) == {"one.mkv", "one.mp4"}
    assert [job.reason for job in plan(command, bench.state)] == [""]


def test_names_stay_with_their_inputs_though_others_come_and_go(bench: Bench) -> None:
    bench.video("one.mov")
    bench.run(options(), kind=TRANSCODE)
    bench.video("one.avi")  # comes first by its name
    snapshot = bench.run(options(), kind=TRANSCODE)
    assert jobs(snapshot)["one.mov"].reused
    assert outputs(bench) == {"one.mp4", "one.avi.mp4"}
    assert bench.log() == {"one.mov": 1, "one.avi": 1}


def test_names_that_are_not_utf_8_survive_a_resume(bench: Bench) -> None:
    for name in (b"\xff.mov", b"\xff.avi"):
        (bench.source / os.fsdecode(name)).write_text(f"done\n{name!r}")
    with bench.engine(options()) as driven:
        driven.engine.send(bench.start(options(), kind=TRANSCODE))
        driven.until_done()
    with bench.engine(options()) as driven:
        driven.engine.send(bench.start(options(), kind=TRANSCODE))
        assert all(row.reused for row in driven.until_done().jobs)
    assert {os.fsencode(name) for name in outputs(bench)} == {b"\xff.mp4", b"\xff.mov.mp4"}


def test_the_name_of_a_failed_job_stays_for_its_next_attempt(bench: Bench) -> None:
    bench.video("a.avi", "fail corrupt")
    bench.video("a.mov", "fail corrupt")
    bench.run(options(), kind=TRANSCODE)
    for name in ("a.avi", "a.mov"):
        (bench.source / name).write_text(f"done\n{name}")
    bench.run(options(), kind=TRANSCODE)
    assert outputs(bench) == {"a.mp4", "a.mov.mp4"}


def test_an_unchanged_output_is_not_done_again_and_a_changed_setting_does_it_again(bench: Bench) -> None:
    bench.video("a.mov")
    bench.run(options(), kind=TRANSCODE)
    assert jobs(bench.run(options(), kind=TRANSCODE))["a.mov"].reused
    assert jobs(bench.run(options(hwaccel="none", report_file=""), kind=TRANSCODE))["a.mov"].reused
    assert not jobs(bench.run(options(crf=30), kind=TRANSCODE))["a.mov"].reused
    assert bench.log() == {"a.mov": 2}
    bench.run(options(crf=30), kind=TRANSCODE, force=True)
    assert bench.log() == {"a.mov": 3}


def test_a_salvaged_output_is_not_taken_for_whole_once_salvage_is_off(bench: Bench) -> None:
    bench.video("a.mov", "partial")
    bench.run(options(salvage=True), kind=TRANSCODE)
    assert jobs(bench.run(options(salvage=True), kind=TRANSCODE))["a.mov"].reused
    assert not jobs(bench.run(options(), kind=TRANSCODE))["a.mov"].reused


def test_an_output_folder_that_holds_an_input_is_refused(bench: Bench) -> None:
    inner = bench.source / "inner"
    inner.mkdir()
    link = bench.source.with_name("link")
    link.symlink_to(bench.source)
    for out in (bench.source, bench.source.parent, link):
        command = StartRun(
            TRANSCODE, (os.fsencode(inner),), os.fsencode(out), DEFAULT_PRESETS[TRANSCODE], options(), False
        )
        with pytest.raises(SettingsError, match="lies in the output folder"):
            check(command)


def test_an_output_folder_below_an_input_is_left_out_of_the_search(bench: Bench) -> None:
    bench.out = bench.source / "out"
    bench.video("a.mov")
    bench.run(options(), kind=TRANSCODE)
    again = list(plan(bench.start(options(), kind=TRANSCODE), bench.state))
    assert [(job.relative, job.verdict) for job in again] == [(b"a.mov", Verdict.DONE), (b"out", Verdict.SKIPPED)]


@pytest.mark.parametrize(
    ("first", "second"), [(TRANSCODE, RunKind.EXTRACT), (RunKind.EXTRACT, TRANSCODE)], ids=["extract", "transcode"]
)
def test_a_folder_with_outputs_of_another_kind_is_refused(bench: Bench, first: RunKind, second: RunKind) -> None:
    bench.video("a.mov")
    bench.run(options(), kind=first)
    with pytest.raises(SettingsError, match=f"holds the outputs of {first} runs"):
        list(plan(bench.start(options(), kind=second), bench.state))
    with bench.engine(options()) as driven:
        driven.engine.send(bench.start(options(), kind=second))
        driven.until(lambda snapshot: any("holds the outputs" in notice.text for notice in snapshot.notices))
    bench.oracle()


def test_settings_that_cannot_go_together_are_refused_before_any_work(bench: Bench) -> None:
    with pytest.raises(SettingsError, match="webm holds no h264"):
        check(bench.start(options(output_format="webm"), kind=TRANSCODE))
    with pytest.raises(SettingsError, match=r"must end in \.json or \.csv"):
        check(bench.start(options(report_file="/tmp/report.txt"), kind=TRANSCODE))


def test_the_report_says_of_each_input_what_became_of_it(bench: Bench, tmp_path: Path) -> None:
    bench.video("a.mov")
    bench.video("b.mov", "skip")
    bench.video("=c.mov", "fail corrupt")
    bench.video("note.txt")
    bench.run(options(report_file=str(tmp_path / "more.csv")), kind=TRANSCODE)
    report = json.loads((bench.out / "transcode_report.json").read_text())
    assert (report["totals"]["files"], report["totals"]["done"]) == (4, 1)
    files = {entry["source"]: entry for entry in report["files"]}
    assert files["a.mov"]["output"] == "a.mp4" and files["a.mov"]["bytes_out"] > 0
    assert files["b.mov"] | {"reason": "no video stream", "status": "skipped"} == files["b.mov"]
    bad = files["=c.mov"]
    assert (bad["class"], bad["message"], bad["status"]) == ("corrupt", "it is corrupt", "quarantined")
    assert "salvage" in bad["remedy"]
    assert files["note.txt"]["reason"] == "not a video or picture"
    for path in (bench.out / "transcode_report.csv", tmp_path / "more.csv"):
        rows = list(csv.DictReader(path.read_text().splitlines()))
        assert [row["source"] for row in rows] == ["'=c.mov", "a.mov", "b.mov", "note.txt"]
    bench.oracle()


def test_the_report_is_written_when_a_run_is_stopped(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    bench.video("a.mov")
    bench.video("b.mov", f"gate {gate}")
    with bench.engine(options()) as driven:
        driven.engine.send(bench.start(options(), kind=TRANSCODE))
        driven.until_running("b.mov")
        driven.until(lambda snapshot: jobs(snapshot)["a.mov"].state is JobState.DONE)
    statuses = {entry["source"]: entry["status"] for entry in bench.reported(TRANSCODE)}
    assert statuses == {"a.mov": "done", "b.mov": "queued"}
    gate.touch()
    with bench.engine(options()) as driven:
        driven.engine.send(ResumeRun())
        driven.until(lambda snapshot: snapshot.run and snapshot.run.state is RunState.DONE)
    assert {entry["status"] for entry in bench.reported(TRANSCODE)} == {"done"}
    assert bench.log()["a.mov"] == 1


def test_parts_that_a_crash_left_are_removed_and_other_files_are_not(bench: Bench) -> None:
    bench.video("sub/a.mov")
    stale = bench.out / "sub" / ".0123456789abcdef.part"
    other = bench.out / "sub" / "notes.txt"
    stale.parent.mkdir(parents=True)
    stale.write_text("half")
    other.write_text("mine")
    bench.run(options(), kind=TRANSCODE)
    assert not stale.exists() and other.read_text() == "mine"


def test_verify_finds_what_happened_to_outputs(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.mov", "b.mov", "c.mov"):
        bench.video(name)
    bench.run(options(), kind=TRANSCODE)
    told = ["--set", f"state_dir={bench.state}"]
    assert command_line(["verify", str(bench.out), "--deep", *told]) == 0
    (bench.out / "a.mp4").unlink()
    (bench.out / "b.mp4").write_bytes((bench.out / "b.mp4").read_bytes()[::-1])
    (bench.out / "stray.mp4").write_text("whose?")
    (bench.out / "transcode_report.csv").write_text("nothing")
    capsys.readouterr()
    assert command_line(["verify", str(bench.out), "--json", *told]) == 1
    found = {line["path"]: line["fault"] for line in map(json.loads, capsys.readouterr().out.splitlines()[:-1])}
    assert found == {
        "a.mp4": "missing",
        "b.mp4": "checksum differs",
        "stray.mp4": "file without row",
        "transcode_report.csv": "size differs",
    }


def test_a_full_volume_holds_the_run_until_as_much_is_free_as_was_missing(bench: Bench) -> None:
    bench.out.mkdir()
    out = os.fsencode(bench.out)
    around = Surroundings(Volume(out), (), TRANSCODE)
    assert around.prepare() is None
    assert around.has_passed(Trouble(Fault.OUT_FULL, out))
    around.wants_room(1 << 60)
    assert not around.has_passed(Trouble(Fault.OUT_FULL, out))


def test_workers_are_counted_by_the_threads_of_an_encoder() -> None:
    def planned(cores: int, encoder: str, **more: Any) -> tuple[int, int, int]:
        made = plan_workers(
            EngineSettings(), core_count=cores, free_memory_bytes=1 << 40, share=transcoding(encoder), **more
        )
        return made.workers, made.decode_threads, made.encode_threads

    assert planned(16, "libx264") == (4, 4, 6)
    assert planned(2, "libx264") == (1, 2, 3)
    assert planned(32, "libsvtav1") == (4, 8, 12)
    assert planned(16, "libx264", wanted=16) == (16, 1, 2)
    assert plan_workers(EngineSettings(), core_count=16, free_memory_bytes=1 << 40, share=EXTRACTING).workers == 8


def test_a_key_depends_on_content_and_on_what_is_in_the_output() -> None:
    def key(content: str = "c", **transcode: Any) -> str:
        return transcode_keys(options(**transcode), content)["transcode"]

    same = {key(), key(hwaccel="none"), key(salvage=True), key(report_file="/a.csv")}
    assert len(same) == 1
    assert len({key(), key("d"), key(crf=20), key(crop="auto"), key(output_format="mkv")}) == 5


def test_names_are_shortened_and_stay_apart() -> None:
    names = Names(b".mp4")
    long = [b"x" * 250 + suffix for suffix in (b".mov", b".avi", b".mkv")]
    made = [names.of(relative) for relative in long]
    assert len(set(made)) == 3 and all(len(name) <= 240 for name in made)
    assert made == [names.of(relative) for relative in long]
