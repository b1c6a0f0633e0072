"""An output that is whole is taken as it is, and a changed setting redoes only what depends on it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_host import FakeHost
from worker_harness import Engine, make_video

from pipeline.outputs.features import read_features
from pipeline.outputs.format import Features
from pipeline.outputs.paths import features_path

ONE, BOTH = {"models": ("one",)}, {"models": ("one", "two")}
PRINTS = {"one": "f1", "two": "f2"}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FakeHost]:
    host = FakeHost(tmp_path / "host.sock")
    yield host
    host.close()


def path_of(engine: Engine) -> bytes:
    return features_path(os.fsencode(engine.out), b"three.mp4")


def features(engine: Engine) -> Features:
    return read_features(path_of(engine))


class Runs:
    """Does one video in one run after another, each with settings of its own."""

    def __init__(self, engine: Engine, video: Path, host: FakeHost) -> None:
        self._engine, self._video, self._host = engine, video, host
        self._run = 0

    def do(self, *, job: dict[str, Any] | None = None, **sections: Any) -> tuple[dict, dict[str, bool]]:
        """Return the result and, of each stage told, whether it was reused."""
        self._run += 1
        sections.setdefault("embed", {"enabled": False})
        if sections["embed"].get("models"):
            sections["embed"] = {"enabled": True, **sections["embed"]}
        self._engine.start_run(self._run, fingerprints=PRINTS, host_sockets=[str(self._host.path)], **sections)
        seen: list[dict[str, Any]] = []
        message = self._engine.do(self._video, seen, run_id=self._run, **(job or {}))
        assert message["failure"] is None, message["failure"]
        return message["result"], {entry["stage"]: entry["reused"] for entry in seen if entry["type"] == "stage"}


@pytest.fixture
def runs(engine: Engine, video: Path, host: FakeHost) -> Runs:
    return Runs(engine, video, host)


def inode(engine: Engine) -> int:
    return os.stat(path_of(engine)).st_ino


@pytest.mark.parametrize("with_row", [True, False])
def test_nothing_changed_nothing_done(engine: Engine, runs: Runs, with_row: bool) -> None:
    """With the checksum of the ledger, and (a ledger that was lost) after reading the file instead."""
    first, _ = runs.do()
    before = inode(engine)
    second, stages = runs.do(job={"known_sha256": first["output_sha256"] if with_row else ""})
    assert second["adopted"]
    assert all(stages.values())
    assert inode(engine) == before
    same = ("output_sha256", "output_bytes", "output_mtime_ns", "scenes", "frames", "duration_s", "stage_keys", "probe")
    assert {name: second[name] for name in same} == {name: first[name] for name in same}
    assert (second["container"], second["probe"]["pixel_format"]) == ("mov,mp4,m4a,3gp,3g2,mj2", "yuv420p")


@pytest.mark.parametrize(
    "job", [{"force": True}, {"content_id": "0" * 40}, {"known_sha256": "0" * 64}], ids=["force", "content", "checksum"]
)
def test_what_cannot_be_trusted_is_done_again(engine: Engine, runs: Runs, job: dict[str, Any]) -> None:
    runs.do()
    before = inode(engine)
    result, stages = runs.do(job=job)
    assert not result["adopted"]
    assert not any(stages.values())
    assert inode(engine) != before


def test_a_half_file_under_the_final_name_is_done_again(engine: Engine, runs: Runs) -> None:
    first, _ = runs.do()
    Path(os.fsdecode(path_of(engine))).write_bytes(Path(os.fsdecode(path_of(engine))).read_bytes()[:-100])
    again, _ = runs.do()
    assert (again["adopted"], again["frames"]) == (False, first["frames"])


@pytest.mark.parametrize(
    "frames",
    [{}, {"method": "interval", "interval_s": 0.5}, {"method": "uniform"}, {"method": "keyframes"}],
    ids=["scenes", "interval", "uniform", "keyframes"],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_another_model_computes_only_its_own_vectors(
    engine: Engine, runs: Runs, host: FakeHost, frames: dict[str, Any], threads: int
) -> None:
    """Only kept frames are decoded, the vectors there were are copied bit for bit, scenes and frames stay."""
    runs.do(embed=ONE, frames=frames, job={"decode_threads": threads})
    first, sent = features(engine), host.pictures["one"]
    _, stages = runs.do(embed=BOTH, frames=frames, job={"decode_threads": threads})
    second = features(engine)
    assert host.pictures["one"] == sent
    assert host.pictures["two"] == len(second.frames["time_s"]) > 1
    assert stages == {
        **dict.fromkeys(("crop", "scenes", "frames", "dedupe"), True),
        **dict.fromkeys(("probe", "embed", "write"), False),
    }
    for name, column in first.frames.items():
        assert np.array_equal(column, second.frames[name])
    assert np.array_equal(first.embeddings["one"].vectors, second.embeddings["one"].vectors)
    assert second.embeddings["two"].vectors == pytest.approx(first.embeddings["one"].vectors[:, ::-1], abs=1e-6)


def test_a_model_nobody_wants_any_more_leaves_the_file(engine: Engine, runs: Runs, host: FakeHost) -> None:
    runs.do(embed=BOTH)
    sent = host.pictures.copy()
    assert not runs.do(embed=ONE)[0]["adopted"]
    assert set(features(engine).embeddings) == {"one"}
    assert host.pictures == sent


def test_changed_weights_or_augment_redo_the_vectors_and_keep_the_frames(
    engine: Engine, runs: Runs, host: FakeHost
) -> None:
    runs.do(embed=ONE)
    sent = host.pictures["one"]
    _, stages = runs.do(embed={**ONE, "augment": True})
    frames = len(features(engine).frames["time_s"])
    assert host.pictures["one"] == sent + 2 * frames
    assert (stages["scenes"], stages["embed"]) == (True, False)


def test_changed_frames_are_decoded_anew(engine: Engine, runs: Runs, host: FakeHost) -> None:
    first, _ = runs.do(embed=ONE)
    second, stages = runs.do(embed=ONE, frames={"frames_per_scene": 1})
    assert second["frames"] < first["frames"]
    assert not any(stages.values())


def test_how_it_is_written_needs_no_decoding(engine: Engine, runs: Runs, host: FakeHost) -> None:
    runs.do(embed=ONE)
    sent = host.pictures["one"]
    _, stages = runs.do(embed={**ONE, "scene_vectors": False}, write={"compression": "gzip"})
    assert stages == {**dict.fromkeys(("probe", "crop", "scenes", "frames", "dedupe"), True), "write": False}
    assert features(engine).embeddings["one"].video is None
    runs.do(embed=ONE)
    assert features(engine).embeddings["one"].video.shape == (1, 3)
    assert host.pictures["one"] == sent


def test_pictures_can_be_saved_afterwards(engine: Engine, runs: Runs, host: FakeHost) -> None:
    """Only the kept frames are decoded for it, and switching it off again removes them."""
    runs.do(embed=ONE)
    sent = host.pictures["one"]
    _, stages = runs.do(embed=ONE, frames={"save": "webp"})
    folder = engine.out / "frames" / "three.mp4"
    kept = features(engine).frames["frame_index"].tolist()
    assert sorted(path.name for path in folder.iterdir()) == [f"{index:06d}.webp" for index in kept]
    assert (stages["scenes"], host.pictures["one"]) == (True, sent)
    (folder / f"{kept[0]:06d}.webp").unlink()
    runs.do(embed=ONE, frames={"save": "webp"})
    assert len(list(folder.iterdir())) == len(kept)
    folder.rename(folder.with_name("gone"))
    runs.do(embed=ONE, frames={"save": "webp"})
    assert len(list(folder.iterdir())) == len(kept)
    runs.do(embed=ONE)
    assert not folder.exists()


def test_vectors_belong_to_their_frames(engine: Engine, runs: Runs) -> None:
    """Frames of one scene look alike and those of another do not; the vectors say the same."""
    runs.do(embed=ONE)
    found = features(engine)
    likeness = found.embeddings["one"].vectors @ found.embeddings["one"].scenes.T
    assert np.array_equal(likeness.argmax(axis=1), found.frames["scene"])


def test_waiting_for_the_model_host_is_told(engine: Engine, video: Path, host: FakeHost) -> None:
    """And a job that waits can be stopped."""
    host.gate.clear()
    engine.start_run(fingerprints=PRINTS, host_sockets=[str(host.path)], embed={"enabled": True, **ONE})
    engine.send_job(video)
    while engine.receive().get("waiting") != "model host":
        pass
    engine.send({"type": "stop"})
    assert engine.finished()["outcome"] == "stopped"
    host.gate.set()


def test_a_loss_that_may_not_be_kept_is_a_failure(engine: Engine, host: FakeHost, tmp_path: Path) -> None:
    """Also when an earlier run kept it."""
    whole = make_video(tmp_path / "whole.mkv")
    cut = tmp_path / "three.mp4"
    data = bytearray(whole.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    cut.write_bytes(data)
    engine.start_run(1)
    kept = engine.do(cut, run_id=1)
    assert kept["outcome"] == "partial"
    assert "could not be read" in kept["result"]["reason"]
    assert kept["result"]["lost_frames"] > 0
    assert engine.do(cut, run_id=1)["result"]["adopted"]
    engine.start_run(2, probe={"keep_partial": False})
    refused = engine.do(cut, run_id=2)
    assert (refused["outcome"], refused["failure"]["class"]) == ("failed", "corrupt")
