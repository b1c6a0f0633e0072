"""A classification that the engine carries out: as right as that of the command, cancelled, gone on with, outlived."""

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from analysis_make import KINDS, vconsole
from waiting import until

from pipeline.analysis.asked import ClassifyRun, command_of
from pipeline.commands import CancelRun, OpenRun, ResumeRun, StartRun
from pipeline.engine import Engine, history
from pipeline.history import RunDetails
from pipeline.model import JobState, RunKind, RunState
from pipeline.settings import Settings
from pipeline.snapshot import Snapshot

LABELS = tuple(f"{colour} {shape}=a {colour} {shape}" for colour, shape in KINDS)


@pytest.fixture
def many(out: Path) -> Path:
    """A folder whose classification takes a while: some hundreds of copies of its feature files; examples beside it."""
    for path in sorted((out / "features").glob("*/0.mp4.h5")):
        shown = out / "shown" / path.parent.name
        shown.mkdir(parents=True)
        os.link(path, shown / path.name)
        for number in range(250):
            os.link(path, path.with_name(f"copy{number}.mp4.h5"))
    return out


def by_words(out: Path) -> StartRun:
    wanted = ClassifyRun.model_validate({"classify": {"labels": LABELS}, "host": {"device": "cpu"}})
    return command_of(bytes(out), wanted)


def by_examples(out: Path) -> StartRun:
    wanted = ClassifyRun.model_validate({"examples": str(out / "shown"), "engine": {"workers": 1}})
    return command_of(bytes(out), wanted)


def newest(state: Path) -> RunDetails:
    run = next(run for run in history.history(state).runs if run.kind is RunKind.CLASSIFY)
    return history.details(state, run.run_id)


def state_of(engine: Engine) -> RunState | None:
    return engine.latest().runs[0].state if engine.latest().runs else None


def begun(snapshot: Snapshot) -> bool:
    return snapshot.classify is not None and 0 < snapshot.classify.done < snapshot.classify.of


def told(engine: Engine) -> str:
    return "\n".join(notice.text for notice in engine.latest().notices)


def test_it_tells_what_the_command_tells_and_is_a_run(engine: Engine, state: Path, out: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(out, tmp_path / "other", copy_function=shutil.copy2))
    apart = f"state_dir={tmp_path / 'apart'}"
    vconsole("classify", str(other), "--labels", *LABELS, "--device", "cpu", "--set", apart)
    engine.send(by_words(out))
    until(lambda: state_of(engine) is RunState.DONE)
    assert (out / "classes.csv").read_bytes() == (other / "classes.csv").read_bytes()
    found = newest(state)
    assert (found.run.preset, found.run.inputs, found.run.out) == ("words", (str(out),), str(out / "classes.csv"))
    assert found.run.counts == ((JobState.DONE, found.run.total),)
    assert {label for label, _ in found.classes} == {label.partition("=")[0] for label in LABELS}
    assert engine.latest().classify is None


def test_a_cancelled_one_keeps_what_was_done_and_is_gone_on_with(engine: Engine, state: Path, many: Path) -> None:
    engine.send(by_examples(many))
    until(lambda: begun(engine.latest()))
    engine.send(CancelRun(engine.latest().runs[0].run_id))
    until(lambda: state_of(engine) is RunState.CANCELLED)
    cancelled = newest(state).run
    kept = cancelled.count(JobState.DONE)
    assert kept
    assert kept + cancelled.count(JobState.QUEUED) == cancelled.total
    assert not (many / "classes.csv").exists()
    engine.send(ResumeRun(cancelled.run_id))
    until(lambda: (view := engine.latest().classify) and view.of)
    assert engine.latest().classify.done >= kept
    until(lambda: state_of(engine) is RunState.DONE)
    over = newest(state).run
    assert (over.run_id, over.counts) == (cancelled.run_id, ((JobState.DONE, cancelled.total),))


def test_its_death_interrupts_the_run_and_says_why(engine: Engine, state: Path, many: Path) -> None:
    engine.send(by_examples(many))
    until(lambda: begun(engine.latest()) and b"copy100" in (many / ".classes.journal").read_bytes())
    os.killpg(session().pid, signal.SIGKILL)
    until(lambda: state_of(engine) is RunState.INTERRUPTED)
    assert "SIGKILL" in told(engine)
    assert "SIGKILL" in newest(state).why
    assert newest(state).run.count(JobState.DONE)
    engine.send(ResumeRun(newest(state).run.run_id))
    until(lambda: state_of(engine) is RunState.DONE)


def test_an_engine_that_ends_keeps_what_was_done(state: Path, many: Path) -> None:
    engine = Engine(Settings(), state_dir=state)
    engine.start()
    engine.send(by_examples(many))
    until(lambda: begun(engine.latest()))
    engine.close()
    left = newest(state).run
    assert left.state is RunState.INTERRUPTED
    assert left.count(JobState.DONE)
    assert left.count(JobState.QUEUED)
    assert not [child for child in psutil.Process().children(recursive=True) if "analysis" in " ".join(child.cmdline())]
    vconsole("resume", str(left.run_id))
    assert newest(state).run.counts == ((JobState.DONE, left.total),)


def test_what_cannot_be_classified_is_said_and_stays_to_be_done(engine: Engine, state: Path, out: Path) -> None:
    engine.send(command_of(bytes(out), ClassifyRun.model_validate({"classify": {"labels": ("one",)}})))
    until(lambda: state_of(engine) is RunState.INTERRUPTED)
    assert "fewer than two classes" in told(engine)
    assert newest(state).run.count(JobState.QUEUED) == newest(state).run.total
    engine.send(command_of(b"/nowhere", ClassifyRun()))
    until(lambda: "there is no folder /nowhere" in told(engine))


def test_it_is_no_run_of_videos_that_a_monitor_could_show(engine: Engine, out: Path) -> None:
    engine.send(by_words(out))
    until(lambda: state_of(engine) is RunState.DONE)
    engine.send(OpenRun(engine.latest().runs[0].run_id))
    until(lambda: "took no video through stages" in told(engine))
    assert engine.latest().run is None


def session() -> psutil.Process:
    words = "pipeline.analysis.session"
    return next(child for child in psutil.Process().children() if words in child.cmdline())


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random_moments_it_comes_to_the_same_table(
    state: Path, many: Path, tmp_path: Path, seed: int
) -> None:
    whole = Path(shutil.copytree(many, tmp_path / "whole", copy_function=shutil.copy2))
    vconsole("classify", str(whole), f"--examples={many / 'shown'}", "--workers=2")
    rng, kills = random.Random(seed), 0
    command = [sys.executable, "-m", "vconsole", "classify", str(many), f"--examples={many / 'shown'}", "--workers=2"]
    while not (many / "classes.csv").exists():
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(rng.uniform(1.0, 3.0) if kills < 4 else 60)
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
    assert kills
    assert (many / "classes.csv").read_bytes() == (whole / "classes.csv").read_bytes()
    assert newest(state).run.state is RunState.DONE
