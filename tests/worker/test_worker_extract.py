"""The real worker program carries one file to its feature file and tells how it gets on."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import h5py
import pytest
from PIL import Image
from worker_harness import Engine, make_video

from pipeline.identity import sha256_of
from pipeline.outputs.features import check_features, read_features
from pipeline.outputs.manifest import media_of
from pipeline.outputs.paths import features_path

STAGES = ["probe", "crop", "scenes", "frames", "dedupe", "write"]


def output(engine: Engine, name: str) -> bytes:
    return features_path(os.fsencode(engine.out), os.fsencode(name))


def left_over(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*.part")]


def test_a_video_becomes_a_feature_file(engine: Engine, video: Path) -> None:
    """The result names the file as it is on the disk, and every stage is told as passed, in order."""
    engine.start_run()
    seen: list[dict[str, Any]] = []
    message = engine.do(video, seen, relative="sub/three.mp4")
    result = message["result"]
    assert (message["outcome"], message["failure"]) == ("done", None)
    path = output(engine, "sub/three.mp4")
    assert result["output"] == "features/sub/three.mp4.h5"
    assert (result["output_bytes"], result["output_sha256"]) == (os.path.getsize(path), sha256_of(path))
    assert (result["scenes"], result["adopted"], result["lost_frames"]) == (3, False, 0)
    assert (result["width"], result["height"], result["video_codec"]) == (160, 96, "h264")
    assert result["duration_s"] == pytest.approx(3.0, abs=0.05)
    assert result["bytes_read"] >= video.stat().st_size
    assert set(result["seconds"]) == set(STAGES)
    assert check_features(path) == []
    features = read_features(path)
    assert features.info.source == b"sub/three.mp4"
    assert features.info.stage_keys == result["stage_keys"]
    assert features.scenes["start_s"].tolist() == pytest.approx([0.0, 1.0, 2.0], abs=0.05)
    assert set(features.frames["scene"].tolist()) == {0, 1, 2}
    assert [entry["stage"] for entry in seen if entry["type"] == "stage"] == STAGES
    progress = [entry for entry in seen if entry["type"] == "progress"]
    assert all(0 <= entry["share"] <= 1 for entry in progress)
    assert left_over(engine.out) == []


@pytest.mark.parametrize("scenes", [True, False])
def test_the_decode_is_told_under_a_stage_that_is_on(engine: Engine, video: Path, scenes: bool) -> None:
    """With every frame decoded as an item; the stages after it count the frames that were kept."""
    engine.start_run(scenes={"enabled": scenes})
    seen: list[dict[str, Any]] = []
    kept = engine.do(video, seen)["result"]["frames"]
    assert ("scenes" in {entry.get("stage") for entry in seen}) is scenes
    items = {entry["stage"]: entry["items"] for entry in seen if entry["type"] == "stage"}
    assert (items["scenes"] if scenes else items["frames"]) == 75
    assert items["dedupe"] == kept < 75


def test_progress_is_told_a_few_times_a_second_and_only_grows(engine: Engine, long_video: Path) -> None:
    engine.start_run()
    seen: list[dict[str, Any]] = []
    began = time.monotonic()
    assert engine.do(long_video, seen)["outcome"] == "done"
    told = [entry for entry in seen if entry["type"] == "progress"]
    assert told[-1]["duration_s"] > 0, "the length is told once the video is opened"
    assert len(told) <= 5 * (time.monotonic() - began) + len(STAGES)
    for name in ("share", "video_s", "frames", "bytes_read"):
        values = [entry[name] for entry in told]
        assert values == sorted(values)
    assert told[-1]["video_s"] == pytest.approx(40.0, abs=0.5)
    assert told[-1]["frames"] == 1000


def test_what_kind_of_video_it_is_reaches_result_file_and_manifest(engine: Engine, video: Path) -> None:
    """And that probe.max_frames cut it off, also when the output is found whole by a later run."""
    engine.start_run(probe={"max_frames": 30})
    for adopted in (False, True):
        result = engine.do(video)["result"]
        assert (result["adopted"], result["cut_off"]) == (adopted, True)
        media = media_of(result)
        assert (media["bit_depth"], media["hdr"], media["interlaced"], media["variable_rate"]) == (8, "", False, False)
        assert (media["width"], media["audio_streams"], media["rotation_deg"]) == (160, 0, 0)
    with h5py.File(output(engine, "three.mp4")) as file:
        stored = json.loads(file.attrs["probe"])
    assert (stored["pixel_format"], stored["cut_off"]) == ("yuv420p", True)
    assert "seconds" not in stored


def test_a_failure_tells_what_was_known_of_the_video(engine: Engine, video: Path, tmp_path: Path) -> None:
    engine.start_run(probe={"max_pixels": 1000})
    by_header = engine.do(video)
    assert by_header["failure"]["class"] == "too_large"
    facts = media_of(by_header["result"])
    assert facts["video_codec"] == "h264" and facts["width"] > 0 and "mp4" in facts["container"]

    engine.out.mkdir()
    (engine.out / "features").write_text("a file where the folder should be")
    engine.start_run(2)
    by_probe = engine.do(video, run_id=2)
    assert by_probe["failure"]["stage"] == "write"
    facts = media_of(by_probe["result"])
    assert (facts["video_codec"], facts["duration_s"], facts["pixel_format"]) == ("h264", 3.0, "yuv420p")

    (tmp_path / "none.mp4").write_bytes(b"no video")
    assert media_of(engine.do(tmp_path / "none.mp4", run_id=2)["result"]) == {}


def test_a_picture_is_a_one_frame_input(engine: Engine, tmp_path: Path) -> None:
    source = tmp_path / "picture.png"
    picture = Image.effect_noise((64, 48), 80).convert("RGB")
    picture.save(source)
    engine.start_run()
    result = engine.do(source)["result"]
    assert (result["scenes"], result["frames"], result["width"], result["height"]) == (1, 1, 64, 48)


def test_saved_pictures_are_those_of_the_kept_frames(engine: Engine, video: Path) -> None:
    engine.start_run(frames={"save": "jpeg"})
    engine.do(video)
    kept = read_features(output(engine, "three.mp4")).frames["frame_index"].tolist()
    folder = engine.out / "frames" / "three.mp4"
    assert sorted(path.name for path in folder.iterdir()) == [f"{index:06d}.jpg" for index in kept]


def test_jobs_leased_ahead_are_done_in_order(engine: Engine, video: Path) -> None:
    engine.start_run()
    numbers = [engine.send_job(video, relative=f"{index}.mp4") for index in range(3)]
    assert [engine.finished()["job_id"] for _ in numbers] == numbers
    assert engine.close() == 0


def test_stop_gives_the_job_and_those_leased_ahead_back(engine: Engine, long_video: Path, video: Path) -> None:
    """Nothing is written for a job that was stopped, and the worker takes the next one."""
    engine.start_run()
    engine.send_job(long_video)
    while engine.receive()["type"] != "progress":
        pass
    engine.send_job(long_video, relative="ahead.mp4")
    engine.send({"type": "stop"})
    assert [engine.finished()["outcome"] for _ in range(2)] == ["stopped", "stopped"]
    assert [path for path in engine.out.rglob("*") if path.is_file()] == []
    assert engine.do(video)["outcome"] == "done"


@pytest.mark.parametrize("act", ["written to", "removed"])
def test_a_file_that_is_not_the_one_discovered_is_changed(engine: Engine, tmp_path: Path, act: str) -> None:
    source = make_video(tmp_path / "copy.mp4")
    status = source.stat()
    identity = [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns]
    with source.open("ab") as file:
        file.write(b"more")
    engine.start_run()
    named = tmp_path / "nowhere.mp4" if act == "removed" else source
    message = engine.do(source, identity=identity, source=str(named))
    assert (message["outcome"], message["failure"]["class"]) == ("failed", "changed")
    assert not engine.out.exists()


def test_sigkill_at_any_moment_leaves_no_half_file(pool: Any, video: Path, tmp_path: Path) -> None:
    """What stands under a final name after a kill is whole; the next worker finishes the job and clears the rest."""
    for stage in ("probe", "scenes", "dedupe", "write"):
        engine = pool.idle()
        engine.out = tmp_path / "out"
        engine.start_run(frames={"save": "jpeg"})
        engine.send_job(video, force=True)
        while engine.receive().get("stage") != stage:
            pass
        os.killpg(engine.process.pid, signal.SIGKILL)
        engine.process.wait()
        path = output(engine, "three.mp4")
        assert not os.path.exists(path) or check_features(path) == []
    engine = pool.idle()
    engine.out = tmp_path / "out"
    engine.start_run(frames={"save": "jpeg"})
    assert engine.do(video, force=True)["outcome"] == "done"
    assert left_over(engine.out) == []


def test_the_worker_ends_when_its_engine_is_gone(engine: Engine, long_video: Path) -> None:
    """Even in the midst of a job: nobody is left to hear of it."""
    engine.start_run()
    engine.send_job(long_video)
    while engine.receive()["type"] != "progress":
        pass
    assert engine.close() == 0


@pytest.mark.parametrize("data", [b"\xff" * 64, b"\x00\x00\x00\x02\x00\x00\x00\x00[]"])
def test_garbage_from_the_engine_ends_the_worker_with_a_code_of_its_own(engine: Engine, data: bytes) -> None:
    engine.send_raw(data)
    assert engine.process.wait(30) == 71


def test_orders_that_make_no_sense_fail_the_job_and_not_the_worker(engine: Engine, video: Path) -> None:
    engine.start_run()
    message = engine.do(video, identity=[1, 2])
    assert (message["outcome"], message["failure"]["class"]) == ("failed", "protocol")
    assert engine.do(video, run_id=99)["failure"]["class"] == "protocol"
    assert engine.do(video)["outcome"] == "done"


def test_an_output_folder_that_cannot_be_written_fails_the_job(engine: Engine, video: Path) -> None:
    engine.out.mkdir()
    (engine.out / "features").write_text("a file where the folder should be")
    engine.start_run()
    message = engine.do(video)
    assert (message["outcome"], message["failure"]["class"], message["failure"]["stage"]) == ("failed", "io", "write")
    assert [path.name for path in engine.out.iterdir()] == ["features"]


def test_the_file_opens_with_plain_h5py(engine: Engine, video: Path) -> None:
    engine.start_run(write={"compression": "gzip"})
    engine.do(video)
    with h5py.File(output(engine, "three.mp4")) as file:
        assert set(file) == {"scenes", "frames"}
        assert file["scenes/start_s"].compression == "gzip"
