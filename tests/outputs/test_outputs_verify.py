"""`verify` finds each way in which an output folder can differ from what the ledger says."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.identity import sha256_of
from pipeline.model import JobState
from pipeline.outputs.feature_writer import write_features
from pipeline.outputs.findings import Fault
from pipeline.outputs.format import Features
from pipeline.outputs.manifest import ManifestRow, write_failures, write_manifest, write_run
from pipeline.outputs.paths import REPORTS, features_name, features_path
from pipeline.outputs.pictures import saved_pictures
from pipeline.outputs.verify import Output, verify
from pipeline.outputs.verify_reports import ReportedRun

MakeFeatures = Callable[..., Features]
FACTS = {"run_id": 3, "state": "done", "preset": "standard", "totals": {"jobs": 2, "wall_s": 1.5}}


@pytest.fixture
def outputs(tmp_path: Path, make_features: MakeFeatures) -> list[Output]:
    found = []
    for name in (b"1.mp4", b"sub/2.mp4"):
        written = write_features(features_path(os.fsencode(tmp_path), name), make_features(relative=name))
        found.append(Output(name, features_name(name), written.size_bytes, written.sha256, written.mtime_ns))
    return found


@pytest.fixture
def run(tmp_path: Path) -> ReportedRun:
    rows = [ManifestRow(b"1.mp4", JobState.DONE), ManifestRow(b"3.mp4", JobState.FAILED, failure="corrupt")]
    write_manifest(os.fsencode(tmp_path), rows)
    write_failures(os.fsencode(tmp_path), rows)
    write_run(os.fsencode(tmp_path), {**FACTS, "ended_utc": "2026-01-01T00:00:00Z"})
    return ReportedRun(FACTS, ended=True)


def faults(
    folder: Path, outputs: list[Output], run: ReportedRun | None = None, *, deep: bool = False
) -> list[tuple[Fault, bytes]]:
    found = verify(os.fsencode(folder), outputs, run, deep=deep)
    return [(finding.fault, finding.path) for finding in found]


@pytest.mark.parametrize("deep", [False, True])
def test_a_sound_folder_has_no_findings(tmp_path: Path, outputs: list[Output], run: ReportedRun, deep: bool) -> None:
    assert faults(tmp_path, outputs, run, deep=deep) == []


def test_each_fault_is_named(tmp_path: Path, outputs: list[Output]) -> None:
    first, second = tmp_path / "features/1.mp4.h5", tmp_path / "features/sub/2.mp4.h5"
    flip(first)
    second.write_bytes(second.read_bytes()[:-10])
    (tmp_path / "features/new.mp4.h5").write_bytes(b"")
    (tmp_path / "features/.0123456789abcdef.part").write_bytes(b"")
    assert set(faults(tmp_path, outputs)) == {
        (Fault.CHECKSUM, b"features/1.mp4.h5"),
        (Fault.SIZE, b"features/sub/2.mp4.h5"),
        (Fault.UNKNOWN, b"features/new.mp4.h5"),
        (Fault.TEMPORARY, b"features/.0123456789abcdef.part"),
    }
    first.unlink()
    assert (Fault.MISSING, b"features/1.mp4.h5") in faults(tmp_path, outputs)
    first.symlink_to(second)
    assert (Fault.KIND, b"features/1.mp4.h5") in faults(tmp_path, outputs)


def test_a_flipped_byte_with_the_time_put_back_takes_deep(tmp_path: Path, outputs: list[Output]) -> None:
    path = tmp_path / "features/1.mp4.h5"
    flip(path)
    os.utime(path, ns=(outputs[0].mtime_ns, outputs[0].mtime_ns))
    assert faults(tmp_path, outputs) == []
    assert faults(tmp_path, outputs, deep=True) == [(Fault.CHECKSUM, b"features/1.mp4.h5")]


def test_a_file_that_was_only_touched_is_whole(tmp_path: Path, outputs: list[Output]) -> None:
    os.utime(tmp_path / "features/1.mp4.h5")
    assert faults(tmp_path, outputs) == []


def test_deep_reads_what_is_in_a_file_with_the_right_checksum(tmp_path: Path, outputs: list[Output]) -> None:
    """A file that was wrong from the first can match its checksum; only reading it finds that."""
    path = tmp_path / "features/1.mp4.h5"
    with h5py.File(path, "a") as file:
        file["frames/time_s"][0] = float("nan")
    wrong = replace(outputs[0], size_bytes=path.stat().st_size, sha256=sha256_of(os.fsencode(path)))
    assert faults(tmp_path, [wrong, outputs[1]]) == []
    assert faults(tmp_path, [wrong, outputs[1]], deep=True) == [(Fault.UNREADABLE, b"features/1.mp4.h5")]


@pytest.fixture
def pictured(tmp_path: Path, outputs: list[Output]) -> list[Output]:
    """The first video has saved pictures of its three frames."""
    folder = os.fsencode(tmp_path / "frames/1.mp4")
    with saved_pictures(folder, "jpeg", 90) as pictures:
        assert pictures
        for index in (0, 83, 166):
            pictures.add(index, np.full((8, 12, 3), index, np.uint8))
        found = pictures.sum
    saved = {"pictures": "jpeg", "pictures_bytes": found.size_bytes, "pictures_sha256": found.sha256}
    return [replace(outputs[0], **saved), outputs[1]]


@pytest.mark.parametrize("deep", [False, True])
def test_a_saved_picture_that_is_gone_cut_or_too_many_is_named(
    tmp_path: Path, pictured: list[Output], deep: bool
) -> None:
    assert faults(tmp_path, pictured, deep=deep) == []
    folder = tmp_path / "frames/1.mp4"
    (folder / "000001.jpg").touch()
    assert faults(tmp_path, pictured, deep=deep) == [(Fault.UNKNOWN, b"frames/1.mp4/000001.jpg")]
    (folder / "000001.jpg").unlink()
    (folder / "000083.jpg").write_bytes((folder / "000083.jpg").read_bytes()[:-200])
    assert faults(tmp_path, pictured, deep=deep) == [(Fault.UNREADABLE, b"frames/1.mp4/000083.jpg")]
    (folder / "000083.jpg").unlink()
    assert faults(tmp_path, pictured, deep=deep) == [(Fault.MISSING, b"frames/1.mp4/000083.jpg")]
    folder.rename(tmp_path / "frames/2.mp4")
    assert faults(tmp_path, pictured, deep=deep) == [
        (Fault.MISSING, b"frames/1.mp4"),
        (Fault.UNKNOWN, b"frames/2.mp4/000000.jpg"),
        (Fault.UNKNOWN, b"frames/2.mp4/000166.jpg"),
    ]


def test_two_pictures_that_changed_places_take_deep(tmp_path: Path, pictured: list[Output]) -> None:
    one, other = tmp_path / "frames/1.mp4/000000.jpg", tmp_path / "frames/1.mp4/000083.jpg"
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)
    assert faults(tmp_path, pictured) == []
    assert faults(tmp_path, pictured, deep=True) == [(Fault.CHECKSUM, b"frames/1.mp4")]


def test_pictures_of_an_old_row_are_checked_by_decoding(tmp_path: Path, pictured: list[Output]) -> None:
    old = [replace(pictured[0], pictures_bytes=0, pictures_sha256=""), pictured[1]]
    assert faults(tmp_path, old, deep=True) == []
    (tmp_path / "frames/1.mp4/000166.jpg").write_bytes(b"\xff\xd8 nothing")
    assert faults(tmp_path, old, deep=True) == [(Fault.UNREADABLE, b"frames/1.mp4/000166.jpg")]


@pytest.mark.parametrize("name", REPORTS, ids=os.fsdecode)
def test_a_report_that_is_gone_cut_or_flipped_anywhere_is_named(tmp_path: Path, run: ReportedRun, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    data = path.read_bytes()
    for place in range(8 * len(data)):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        assert [found for _, found in faults(tmp_path, [], run)] == [name], f"bit {place}"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        assert [found for _, found in faults(tmp_path, [], run)] == [name], f"{length} bytes"
    path.unlink()
    assert faults(tmp_path, [], run) == [(Fault.MISSING, name)]
    path.mkdir()
    assert faults(tmp_path, [], run) == [(Fault.KIND, name)]


def test_reports_of_another_run_are_found_though_they_are_whole(tmp_path: Path, run: ReportedRun) -> None:
    write_run(os.fsencode(tmp_path), {**FACTS, "run_id": 2})
    assert faults(tmp_path, [], run) == [(Fault.CHECKSUM, b"run.json")]
    write_run(os.fsencode(tmp_path), {**FACTS, "totals": {"jobs": 1, "wall_s": 1.5}})
    assert faults(tmp_path, [], run) == [(Fault.CHECKSUM, b"run.json")]
    write_run(os.fsencode(tmp_path), FACTS)
    write_manifest(os.fsencode(tmp_path), [])
    assert faults(tmp_path, [], run) == [(Fault.SIZE, b"manifest.jsonl.gz")]


def test_a_run_that_was_stopped_may_have_reports_older_than_the_ledger(tmp_path: Path, run: ReportedRun) -> None:
    write_manifest(os.fsencode(tmp_path), [])
    stopped = replace(run, facts={**FACTS, "state": "interrupted"}, ended=False)
    assert faults(tmp_path, [], stopped) == []
    flip(tmp_path / "manifest.jsonl.gz")
    assert faults(tmp_path, [], stopped) == [(Fault.UNREADABLE, b"manifest.jsonl.gz")]


def test_a_run_record_without_checksums_is_compared_with_the_ledger(tmp_path: Path, run: ReportedRun) -> None:
    """Earlier versions wrote none."""
    path = tmp_path / "run.json"
    path.write_text(json.dumps(FACTS, indent=2) + "\n")
    assert faults(tmp_path, [], run) == []
    path.write_text(json.dumps({**FACTS, "preset": "quick"}, indent=2) + "\n")
    assert faults(tmp_path, [], run) == [(Fault.CHECKSUM, b"run.json")]


def flip(path: Path) -> None:
    """Flip the last bit of a file."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
