"""A model host that runs out of memory, loses its device, dies or stops: every vector is right and none is missing
(case 23)."""

from pathlib import Path

import pytest
from model_runs import RED, make_videos, options, run, unlike

from pipeline.model import FailureClass, JobState
from pipeline.settings import Settings
from pipeline.snapshot import Snapshot


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with videos in `in` and what an undisturbed run makes of them in `out`."""
    folder = tmp_path_factory.mktemp("calm")
    make_videos(folder / "in")
    done = run(folder, folder / "in", options())
    assert {(row.state, row.attempts) for row in done.jobs} == {(JobState.DONE, 1)}
    return folder


def noted(snapshot: Snapshot, words: str) -> bool:
    return any(words in notice.text for notice in snapshot.notices)


@pytest.mark.parametrize("overlaps", [False, True], ids=["one-by-one", "overlapping"])
def test_out_of_memory_death_stop_and_hang_in_the_middle_of_batches_change_no_vector(
    calm: Path, tmp_path: Path, *, overlaps: bool
) -> None:
    starts = ["kill 4", "stop 4", "hang 4"]
    done = run(tmp_path, calm / "in", options(), memory_for=3, starts=starts, overlaps=overlaps)
    assert {(row.state, row.attempts) for row in done.jobs} == {(JobState.DONE, 1)}
    assert unlike(calm, tmp_path) == []
    for words in ("out of memory with", "SIGKILL", "silent for longer than host.silent_s", "host.batch_timeout_s"):
        assert noted(done, words), words


def test_faults_while_several_models_are_served_change_no_vector_of_any(tmp_path: Path) -> None:
    usual = options()
    both = usual.embed.model_copy(update={"models": ("tiny-shapes", "perceptual")})
    settings = usual.model_copy(update={"embed": both})
    make_videos(tmp_path / "in", count=2)
    for name in ("calm", "rough"):
        (tmp_path / name).mkdir()
    calm = run(tmp_path / "calm", tmp_path / "in", settings)
    rough = run(tmp_path / "rough", tmp_path / "in", settings, memory_for=3, starts=["kill 6", "device 9", "kill 3"])
    for done in (calm, rough):
        assert {(row.state, row.attempts) for row in done.jobs} == {(JobState.DONE, 1)}
    assert unlike(tmp_path / "calm", tmp_path / "rough") == []
    for words in ("model tiny-shapes: out of memory", "model perceptual: out of memory", "SIGKILL"):
        assert noted(rough, words), words


@pytest.mark.parametrize("overlaps", [False, True], ids=["one-by-one", "overlapping"])
def test_the_video_whose_picture_ends_the_device_is_quarantined_and_no_other_is_charged(
    calm: Path, tmp_path: Path, *, overlaps: bool
) -> None:
    done = run(tmp_path, calm / "in", options(), guilty="device", overlaps=overlaps)
    rows = {row.name: row for row in done.jobs}
    guilty = rows.pop(RED)
    assert (guilty.state, guilty.failure, guilty.attempts) == (JobState.QUARANTINED, FailureClass.MODEL, 2)
    assert "a picture of this video ended the model host" in done.failures[0].message
    assert {(row.state, row.attempts) for row in rows.values()} == {(JobState.DONE, 1)}
    assert unlike(calm, tmp_path, without=RED) == []


def test_a_device_that_is_lost_for_a_while_is_no_videos_fault(calm: Path, tmp_path: Path) -> None:
    """Hosts that start but can run nothing accuse no picture, however often they die."""
    done = run(tmp_path, calm / "in", options(), starts=["lost"] * 4)
    assert {(row.state, row.attempts) for row in done.jobs} == {(JobState.DONE, 1)}
    assert unlike(calm, tmp_path) == []
    assert noted(done, "The model host is back")


def on_two_hosts() -> Settings:
    """Settings of a run with two model hosts, each with a CPU of its own as far as it knows, none of which hangs."""
    usual = options(retry_pause_s=1000.0, retry_pause_max_s=1000.0)
    changes = {"device": "cpu,cpu", "silent_s": 60.0, "batch_timeout_s": 60.0}
    return usual.model_copy(update={"host": usual.host.model_copy(update=changes)})


def test_two_hosts_make_the_same_vectors_as_one_and_the_killed_one_is_done_without(calm: Path, tmp_path: Path) -> None:
    done = run(tmp_path, calm / "in", on_two_hosts(), starts=["kill 4", "kill 6"])
    assert {(row.state, row.attempts) for row in done.jobs} == {(JobState.DONE, 1)}
    assert unlike(calm, tmp_path) == []
    assert sum(host.restarts for host in done.hosts) == 2


@pytest.mark.parametrize("gone", ["host-0.sock", "host-1.sock"])
def test_a_device_that_fails_for_good_is_taken_out_and_the_other_does_its_work(
    calm: Path, tmp_path: Path, gone: str
) -> None:
    done = run(tmp_path, calm / "in", on_two_hosts(), gone=gone)
    assert {(row.state, row.attempts) for row in done.jobs} == {(JobState.DONE, 1)}
    assert unlike(calm, tmp_path) == [], "no vector is missing, wrong or twice"
    assert (tmp_path / "plan.gone").exists(), "it had work, and lost its device in the middle of it"


def reading() -> Settings:
    """Settings of a run that has many pictures of each video read, and makes no vectors."""
    changes = {
        "embed": options().embed.model_copy(update={"enabled": False}),
        "text": options().text.model_copy(update={"enabled": True, "interval_s": 0.08, "unchanged": False}),
    }
    return options().model_copy(update=changes)


def test_faults_while_text_is_read_change_none_of_it_and_a_picture_that_ends_hosts_costs_its_video_alone(
    tmp_path: Path,
) -> None:
    make_videos(tmp_path / "in", count=2)
    for name in ("calm", "rough", "guilty"):
        (tmp_path / name).mkdir()
    calm = run(tmp_path / "calm", tmp_path / "in", reading())
    rough = run(tmp_path / "rough", tmp_path / "in", reading(), memory_for=3, starts=["kill 4", "device 6"])
    for done in (calm, rough):
        assert {(row.state, row.attempts) for row in done.jobs} == {(JobState.DONE, 1)}
    assert unlike(tmp_path / "calm", tmp_path / "rough") == []
    assert noted(rough, "out of memory with")
    done = run(tmp_path / "guilty", tmp_path / "in", reading(), guilty="segv")
    rows = {row.name: row for row in done.jobs}
    guilty = rows.pop(RED)
    assert (guilty.state, guilty.failure) == (JobState.QUARANTINED, FailureClass.MODEL)
    assert "a picture of this video ended the model host" in done.failures[0].message
    assert {(row.state, row.attempts) for row in rows.values()} == {(JobState.DONE, 1)}
    assert unlike(tmp_path / "calm", tmp_path / "guilty", without=RED) == []
