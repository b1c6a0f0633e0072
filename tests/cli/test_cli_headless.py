"""Following a run without a screen: what is told, in which form, and with which exit code it ends."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, cast

import pytest
from rich.console import Console
from scripted import NOTHING, ScriptedEngine, job, noticed, snapshot, with_history

from pipeline.commands import ResumeRun
from pipeline.errors import VconsoleError
from pipeline.model import JobState, RunState
from pipeline.snapshot import Snapshot
from vconsole import headless
from vconsole.exits import Exit
from vconsole.headless import drive
from vconsole.live import LiveFace, drawing
from vconsole.progress import JsonFace, PlainFace
from vconsole.summary import Summary

HOSTILE = "\x1b]0;owned\x07[/]\x1b[2J\u202e\nlist \udcff.mp4"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]")


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headless, "POLL_S", 0.001)


def follow(script: Sequence[Snapshot], before: Snapshot = NOTHING) -> tuple[str, Summary, ScriptedEngine]:
    stream = io.StringIO()
    engine = ScriptedEngine(script, before)
    summary = drive(engine, ResumeRun(), PlainFace(stream), grace_s=1.0)
    return stream.getvalue(), summary, engine


def test_a_run_that_ends_well_exits_with_0_and_says_where_things_are() -> None:
    told, summary, engine = follow(
        [snapshot(job(1, JobState.RUNNING)), snapshot(job(1, JobState.DONE), state=RunState.DONE)]
    )
    assert summary.exit_code == Exit.OK
    assert "done         1.mp4  2 scenes, 5 frames" in told
    assert "run 1 done: 1 done of 1" in told
    assert told.count("run 1 done") == 1
    assert engine.closed


def test_failed_videos_exit_with_1_and_are_told_with_class_sentence_and_remedy() -> None:
    rows = (job(1, JobState.FAILED, note="no index"), job(2, JobState.QUARANTINED, note="crashed twice"))
    told, summary, _ = follow([snapshot(*rows, state=RunState.DONE)])
    assert summary.exit_code == Exit.SOME_FAILED
    assert "failed: 1.mp4\n    corrupt in probe: no index\n    Copy it again.\n" in told
    assert "quarantined: 2.mp4" in told
    assert "give the same command again" in told


def test_a_partial_video_is_no_failure() -> None:
    _, summary, _ = follow([snapshot(job(1, JobState.PARTIAL), state=RunState.DONE)])
    assert summary.exit_code == Exit.OK


def test_the_summary_names_those_outputs_that_are_there(tmp_path: Path) -> None:
    """A run that was stopped early has not written its reports."""
    ended = snapshot(job(1, JobState.DONE), state=RunState.DONE)
    assert ended.run is not None
    ended = replace(ended, run=replace(ended.run, out=str(tmp_path)))
    assert f"outputs: {tmp_path}  (nothing yet)\n" in follow([ended])[0]
    (tmp_path / "features").mkdir()
    (tmp_path / "run.json").touch()
    assert f"outputs: {tmp_path}  (features/, run.json)\n" in follow([ended])[0]


def test_one_of_a_thing_is_told_in_the_singular() -> None:
    single = replace(job(1, JobState.DONE), scenes=1, frames=1)
    told, _, _ = follow([snapshot(single, state=RunState.DONE)])
    assert "1.mp4  1 scene, 1 frame\n" in told
    ended = snapshot(job(1, JobState.DONE, attempts=0), state=RunState.DONE)
    assert ended.run is not None
    told, _, _ = follow([replace(ended, run=replace(ended.run, reused=1))])
    assert "1 was whole already and not done again" in told


def test_what_was_whole_already_does_not_count_into_the_rate() -> None:
    rows = (job(1, JobState.DONE, attempts=0), job(2, JobState.DONE))
    told, summary, _ = follow([snapshot(*rows, state=RunState.DONE)])
    assert summary.video_s == 10.0
    assert "whole        1.mp4  was done already" in told


def test_a_resumed_run_does_not_tell_old_results_as_news() -> None:
    before = with_history(snapshot(job(1, JobState.DONE), state=RunState.INTERRUPTED), 1)
    going = snapshot(job(1, JobState.DONE), job(2, JobState.RUNNING))
    ended = snapshot(job(1, JobState.DONE), job(2, JobState.DONE), state=RunState.DONE)
    told, summary, _ = follow([going, ended], with_history(Snapshot(), 1))
    assert "1.mp4" not in told
    assert summary.video_s == 10.0
    told, summary, _ = follow([before, going, ended], before)
    assert "1.mp4" not in told
    assert summary.exit_code == Exit.OK


def test_an_older_run_on_display_is_not_taken_for_ours() -> None:
    old = snapshot(job(9, JobState.FAILED), state=RunState.DONE, run_id=4)
    ended = snapshot(job(1, JobState.DONE), state=RunState.DONE, run_id=5)
    told, summary, _ = follow([old, old, ended], old)
    assert summary.run.run_id == 5
    assert "9.mp4" not in told


def test_a_refused_command_becomes_an_error_not_a_wait() -> None:
    with pytest.raises(VconsoleError, match="no such run"):
        follow([noticed(Snapshot(), "no such run", "error")])


def test_an_engine_that_can_go_no_further_is_told() -> None:
    halted = snapshot(job(1, JobState.QUEUED))
    halted = Snapshot(run=halted.run, jobs=halted.jobs, fatal="the ledger is gone")
    told, summary, _ = follow([halted])
    assert summary.exit_code == Exit.SOME_FAILED
    assert "held up: the ledger is gone" in told
    assert "vconsole resume 1" in told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_closes_the_engine_says_how_to_go_on_and_exits_with_130(number: signal.Signals) -> None:
    class Told(ScriptedEngine):
        def send(self, command: object) -> None:
            super().send(ResumeRun())
            os.kill(os.getpid(), number)

        def latest(self) -> Snapshot:
            return stopped if self.closed else super().latest()

    stream = io.StringIO()
    stopped = snapshot(job(1, JobState.QUEUED), state=RunState.INTERRUPTED)
    engine = Told([snapshot(job(1, JobState.RUNNING))])
    before = signal.getsignal(number)
    summary = drive(engine, ResumeRun(), PlainFace(stream), grace_s=5.0)
    assert summary.exit_code == Exit.INTERRUPTED
    assert "to go on: vconsole resume 1" in stream.getvalue()
    assert engine.closed
    assert signal.getsignal(number) is before


def test_plain_lines_hold_no_control_characters_whatever_a_name_holds() -> None:
    rows = (job(1, JobState.FAILED, HOSTILE, note=HOSTILE), job(2, JobState.DONE, HOSTILE))
    told, _, _ = follow([noticed(snapshot(*rows, state=RunState.DONE), HOSTILE)])
    assert not CONTROL.search(told)
    assert len(told.splitlines()) == told.count("\n")


def test_the_live_face_lets_no_name_control_the_terminal() -> None:
    stream = io.StringIO()
    rows = (job(1, JobState.FAILED, HOSTILE, note=HOSTILE), job(2, JobState.RUNNING, HOSTILE))
    going = noticed(snapshot(*rows), HOSTILE)
    ended = snapshot(rows[0], job(2, JobState.DONE, HOSTILE), state=RunState.DONE)
    drive(ScriptedEngine([going, ended]), ResumeRun(), LiveFace(stream), grace_s=1.0)
    told = stream.getvalue()
    assert "owned" in told
    assert "\x1b]0;" not in told
    assert "\x1b[2J" not in told
    assert "\u202e" not in told


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_drawing_keeps_to_the_width_of_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for the run and one for what all wait for, whatever they say."""
    monkeypatch.setenv("COLUMNS", str(columns))
    going = snapshot(*(job(number, JobState.DONE) for number in range(9)), job(10, JobState.RUNNING))
    assert going.run is not None
    run = replace(going.run, video_s_per_s=12.3, eta_s=4000.0, bottleneck="All wait for the stage scenes, " * 5)
    stream = io.StringIO()
    console = Console(file=stream)
    console.print(drawing(replace(going, run=run), run, columns))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert max(len(line.rstrip()) for line in lines) <= columns
    assert "9 of 10 videos" in lines[0]


