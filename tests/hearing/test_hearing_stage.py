"""The stage in a real worker with a real model host: when words are said, what is kept, what is told of damage."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sound_make import make_video, silence

from pipeline.models.registry import fingerprint
from pipeline.models.standalone import StandaloneHost
from pipeline.outputs.features import check_features, read_features
from pipeline.outputs.format import Features, Speech
from pipeline.outputs.paths import features_path
from pipeline.sections import ModelSettings

sys.path.insert(0, str(Path(__file__).parents[1] / "worker"))
from worker_harness import Engine

BORDER_S = 0.2
"""How far a segment may reach beyond a voice."""


class Runs:
    """Does one video in one run after another, by one worker."""

    def __init__(self, engine: Engine, host: StandaloneHost, mine: ModelSettings) -> None:
        self.engine, self._host = engine, host
        self._run, self._print = 0, fingerprint("mine", mine)

    def message(self, video: Path, *, job: dict[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
        """Return how the job ended, with the stages it told: which were reused."""
        self._run += 1
        speech = {"enabled": True, "model": "mine", **sections.pop("speech", {})}
        prints = {"mine": self._print}
        self.engine.start_run(
            self._run, fingerprints=prints, host_sockets=[self._host.socket_path], speech=speech, **sections
        )
        seen: list[dict[str, Any]] = []
        ended = self.engine.do(video, seen, run_id=self._run, **(job or {}))
        ended["stages"] = {entry["stage"]: entry["reused"] for entry in seen if entry["type"] == "stage"}
        return ended

    def do(self, video: Path, **given: Any) -> tuple[Features, dict[str, bool]]:
        """Return the feature file, which must be whole, and the stages."""
        ended = self.message(video, **given)
        assert ended["failure"] is None, ended["failure"]
        path = features_path(os.fsencode(self.engine.out), os.fsencode(video.name))
        assert check_features(path) == check_features(path, deep=False) == []
        return read_features(path), ended["stages"]


@pytest.fixture
def runs(tmp_path: Path, host: StandaloneHost, mine: ModelSettings) -> Iterator[Runs]:
    runs = Runs(Engine(tmp_path / "out", tmp_path / "worker.log"), host, mine)
    yield runs
    runs.engine.kill()


@pytest.fixture(scope="module")
def talk(said: tuple[NDArray[np.int16], NDArray[np.int16]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """5 s of silence, a sentence, 10 s of silence, a sentence of 12.8 s, 4 s of silence."""
    one, two = said
    sound = np.concatenate([silence(5), one, silence(10), two, silence(4)])
    return make_video(tmp_path_factory.mktemp("talk") / "talk.mp4", [sound])


def heard(features: Features) -> Speech:
    assert features.speech is not None
    return features.speech


def times(features: Features) -> list[tuple[float, float]]:
    rows = heard(features).segments
    return list(zip(rows["start_s"].tolist(), rows["end_s"].tolist(), strict=True))


def test_each_segment_lies_within_a_voice(runs: Runs, talk: Path, said: tuple[Any, Any]) -> None:
    features, stages = runs.do(talk)
    assert stages["speech"] is False
    one_s, two_s = (len(sound) / 16_000 for sound in said)
    voices = [(5.0, 5.0 + one_s), (15.0 + one_s, 15.0 + one_s + two_s)]
    for start_s, end_s in times(features):
        assert any(begin - BORDER_S <= start_s <= end_s <= end + BORDER_S for begin, end in voices)
    for begin, end in voices:
        assert any(begin - BORDER_S <= start_s <= end + BORDER_S for start_s, _ in times(features))
    speech = heard(features)
    assert (speech.model, speech.detector.split()[0], len(speech.language)) == ("mine", "silero-vad", 2)
    assert ((speech.segments["confidence"] > 0) & (speech.segments["confidence"] <= 1)).all()


def test_the_language_is_found_or_as_set(runs: Runs, talk: Path) -> None:
    assert heard(runs.do(talk, speech={"language": "de"})[0]).language == "de"


def test_what_is_there_is_kept_and_only_what_a_setting_changes_is_done_again(runs: Runs, talk: Path) -> None:
    first, _ = runs.do(talk)
    _, stages = runs.do(talk)
    assert all(stages.values()), "nothing changed, nothing done"
    again, stages = runs.do(talk, frames={"frames_per_scene": 1})
    assert (stages["speech"], stages["frames"]) == (True, False)
    assert times(again) == times(first)
    other, stages = runs.do(talk, frames={"frames_per_scene": 1}, speech={"language": "de"})
    assert (stages["speech"], stages["frames"]) == (False, True)
    assert heard(other).language == "de"
    without = runs.message(talk, frames={"frames_per_scene": 1}, speech={"enabled": False})
    assert without["failure"] is None
    assert read_features(features_path(os.fsencode(runs.engine.out), b"talk.mp4")).speech is None


def test_the_same_is_heard_however_often_it_is_asked(runs: Runs, talk: Path) -> None:
    one, _ = runs.do(talk)
    two, _ = runs.do(talk, job={"force": True})
    for name, column in heard(one).segments.items():
        assert np.array_equal(column, heard(two).segments[name]), name


@pytest.mark.parametrize("tracks", [[], [silence(8)]], ids=["no sound", "silence"])
def test_without_a_voice_there_is_nothing_to_do(runs: Runs, tmp_path: Path, tracks: list[Any]) -> None:
    """And nobody is asked: the socket leads nowhere."""
    runs._host = StandaloneLike(str(tmp_path / "nobody.sock"))  # type: ignore[assignment]
    features, stages = runs.do(make_video(tmp_path / "still.mp4", tracks))
    assert (times(features), heard(features).language, stages["speech"]) == ([], "", False)


class StandaloneLike:
    def __init__(self, socket_path: str) -> None:
        self.socket_path = socket_path


def test_damaged_sound_makes_the_video_partial_and_the_loss_is_told(runs: Runs, talk: Path, tmp_path: Path) -> None:
    broken = spoiled(talk, tmp_path / "broken.mp4")
    ended = runs.message(broken)
    assert (ended["outcome"], ended["failure"]) == ("partial", None)
    features = read_features(features_path(os.fsencode(runs.engine.out), b"broken.mp4"))
    lost = heard(features).lost
    assert lost is not None
    assert ended["result"]["lost_s"] >= float((lost["end_s"] - lost["start_s"]).sum()) > 0
    assert any("sound" in reason for _, _, reason in ended["result"]["lost"])
    assert "could not be read" in ended["result"]["reason"]
    kept = runs.message(broken)
    assert (kept["outcome"], all(kept["stages"].values())) == ("partial", True)
    refused = runs.message(broken, probe={"keep_partial": False})
    assert (refused["outcome"], refused["failure"]["class"]) == ("failed", "corrupt")


def spoiled(video: Path, path: Path) -> Path:
    """Write a copy in which packets of sound, and no picture, are overwritten."""
    import av

    data = bytearray(video.read_bytes())
    with av.open(str(video)) as container:
        packets = [packet for packet in container.demux(container.streams.audio[0]) if packet.pos is not None]
        for packet in packets[100:140]:
            data[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    path.write_bytes(data)
    return path


def test_a_host_that_is_killed_in_mid_speech_costs_nothing(
    talk: Path, tmp_path: Path, mine: ModelSettings, runs: Runs, host: StandaloneHost
) -> None:
    from pipeline.models.standalone import standalone_host
    from pipeline.sections import HostSettings

    expected, _ = runs.do(talk)
    settings = HostSettings(device="cpu", threads=1)
    with standalone_host(settings, {"mine": mine}, nice=0) as first:
        runs._host = first
        runs._run += 1
        speech = {"enabled": True, "model": "mine"}
        runs.engine.start_run(
            runs._run, fingerprints={"mine": runs._print}, host_sockets=[first.socket_path], speech=speech
        )
        runs.engine.send_job(talk, run_id=runs._run, force=True)
        while runs.engine.receive().get("waiting") != "model host":
            pass
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
        second = StandaloneHost(settings, {"mine": mine}, first.socket_path, 0)
        try:
            assert runs.engine.finished()["failure"] is None
        finally:
            second.close()
    found = read_features(features_path(os.fsencode(runs.engine.out), b"talk.mp4"))
    assert times(found) == times(expected)


def test_a_worker_that_is_killed_while_it_listens_costs_nothing(runs: Runs, talk: Path, tmp_path: Path) -> None:
    expected, _ = runs.do(talk)
    runs.engine.start_run(
        90,
        fingerprints={"mine": runs._print},
        host_sockets=(runs._host.socket_path,),
        speech={"enabled": True, "model": "mine"},
    )
    runs.engine.send_job(talk, run_id=90, force=True)
    while runs.engine.receive().get("stage") != "speech":
        pass
    os.kill(runs.engine.process.pid, signal.SIGKILL)
    runs.engine.process.wait(60)
    runs.engine.kill()
    runs.engine = Engine(tmp_path / "out", tmp_path / "second.log")
    found, _ = runs.do(talk, job={"attempt": 2, "force": True})
    assert times(found) == times(expected)
    assert not list((tmp_path / "out").rglob("*.part"))


def test_memory_does_not_grow_with_the_number_of_videos(runs: Runs, talk: Path) -> None:
    """Of the worker and of the model host, once both have done a few."""
    import psutil

    pids = runs.engine.process.pid, runs._host.process.pid
    bytes_after = []
    for _ in range(9):
        runs.do(talk, job={"force": True})
        bytes_after.append(sum(psutil.Process(pid).memory_info().rss for pid in pids))
    assert bytes_after[-1] <= 1.1 * bytes_after[2], bytes_after
