"""`vconsole transcode` over real media: outputs, reports, check, kill -9 at random moments, damaged inputs."""

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from transcode_harness import Library, broken, damage, disturb, ended, kill_all, make_library, vconsole, videos
from volumes import in_namespace, why_not

from pipeline.media.samples import make

WHY_NOT = why_not()
SAMPLED = "shapes.mp4"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small videos that are only read."""
    folder = tmp_path_factory.mktemp("made")
    make_library(folder, 6)
    return folder


def test_a_library_comes_out_whole_and_is_not_done_twice(library: Library) -> None:
    make(library.source)
    summary = library.run()
    files = library.files()
    assert files[SAMPLED]["status"] == "done" and files[SAMPLED]["action"] in {"encoded", "remuxed"}
    assert files["broken.mp4"]["class"] == "corrupt"
    assert files["picture.jpg"]["reason"] == "a still picture: there is no video in it"
    assert files["rotated.mp4"]["facts_out"]["video"]["rotation_deg"] == 0
    assert (library.out / "folder" / "one shot.mp4").is_file()
    assert summary["exit_code"] == 1 and not library.violations()
    again = library.run()
    assert again["reused"] == summary["counts"]["done"]


def test_what_conforms_is_skipped_with_the_reason(library: Library) -> None:
    make_library(library.source, 1)
    library.run()
    again = Library(library.source.parent / "again")
    again.source.rmdir()
    library.out.rename(again.source)
    again.run()
    reasons = {entry["status"]: entry["reason"] for name, entry in again.files().items() if name.endswith(".mp4")}
    assert list(reasons) == ["skipped"] and "already" in reasons["skipped"]
    assert not videos(again.out)


def test_check_names_what_is_odd_and_changes_nothing(library: Library) -> None:
    make(library.source)
    before = sorted(library.source.rglob("*"))
    report = library.source.parent / "check.json"
    arguments = ("transcode", "--check", str(library.source), "--json", "--report-file", str(report))
    done = subprocess.run([sys.executable, "-m", "vconsole", *arguments], capture_output=True, text=True, timeout=120)
    told = {line["source"]: line for line in map(json.loads, done.stdout.splitlines()[:-1])}
    codes = {problem["code"] for problem in told["rotated.mp4"]["problems"]}
    assert {"rotation_flag", "no_audio"} <= codes
    assert (told["broken.mp4"]["status"], told["broken.mp4"]["class"]) == ("failed", "corrupt")
    assert told["picture.jpg"]["status"] == "skipped"
    assert done.returncode == 1 and sorted(library.source.rglob("*")) == before
    assert {entry["source"] for entry in json.loads(report.read_text())["files"]} == set(told)


def test_a_run_that_was_killed_completes_and_does_nothing_finished_again(library: Library, made: Path) -> None:
    library.source.rmdir()
    library.source.symlink_to(made)
    chance = random.Random(5)
    fallen = disturb(library, 6, chance)
    assert fallen and not library.violations()
    assert set(library.counts()) == {"done"}
    assert max(library.wins().values()) == 1, "a finished file was done again"
    assert len(videos(library.out)) == 6


def test_an_output_whose_row_was_lost_is_adopted_and_not_encoded_again(library: Library, made: Path) -> None:
    library.source.rmdir()
    library.source.symlink_to(made)
    library.run()
    times = {path: path.stat().st_mtime_ns for path in videos(library.out)}
    shutil.rmtree(library.state)
    summary = library.run()
    assert summary["reused"] == 6
    assert {path: path.stat().st_mtime_ns for path in videos(library.out)} == times


def test_a_flipped_output_is_found_and_made_again_under_its_name(library: Library, made: Path) -> None:
    library.source.rmdir()
    library.source.symlink_to(made)
    library.run()
    path = videos(library.out)[0]
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(flipped) // 2] ^= 1
    path.write_bytes(flipped)
    found = vconsole(library, "verify", str(library.out), "--deep", "--redo")
    assert (found["findings"], found["left"], found["exit_code"]) == (1, 0, 0)
    assert path.read_bytes() != bytes(flipped) and not library.violations()


def test_a_run_can_be_resumed_with_the_settings_it_began_with(library: Library) -> None:
    make_library(library.source, 4, frames=400)
    process = library.start("--workers", "1", "--keyframe-interval-s", "1")
    end = time.monotonic() + 60
    while not videos(library.out):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.05)
    kill_all(process)
    assert ended(library.resume())["exit_code"] == 0
    assert set(library.counts()) == {"done"} and not library.violations()


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_a_full_volume_pauses_the_run_until_there_is_room(tmp_path: Path) -> None:
    in_namespace(Path(__file__).with_name("full_volume.py"), str(tmp_path))


def test_a_file_of_somebody_else_is_never_replaced(library: Library) -> None:
    make_library(library.source, 1)
    other = library.out / "video-00.mp4"
    other.parent.mkdir()
    other.write_bytes(b"mine")
    library.run("--force")
    assert other.read_bytes() == b"mine"
    assert library.files()["video-00.mkv"]["class"] == "settings"


@pytest.mark.parametrize("salvage", [False, True], ids=["strict", "salvage"])
def test_damaged_inputs_end_with_a_true_reason(library: Library, made: Path, salvage: bool) -> None:
    chance = random.Random(9)
    damage(library.source, made / "video-00.mkv", chance)
    damage(library.source, _as_mp4(made / "video-02.mkv", library.source.parent / "whole.mp4"), chance)
    library.run(*(["--salvage"] if salvage else []))
    assert not library.violations()
    for name, entry in library.files().items():
        assert entry["status"] in {"done", "partial", "failed", "quarantined", "skipped"}, name
        if entry["status"] == "partial":
            assert salvage and entry["reason"] and not broken(library.out / entry["output"])
        if entry["status"] in {"failed", "quarantined"}:
            assert entry["class"] not in {"worker_crashed", "stalled", "protocol"}, (name, entry)
            assert entry["message"]


def _as_mp4(path: Path, target: Path) -> Path:
    with av.open(str(path)) as source, av.open(str(target), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    return target
