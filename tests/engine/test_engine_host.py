"""The model host: started when a job needs it, started again when it dies, waited for when it stays away."""

import os
import signal
import sys
from pathlib import Path

import pytest
from engine_harness import FAKE_WORKER, Bench, settings

from pipeline.commands import ResumeRun, Unpause
from pipeline.model import JobState, RunState
from pipeline.outputs.manifest import read_manifest
from pipeline.settings import Settings
from pipeline.snapshot import Snapshot


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script"
    path.write_text("")
    return path


def host(script: Path) -> tuple[str, ...]:
    return (sys.executable, str(Path(__file__).with_name("fake_host.py")), str(script))


def pids(script: Path) -> list[int]:
    path = script.with_suffix(".pids")
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def with_vectors(**engine: object) -> Settings:
    plain = settings(**engine).model_dump()
    return Settings.model_validate(plain | {"embed": {"models": ["tiny-shapes"]}, "host": {"max_restarts": 2}})


def test_it_starts_only_when_a_job_needs_it(bench: Bench, script: Path) -> None:
    bench.video("a.mp4")
    plain, vectors = settings(), with_vectors()
    with bench.engine(plain, FAKE_WORKER, host(script)) as driven:
        driven.engine.send(bench.start(plain))
        assert driven.until_done().hosts == ()
    assert pids(script) == []
    for _ in range(2):
        with bench.engine(vectors, FAKE_WORKER, host(script)) as driven:
            driven.engine.send(bench.start(vectors))
            driven.until_done()
            if driven.engine.latest().run.reused == 0:  # type: ignore[union-attr]
                shown = driven.until(lambda snapshot: snapshot.hosts and snapshot.hosts[0].state == "ready")
                assert (shown.hosts[0].device, shown.hosts[0].models) == ("cpu", ("tiny-shapes",))
                assert any("models: tiny-shapes" in notice.text for notice in shown.notices)
    assert len(pids(script)) == 1, "a run that finds all done needs no host"


