"""`vconsole classify`: right classes from stored vectors, gone on with after a kill, and no file takes all down."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest
from analysis_make import EACH, KINDS, vconsole

from pipeline.analysis.asked import ClassifyRun, command_of
from pipeline.engine import Engine, history
from pipeline.engine.beside import leaving_word, left, take_in
from pipeline.engine.ledger import Ledger
from pipeline.engine.records import NewJob
from pipeline.history import RunDetails
from pipeline.model import FailureClass, JobState, RunKind, RunState
from pipeline.settings import Settings

LABELS = [f"{colour} {shape}=a {colour} {shape}" for colour, shape in KINDS]
ZERO_SHOT = ["--labels", *LABELS, "--device", "cpu"]


def rows(out: Path) -> list[dict[str, str]]:
    with open(out / "classes.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def right(out: Path) -> float:
    """Return the share of the videos of one kind whose class is that kind."""
    told = [row for row in rows(out) if not row["scene"] and "/" in row["source"]]
    assert len(told) >= len(KINDS) * (EACH - 1)
    return sum(row["class"] == row["source"].partition("/")[0] for row in told) / len(told)


def copies(out: Path, count: int) -> None:
    """Fill a folder with copies of its own feature files."""
    for path in sorted((out / "features").glob("*/0.mp4.h5")):
        for number in range(count):
            shutil.copy(path, path.with_name(f"copy{number}.mp4.h5"))


def test_words_tell_videos_and_scenes_apart(out: Path) -> None:
    (summary,) = vconsole("classify", str(out), *ZERO_SHOT)
    assert summary["problems"] == 0
    assert right(out) >= 0.9
    both = [row for row in rows(out) if row["source"] == "two scenes.mp4"]
    assert [(row["scene"], row["class"]) for row in both[1:]] == [("0", "red circle"), ("1", "blue star")]
    assert float(both[1]["end_s"]) == pytest.approx(1.2, abs=0.1)
    shares = [float(both[1][f"p: {colour} {shape}"]) for colour, shape in KINDS]
    assert sum(shares) == pytest.approx(1, abs=0.001)
    assert float(both[1]["probability"]) == max(shares)


@pytest.mark.parametrize("method", ["centroid", "probe"])
def test_examples_tell_videos_apart(out: Path, tmp_path: Path, method: str) -> None:
    for colour, shape in KINDS:
        kind = f"{colour} {shape}"
        (tmp_path / "shown" / kind).mkdir(parents=True)
        shutil.move(out / "features" / kind / "0.mp4.h5", tmp_path / "shown" / kind)
    (summary,) = vconsole("classify", str(out), "--examples", str(tmp_path / "shown"), "--method", method)
    assert summary["problems"] == 0
    assert right(out) == 1


def test_what_is_classified_is_not_done_again_and_needs_no_model(out: Path) -> None:
    vconsole("classify", str(out), *ZERO_SHOT)
    before = (out / "classes.csv").read_bytes()
    # No host could be started on this device: the words need not be embedded again.
    vconsole("classify", str(out), "--labels", *LABELS, "--device", "cuda:7")
    assert (out / "classes.csv").read_bytes() == before
    (out / "features" / "two scenes.mp4.h5").unlink()
    vconsole("classify", str(out), "--labels", *LABELS, "--device", "cuda:7")
    assert "two scenes.mp4" not in {row["source"] for row in rows(out)}


def test_a_killed_call_is_gone_on_with(out: Path) -> None:
    copies(out, 150)
    shown = [f"--examples={out}", "--workers=1"]
    shutil.move(out / "features" / "two scenes.mp4.h5", out / "features" / "red circle")
    command = [sys.executable, "-m", "vconsole", "classify", str(out), *shown]
    journal = out / ".classes.journal"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while not (journal.is_file() and journal.read_bytes().count(b"\n") > 80):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        process.kill()
    lines = journal.read_bytes().splitlines(keepends=True)
    assert 80 < len(lines) < 600
    marked = {**json.loads(lines[5]), "source": "noted before the kill"}
    journal.write_bytes(b"".join([*lines[:5], json.dumps(marked).encode() + b"\n", *lines[6:-1], lines[-1][:40]]))
    (summary,) = vconsole("classify", str(out), *shown)
    assert summary["videos"] == len(list((out / "features").rglob("*.h5")))
    assert summary["problems"] == 0
    assert "noted before the kill" in {row["source"] for row in rows(out)}
    assert not journal.exists()


def test_a_reader_that_dies_costs_no_video(out: Path) -> None:
    copies(out, 150)
    shutil.move(out / "features" / "two scenes.mp4.h5", out / "features" / "red circle")
    command = [sys.executable, "-m", "vconsole", "classify", str(out), f"--examples={out}", "--workers=2", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 60
        while not (out / ".classes.journal").is_file() or not (out / ".classes.journal").stat().st_size:
            assert time.monotonic() < until
            time.sleep(0.01)
        for child in psutil.Process(process.pid).children():
            child.kill()
        assert process.stdout is not None
        summary = json.loads(process.stdout.read().splitlines()[-1])
    assert (process.returncode, summary["problems"]) == (0, 0)
    assert summary["videos"] == len(list((out / "features").rglob("*.h5")))


def test_a_damaged_file_is_told_and_tried_again_next_time(out: Path) -> None:
    damaged = out / "features" / "blue star" / "1.mp4.h5"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    (summary,) = vconsole("classify", str(out), *ZERO_SHOT, code=1)
    assert summary["problems"] == 1
    (row,) = [row for row in rows(out) if row["problem"]]
    assert row["features"] == "blue star/1.mp4.h5"
    assert "not readable" in row["problem"]
    damaged.write_bytes(whole)
    (summary,) = vconsole("classify", str(out), *ZERO_SHOT)
    assert summary["problems"] == 0


def test_no_cell_is_a_formula(out: Path) -> None:
    source = out / "features" / "blue star"
    source.rename(source.with_name("=HYPERLINK(1)"))
    vconsole("classify", str(out), "--labels", "=a red circle", "a blue star", code=2)
    vconsole("classify", str(out), "--labels", "@risk=a red circle", "a blue star", "--device", "cpu")
    table = (out / "classes.csv").read_text()
    with open(out / "classes.csv", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert "'=HYPERLINK(1)/0.mp4.h5" in cells
    assert "'@risk" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))], table


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "fewer than two classes"),
        (["--labels", "one"], "fewer than two classes"),
        (["--labels", "a", "b", "--examples", "x"], "there is no folder"),
        (["--labels", "a", "b", "--vectors", "perceptual"], "knows no words"),
        (["--labels", "a", "b", "--vectors", "nothing"], "no such model"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_read(out: Path, arguments: list[str], says: str) -> None:
    if "x" in arguments:
        arguments[-1] = str(out / "nowhere")
        says = "two ways"
    (summary,) = vconsole("classify", str(out), *arguments, code=2)
    assert says in summary["error"]
    assert not (out / "classes.csv").exists()


def test_two_calls_do_not_work_in_one_folder(out: Path) -> None:
    import fcntl

    with open(out / ".classes.journal", "wb") as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        (summary,) = vconsole("classify", str(out), *ZERO_SHOT, code=2)
    assert "another vconsole" in summary["error"]


def test_a_folder_without_feature_files_is_named(tmp_path: Path) -> None:
    (summary,) = vconsole("classify", os.fspath(tmp_path), *ZERO_SHOT, code=2)
    assert "holds no feature files" in summary["error"]


def runs(folder: Path) -> list[RunDetails]:
    """Return what the history tells of the classifications, the newest first."""
    listed = history.history(folder).runs if (folder / "ledger.sqlite3").exists() else ()
    return [history.details(folder, run.run_id) for run in listed if run.kind is RunKind.CLASSIFY]


def test_a_classification_is_a_run_of_the_ledger(out: Path, state: Path) -> None:
    damaged = out / "features" / "blue star" / "1.mp4.h5"
    damaged.write_bytes(b"no feature file")
    vconsole("classify", str(out), *ZERO_SHOT, code=1)
    (one,) = runs(state)
    assert (one.run.state, one.run.preset, one.run.inputs) == (RunState.DONE, "words", (str(out),))
    assert one.run.out == str(out / "classes.csv")
    assert one.run.counts == ((JobState.DONE, one.run.total - 1), (JobState.FAILED, 1))
    assert sum(videos for _, videos in one.classes) == one.run.total - 1
    assert {label for label, _ in one.classes} == {f"{colour} {shape}" for colour, shape in KINDS}
    assert {"classify.labels"} <= {setting.name for setting in one.settings}


def test_a_killed_classification_is_resumed_as_the_same_run(out: Path, state: Path) -> None:
    copies(out, 150)
    shutil.move(out / "features" / "two scenes.mp4.h5", out / "features" / "red circle")
    command = [sys.executable, "-m", "vconsole", "classify", str(out), f"--examples={out}", "--workers=1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while not ((out / ".classes.journal").is_file() and (out / ".classes.journal").stat().st_size > 20_000):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        process.kill()
    (killed,) = runs(state)
    vconsole("resume")  # it is gone on with only where it is named
    vconsole("resume", str(killed.run.run_id))
    (one,) = runs(state)
    assert (one.run.run_id, one.run.state) == (killed.run.run_id, RunState.DONE)
    assert one.run.counts == ((JobState.DONE, len(list((out / "features").rglob("*.h5")))),)


def test_one_that_was_interrupted_says_what_is_left_and_its_command_goes_on_with_it(out: Path, state: Path) -> None:
    copies(out, 150)
    shutil.move(out / "features" / "two scenes.mp4.h5", out / "features" / "red circle")
    arguments = [str(out), f"--examples={out}", "--workers=1"]
    with subprocess.Popen([sys.executable, "-m", "vconsole", "classify", *arguments]) as process:
        until = time.monotonic() + 60
        while not ((out / ".classes.journal").is_file() and (out / ".classes.journal").stat().st_size > 20_000):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
    (one,) = runs(state)
    assert one.run.state is RunState.INTERRUPTED
    assert one.run.count(JobState.DONE) > 50
    assert one.run.count(JobState.QUEUED) > 50
    vconsole("classify", *arguments)
    (again,) = runs(state)
    assert (again.run.run_id, again.run.state) == (one.run.run_id, RunState.DONE)
    assert again.run.count(JobState.DONE) == again.run.total


def test_an_engine_records_what_was_classified_beside_it_and_says_so(out: Path, state: Path) -> None:
    damaged = out / "features" / "blue star" / "1.mp4.h5"
    damaged.write_bytes(b"no feature file")
    engine = Engine(Settings(), state_dir=state)
    engine.start()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "vconsole", "classify", str(out), *ZERO_SHOT], capture_output=True, text=True
        )
        until = time.monotonic() + 60
        while not engine.latest().runs or list((state / "beside").iterdir()):
            assert time.monotonic() < until
            time.sleep(0.1)
        assert [run.kind for run in engine.latest().runs] == [RunKind.CLASSIFY]
    finally:
        engine.close()
    assert done.returncode == 1
    assert "It records this as a run" in done.stderr
    (one,) = runs(state)
    assert one.run.state is RunState.DONE
    assert one.run.counts == ((JobState.DONE, one.run.total - 1), (JobState.FAILED, 1))
    assert {label for label, _ in one.classes} == {f"{colour} {shape}" for colour, shape in KINDS}


def test_word_of_a_run_is_taken_in_once_and_only_when_it_is_over(out: Path, state: Path) -> None:
    command = command_of(bytes(out), ClassifyRun())
    job = NewJob(bytes(out / "a.h5"), b"a.h5", JobState.FAILED, reason="damaged", failure=FailureClass.CORRUPT)
    with closing(Ledger(state)) as ledger:
        with leaving_word(state, command) as ended:
            assert list(left(state, never)) == []
            ended(RunState.DONE, [job])
        (word,) = left(state, never)
        for _ in range(2):
            with ledger.transaction():
                taken = take_in(ledger, word)
        assert (taken.state, ledger.counts(taken.run_id)) == (RunState.DONE, {JobState.FAILED: 1})
        assert ledger.run_count() == 1
        word.path.unlink()
        with suppress(KeyboardInterrupt), leaving_word(state, command):
            raise KeyboardInterrupt
        (word,) = left(state, never)
        with ledger.transaction():
            assert take_in(ledger, word).state is RunState.INTERRUPTED


def never(path: Path, why: Exception) -> None:
    """Take the news of a damaged file where there is none."""
    raise AssertionError(path) from why


@pytest.mark.parametrize("damage", [b"", b"[]\n", b"{}\n", b"\0\xff\n", b'{"kind": "extract"}\n[1\n'])
def test_a_damaged_file_is_told_once_and_keeps_no_other_back(out: Path, state: Path, damage: bytes) -> None:
    (state / "beside").mkdir(parents=True)
    (state / "beside" / "0.jsonl").write_bytes(damage)
    with closing(Ledger(state)):
        for outputs in (out, out.parent):
            with leaving_word(state, command_of(bytes(outputs), ClassifyRun())) as ended:
                ended(RunState.DONE, [])
    engine = Engine(Settings(), state_dir=state)
    engine.start()
    try:
        until = time.monotonic() + 60
        while len(engine.latest().runs) < 2 or len(list((state / "beside").iterdir())) > 1:
            assert time.monotonic() < until
            time.sleep(0.1)
        told = [notice.text for notice in engine.latest().notices if "cannot be read" in notice.text]
        assert len(told) == 1
        assert "0.jsonl" in told[0]
    finally:
        engine.close(now=True)


def test_one_that_outlives_the_engine_is_recorded_when_it_ends(out: Path, state: Path) -> None:
    ledger = Ledger(state)
    with leaving_word(state, command_of(bytes(out), ClassifyRun())) as ended:
        ledger.close()
        ended(RunState.DONE, [])
    (one,) = runs(state)
    assert one.run.state is RunState.DONE