def test_json_is_one_object_a_line_and_the_last_is_the_summary() -> None:
    stream = io.StringIO()
    rows = (job(1, JobState.FAILED, HOSTILE, note="no index"), job(2, JobState.DONE))
    engine = ScriptedEngine([noticed(snapshot(*rows, state=RunState.DONE), "slow disk")])
    drive(engine, ResumeRun(), JsonFace(stream), grace_s=1.0)
    assert stream.getvalue().isascii()
    objects = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [entry["event"] for entry in objects] == ["notice", "job", "job", "run", "progress", "summary"]
    assert objects[1]["name"] == HOSTILE
    assert objects[-1]["exit_code"] == 1
    assert objects[-1]["counts"] == {"failed": 1, "done": 1}
    assert objects[-1]["failures"][0]["class"] == "corrupt"


def test_a_reader_that_went_away_stops_the_run_and_keeps_what_is_done() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    engine = ScriptedEngine([snapshot(job(1, JobState.RUNNING))])
    summary = drive(engine, ResumeRun(), PlainFace(Gone()), grace_s=1.0)
    assert summary.exit_code == Exit.INTERRUPTED
    assert engine.closed


STUCK = """
import sys, threading
from rich.console import Console
from scripted import ScriptedEngine, job, snapshot
from pipeline.commands import ResumeRun
from pipeline.model import JobState
from vconsole.headless import drive
from vconsole.progress import PlainFace

class Stuck(ScriptedEngine):
    def close(self, *, now=False):
        print("closing", flush=True)
        threading.Event().wait()

drive(Stuck([snapshot(job(1, JobState.RUNNING))]), ResumeRun(), PlainFace(sys.stdout), grace_s=float(sys.argv[1]))
"""


@pytest.mark.parametrize(("grace_s", "signals"), [("600", 2), ("0.1", 1)])
def test_an_engine_that_does_not_end_is_ended_by_a_second_signal_or_after_its_grace(grace_s: str, signals: int) -> None:
    where = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    process = subprocess.Popen([sys.executable, "-c", STUCK, grace_s], stdout=subprocess.PIPE, text=True, env=where)
    with contextlib.closing(cast("IO[str]", process.stdout)) as told:
        next(line for line in told if "running" in line)
        process.send_signal(signal.SIGINT)
        next(line for line in told if "closing" in line)
        if signals == 2:
            process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=30) == Exit.INTERRUPTED
        finally:
            process.kill()