def test_a_killed_host_is_started_again_and_the_snapshot_says_so(bench: Bench, script: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    bench.video("a.mp4", f"gate {gate}")
    options = with_vectors()
    with bench.engine(options, FAKE_WORKER, host(script)) as driven:
        driven.engine.send(bench.start(options))
        driven.until(lambda snapshot: snapshot.hosts and snapshot.hosts[0].state == "ready")
        os.kill(pids(script)[0], signal.SIGKILL)
        again = driven.until(lambda snapshot: snapshot.hosts[0].state == "ready" and snapshot.hosts[0].restarts == 1)
        assert any("killed by SIGKILL" in notice.text for notice in again.notices)
        gate.touch()
        done = driven.until_done()
    assert (done.jobs[0].state, done.jobs[0].attempts) == (JobState.DONE, 1)
    assert len(pids(script)) == 2


@pytest.mark.parametrize("silent_s", [1.5, 60.0], ids=["ready", "loading"])
def test_a_host_that_is_stopped_is_ended_and_started_again(
    bench: Bench, script: Path, tmp_path: Path, silent_s: float
) -> None:
    """Once it serves, `host.silent_s` bounds its silence; before, `host.load_timeout_s` its loading."""
    gate = tmp_path / "gate"
    bench.video("a.mp4", f"gate {gate}")
    script.write_text("serve\n" if silent_s == 1.5 else "freeze\n")
    limits = {"silent_s": silent_s, "load_timeout_s": 60.0 if silent_s == 1.5 else 1.5}
    options = Settings.model_validate(with_vectors().model_dump() | {"host": limits})
    with bench.engine(options, FAKE_WORKER, host(script)) as driven:
        driven.engine.send(bench.start(options))
        if silent_s == 1.5:
            driven.until(lambda snapshot: snapshot.hosts and snapshot.hosts[0].state == "ready")
            os.kill(pids(script)[0], signal.SIGSTOP)
        again = driven.until(lambda seen: seen.hosts and seen.hosts[0].state == "ready" and seen.hosts[0].restarts == 1)
        words = "silent for longer than host.silent_s" if silent_s == 1.5 else "host.load_timeout_s"
        assert any(words in notice.text for notice in again.notices)
        gate.touch()
        done = driven.until_done()
    assert (done.jobs[0].state, done.jobs[0].attempts) == (JobState.DONE, 1)
    assert len(pids(script)) == 2, "an idle host that tells of itself is left alone"


@pytest.mark.parametrize("nonsense", ["garbage", "huge", "odd", "cut"])
def test_a_host_that_sends_what_is_no_message_is_started_again(
    bench: Bench, script: Path, tmp_path: Path, nonsense: str
) -> None:
    gate = tmp_path / "gate"
    bench.video("a.mp4", f"gate {gate}")
    script.write_text(f"{nonsense}\n")
    options = with_vectors()
    with bench.engine(options, FAKE_WORKER, host(script)) as driven:
        driven.engine.send(bench.start(options))
        driven.until(lambda seen: seen.hosts and seen.hosts[0].state == "ready" and seen.hosts[0].restarts == 1)
        gate.touch()
        done = driven.until_done()
    assert (done.jobs[0].state, done.jobs[0].attempts) == (JobState.DONE, 1)


@pytest.mark.parametrize(("line", "words"), [("exit 70", "its device failed"), ("dead", "CUDA is not there")])
def test_a_host_that_keeps_dying_pauses_the_run_until_it_is_back(
    bench: Bench, script: Path, tmp_path: Path, line: str, words: str
) -> None:
    script.write_text(f"{line}\n" * 3)
    gate = tmp_path / "gate"
    bench.video("a.mp4", f"gate {gate}")
    options = with_vectors(retry_pause_s=0.3)
    with bench.engine(options, FAKE_WORKER, host(script)) as driven:
        driven.engine.send(bench.start(options))
        paused = driven.until(lambda snapshot: snapshot.run and snapshot.run.state is RunState.PAUSED)
        assert paused.run and words in paused.run.paused_because
        gate.touch()
        done = driven.until_done()
    assert any("model host is back" in notice.text for notice in done.notices)
    assert (done.jobs[0].state, done.jobs[0].attempts) == (JobState.DONE, 1)


def test_a_video_that_failed_for_want_of_the_host_is_not_charged(bench: Bench, script: Path) -> None:
    script.write_text("dead\n" * 3)
    bench.video("a.mp4", "first:fail model")
    options = with_vectors()
    with bench.engine(options, FAKE_WORKER, host(script)) as driven:
        driven.engine.send(bench.start(options))
        done = driven.until_done()
    assert (done.jobs[0].state, done.jobs[0].attempts) == (JobState.DONE, 1)


def test_a_model_that_never_loads_stops_the_run_which_can_be_resumed_once_it_is_mended(
    bench: Bench, script: Path, tmp_path: Path
) -> None:
    script.write_text("refuse the checkpoint is damaged\n")
    gate = tmp_path / "gate"
    bench.video("a.mp4", f"gate {gate}")
    options = with_vectors()
    with bench.engine(options, FAKE_WORKER, host(script)) as driven:
        driven.engine.send(bench.start(options))
        stopped = driven.until(lambda seen: seen.run and seen.run.state is RunState.INTERRUPTED and is_given_back(seen))
        assert stopped.run and "the checkpoint is damaged" in stopped.run.paused_because
        assert "`vconsole resume 1`" in stopped.run.paused_because
        assert [note.level for note in stopped.notices] == ["error", "info"], "one sentence, told once"
        assert len(pids(script)) == 1, "it is not started again"
        driven.until(lambda _: (bench.out / "manifest.jsonl.gz").exists())
        gate.touch()
        driven.engine.send(ResumeRun(1))
        done = driven.until_done()
    assert (done.jobs[0].state, done.jobs[0].attempts) == (JobState.DONE, 1)
    assert [row["status"] for row in read_manifest(os.fsencode(bench.out))] == ["done"]


def is_given_back(snapshot: Snapshot) -> bool:
    return all((row.state, row.attempts) == (JobState.QUEUED, 0) for row in snapshot.jobs)


def test_a_host_that_served_before_is_waited_for_even_if_its_model_is_gone(
    bench: Bench, script: Path, tmp_path: Path
) -> None:
    script.write_text("serve\n" + "refuse the disk is away\n" * 2)
    gate = tmp_path / "gate"
    bench.video("a.mp4", f"gate {gate}")
    options = with_vectors(retry_pause_s=0.3)
    with bench.engine(options, FAKE_WORKER, host(script)) as driven:
        driven.engine.send(bench.start(options))
        driven.until(lambda snapshot: snapshot.hosts and snapshot.hosts[0].state == "ready")
        os.kill(pids(script)[0], signal.SIGKILL)
        paused = driven.until(lambda snapshot: snapshot.run and snapshot.run.state is RunState.PAUSED)
        told = [note.text for note in paused.notices if "the disk is away" in note.text]
        assert len(told) == 2, "each death is told once, with its reason"
        gate.touch()
        done = driven.until_done()
    assert (done.jobs[0].state, done.jobs[0].attempts) == (JobState.DONE, 1)


def test_a_lost_gpu_pauses_the_run_with_what_to_do_and_is_waited_for_not_done_without(
    bench: Bench, script: Path, tmp_path: Path
) -> None:
    script.write_text("lose 70\n" + "lose 71\n" * 2 + "serve\n")
    gate = tmp_path / "gate"
    bench.video("a.mp4", f"gate {gate}")
    options = with_vectors(retry_pause_s=0.3)
    with bench.engine(options, FAKE_WORKER, host(script)) as driven:
        driven.engine.send(bench.start(options))
        driven.until(lambda seen: seen.hosts and seen.hosts[0].device == "cuda:0" and seen.hosts[0].state == "ready")
        script.with_suffix(".lost").touch()
        paused = driven.until(lambda seen: seen.run and seen.run.state is RunState.PAUSED)
        assert paused.run and paused.run.paused_because.startswith("The GPU is lost. See what nvidia-smi says")
        assert any(note.text.startswith("The GPU is lost") for note in paused.notices)
        driven.engine.send(Unpause())
        gate.touch()
        done = driven.until_done()
        assert done.hosts[0].device == "cuda:0", "it was told to use the device it had, not any"
    assert any(note.text == "The GPU is back; the run goes on." for note in done.notices)
    assert (done.jobs[0].state, done.jobs[0].attempts) == (JobState.DONE, 1)
