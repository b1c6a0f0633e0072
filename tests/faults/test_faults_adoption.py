"""Whole outputs without a row are adopted without decoding; rows without a whole output are done again."""

import contextlib
import json
import os
import shutil
import sqlite3
from typing import Any

import h5py
import pytest
from compare import differences
from damage_harness import SETTINGS, Archive

from pipeline.engine.store import LEDGER_NAME


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return Archive(tmp_path_factory.mktemp("adoption"), videos=6)


def extract(archive: Archive, *more: str) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Give the same command again; return how each video ended, and the summary."""
    done = archive.vconsole("extract", archive.source, "--out", archive.out, *SETTINGS, "--json", *more)
    assert (done.returncode, done.stderr) == (1, ""), done.stderr
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    ended = {one["name"]: one for one in objects if one["event"] == "job" and one["state"] in {"done", "partial"}}
    assert len(ended) == 6
    return ended, objects[-1]


def adopted(ended: dict[str, dict[str, Any]]) -> set[str]:
    """Return the videos that a worker looked at and whose outputs it took as they were."""
    return {name for name, one in ended.items() if one["reused"] and one["attempts"]}


def feature_looks(archive: Archive) -> dict[str, tuple[int, int]]:
    return {name: look for name, look in archive.looks().items() if not name.endswith(("json", "gz"))}


def test_without_a_ledger_every_output_is_adopted_and_nothing_decoded(archive: Archive) -> None:
    before = feature_looks(archive)
    shutil.rmtree(archive.state)
    ended, summary = extract(archive)
    assert adopted(ended) == set(ended)
    assert (summary["reused"], summary["video_s"]) == (6, 0.0)
    assert feature_looks(archive) == before
    assert archive.verify()[0] == 0, "the rows have every checksum again, those of the pictures too"


def test_an_adopted_output_is_told_in_plain_words(archive: Archive) -> None:
    shutil.rmtree(archive.state)
    told = archive.vconsole("extract", archive.source, "--out", archive.out, *SETTINGS).stdout.splitlines()
    lines = [line for line in told if "2.mp4" in line]
    assert lines == ["adopted      2.mp4  its output was there and is whole; nothing was decoded"]
    assert "  6 were whole already and not done again" in told


def test_only_what_has_no_row_is_looked_into_and_only_what_is_not_whole_is_done_again(archive: Archive) -> None:
    before = feature_looks(archive)
    with contextlib.closing(sqlite3.connect(archive.state / LEDGER_NAME)) as connection, connection:
        assert connection.execute("DELETE FROM outputs WHERE relative = ?", (b"2.mp4",)).rowcount == 1
    (archive.state / "ledger.seal").unlink()
    (archive.out / "features" / "3.mp4.h5").unlink()
    os.truncate(archive.out / "features" / "5.mp4.h5", 1000)
    ended, summary = extract(archive)
    assert adopted(ended) == {"2.mp4"}
    assert {name for name, one in ended.items() if not one["reused"]} == {"3.mp4", "5.mp4"}
    assert summary["reused"] == 4
    after = feature_looks(archive)
    assert {name for name in after if after[name] != before[name] and name.endswith("h5")} == {
        "features/3.mp4.h5",
        "features/5.mp4.h5",
    }
    assert differences(archive.original / "features", archive.out / "features") == []


def test_without_a_ledger_each_file_that_is_not_the_wanted_output_is_done_again(archive: Archive) -> None:
    features, frames = archive.out / "features", archive.out / "frames"
    shutil.rmtree(archive.state)
    before = feature_looks(archive)
    os.truncate(features / "0.mp4.h5", (features / "0.mp4.h5").stat().st_size - 100)
    with h5py.File(features / "sub" / "1.mp4.h5", "a") as file:
        file.attrs["format_version"] = 2
    shutil.copyfile(features / "5.mp4.h5", features / "2.mp4.h5")
    moved = features / "3.mp4.h5"
    moved.rename(archive.source.parent / "moved")
    moved.symlink_to(archive.source.parent / "moved")
    picture = min((frames / "sub" / "4.mp4").iterdir())
    picture.write_bytes(picture.read_bytes()[:200])
    (features / ".0123456789abcdef.part").write_bytes(b"half")
    (frames / ".0123456789abcdef.part").mkdir()
    ended, _ = extract(archive)
    assert adopted(ended) == {"5.mp4"}
    assert feature_looks(archive)["features/sub/4.mp4.h5"] == before["features/sub/4.mp4.h5"], "only a picture was cut"
    assert not moved.is_symlink()
    assert differences(archive.original / "features", archive.out / "features") == []
    assert picture.read_bytes() == (archive.original / picture.relative_to(archive.out)).read_bytes()
    assert not list(archive.out.rglob("*.part"))
    assert archive.verify()[0] == 0


def test_an_output_of_other_settings_is_not_adopted(archive: Archive) -> None:
    shutil.rmtree(archive.state)
    ended, _ = extract(archive, "--set", "frames.frames_per_scene=1")
    assert adopted(ended) == set()
    shutil.rmtree(archive.state)
    ended, _ = extract(archive)
    assert adopted(ended) == set()
    assert differences(archive.original / "features", archive.out / "features") == []
