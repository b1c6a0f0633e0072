"""`verify` finds each way in which an output folder can differ from what the ledger says."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import pytest

from pipeline.identity import sha256_of
from pipeline.model import JobState
from pipeline.outputs.features import write_features
from pipeline.outputs.format import Features
from pipeline.outputs.manifest import ManifestRow, write_failures, write_manifest, write_run
from pipeline.outputs.paths import features_name, features_path
from pipeline.outputs.verify import Fault, verify

MakeFeatures = Callable[..., Features]


@pytest.fixture
def rows(tmp_path: Path, make_features: MakeFeatures) -> list[ManifestRow]:
    found = []
    for name in (b"1.mp4", b"sub/2.mp4"):
        written = write_features(features_path(os.fsencode(tmp_path), name), make_features(relative=name))
        found.append(
            ManifestRow(
                name,
                JobState.DONE,
                features=features_name(name),
                output_bytes=written.size_bytes,
                output_sha256=written.sha256,
            )
        )
    rows = [*found, ManifestRow(b"3.mp4", JobState.FAILED, failure="corrupt")]
    write_manifest(os.fsencode(tmp_path), rows)
    write_failures(os.fsencode(tmp_path), rows)
    write_run(os.fsencode(tmp_path), {})
    return rows


def faults(folder: Path, rows: list[ManifestRow], *, deep: bool = False) -> list[tuple[Fault, bytes]]:
    return [(finding.fault, finding.path) for finding in verify(os.fsencode(folder), rows, deep=deep)]


@pytest.mark.parametrize("deep", [False, True])
def test_a_sound_folder_has_no_findings(tmp_path: Path, rows: list[ManifestRow], deep: bool) -> None:
    assert faults(tmp_path, rows, deep=deep) == []


def test_each_fault_is_named(tmp_path: Path, rows: list[ManifestRow]) -> None:
    first, second = tmp_path / "features/1.mp4.h5", tmp_path / "features/sub/2.mp4.h5"
    data = bytearray(first.read_bytes())
    data[-1] ^= 1
    first.write_bytes(data)
    second.write_bytes(second.read_bytes()[:-10])
    (tmp_path / "features/new.mp4.h5").write_bytes(b"")
    (tmp_path / "features/.0123456789abcdef.part").write_bytes(b"")
    assert set(faults(tmp_path, rows)) == {
        (Fault.CHECKSUM, b"features/1.mp4.h5"),
        (Fault.SIZE, b"features/sub/2.mp4.h5"),
        (Fault.UNKNOWN, b"features/new.mp4.h5"),
        (Fault.TEMPORARY, b"features/.0123456789abcdef.part"),
    }
    first.unlink()
    assert (Fault.MISSING, b"features/1.mp4.h5") in faults(tmp_path, rows)


def test_deep_reads_what_is_in_a_file_with_the_right_checksum(tmp_path: Path, rows: list[ManifestRow]) -> None:
    """A file that was wrong from the first can match its checksum; only reading it finds that."""
    path = tmp_path / "features/1.mp4.h5"
    with h5py.File(path, "a") as file:
        file["frames/time_s"][0] = float("nan")
    row = ManifestRow(
        b"1.mp4", JobState.DONE, features=b"features/1.mp4.h5", output_sha256=sha256_of(os.fsencode(path))
    )
    assert faults(tmp_path, [row, rows[1]]) == []
    assert faults(tmp_path, [row, rows[1]], deep=True) == [(Fault.UNREADABLE, b"features/1.mp4.h5")]


def test_a_saved_picture_or_a_report_that_is_gone_is_found(tmp_path: Path, rows: list[ManifestRow]) -> None:
    with_pictures = [replace(rows[0], pictures="jpeg"), *rows[1:]]
    folder = tmp_path / "frames/1.mp4"
    folder.mkdir(parents=True)
    for index in (0, 83, 166):
        (folder / f"{index:06d}.jpg").touch()
    assert faults(tmp_path, with_pictures) == []
    (folder / "000083.jpg").unlink()
    (tmp_path / "run.json").unlink()
    assert faults(tmp_path, with_pictures) == [
        (Fault.MISSING, b"run.json"),
        (Fault.MISSING, b"frames/1.mp4/000083.jpg"),
    ]
