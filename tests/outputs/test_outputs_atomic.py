"""A file with its final name is whole: what fails on the way leaves the old file and no temporary."""

import errno
import os
from pathlib import Path

import pytest

from pipeline.model import FailureClass, Stage
from pipeline.outputs.atomic import atomic_file, atomic_folder, disk_error, remove_stale_parts
from pipeline.outputs.paths import part_path


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_file_appears_whole_and_folders_are_made(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "x.json"
    with atomic_file(os.fsencode(target)) as part:
        Path(os.fsdecode(part)).write_text("whole")
        assert not target.exists()
        assert Path(os.fsdecode(part)).parent == target.parent
    assert target.read_text() == "whole"
    assert files(tmp_path) == ["new", "new/folder", "new/folder/x.json"]


@pytest.mark.parametrize("error", [ValueError("checked and found wanting"), KeyboardInterrupt()])
def test_what_fails_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "x.json"
    target.write_text("old")
    with pytest.raises(type(error)), atomic_file(os.fsencode(target)) as part:
        Path(os.fsdecode(part)).write_text("ne")
        raise error
    assert target.read_text() == "old"
    assert files(tmp_path) == ["x.json"]


def test_a_failed_flush_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def broken(fd: int) -> None:
        calls.append(fd)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"), atomic_file(os.fsencode(tmp_path / "x")) as part:
        Path(os.fsdecode(part)).write_text("data")
    assert len(calls) == 1
    assert files(tmp_path) == []


def test_a_refused_rename_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(source: bytes, target: bytes) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "rename", refused)
    with pytest.raises(PermissionError), atomic_file(os.fsencode(tmp_path / "x")):
        pass
    assert files(tmp_path) == []


def test_the_file_is_flushed_before_it_is_renamed_and_its_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, rename = os.fsync, os.rename

    def noted_fsync(fd: int) -> None:
        order.append("folder" if Path(f"/proc/self/fd/{fd}").is_dir() else "file")
        fsync(fd)

    def noted_rename(source: bytes, target: bytes) -> None:
        order.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "rename", noted_rename)
    with atomic_file(os.fsencode(tmp_path / "x")):
        pass
    assert order == ["file", "rename", "folder"]


def test_a_system_that_cannot_flush_folders_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync

    def files_only(fd: int) -> None:
        if Path(f"/proc/self/fd/{fd}").is_dir():
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(fd)

    monkeypatch.setattr(os, "fsync", files_only)
    with atomic_file(os.fsencode(tmp_path / "new" / "x")) as part:
        Path(os.fsdecode(part)).write_text("whole")
    assert (tmp_path / "new" / "x").read_text() == "whole"


def test_what_a_crashed_writer_left_is_replaced_not_written_through(tmp_path: Path) -> None:
    """A temporary that is a link to elsewhere (or an old one) is removed, never followed."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("not ours")
    target = os.fsencode(tmp_path / "x")
    Path(os.fsdecode(part_path(target))).symlink_to(elsewhere)
    with atomic_file(target) as part:
        Path(os.fsdecode(part)).write_text("new")
    assert elsewhere.read_text() == "not ours"
    assert (tmp_path / "x").read_text() == "new"


def test_a_name_of_255_bytes_has_room_for_its_temporary(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 255)
    with atomic_file(os.fsencode(target)):
        pass
    assert target.exists()


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "frames" / "a.mp4"
    target.mkdir(parents=True)
    (target / "000001.jpg").write_text("stale")
    with atomic_folder(os.fsencode(target)) as part:
        Path(os.fsdecode(part), "000002.jpg").write_text("new")
    assert files(tmp_path) == ["frames", "frames/a.mp4", "frames/a.mp4/000002.jpg"]
    with pytest.raises(ValueError, match="broken"), atomic_folder(os.fsencode(target)) as part:
        Path(os.fsdecode(part), "000003.jpg").write_text("half")
        raise ValueError("broken")
    assert files(tmp_path) == ["frames", "frames/a.mp4", "frames/a.mp4/000002.jpg"]


def test_stale_temporaries_go_and_nothing_else(tmp_path: Path) -> None:
    keep = ["features/a.mp4.h5", "features/.hidden.part", "features/.0123456789abcdef.part.h5", "other/note.part"]
    stale = [".0123456789abcdef.part", "features/sub/.0123456789abcdef.part", "frames/.fedcba9876543210.part/1.jpg"]
    for name in keep + stale:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    assert remove_stale_parts(os.fsencode(tmp_path)) == 3
    assert sorted(name for name in files(tmp_path) if (tmp_path / name).is_file()) == sorted(keep)
    assert remove_stale_parts(b"/nowhere/at/all") == 0


@pytest.mark.parametrize(
    ("number", "failure"),
    [(errno.ENOSPC, FailureClass.DISK_FULL), (errno.EDQUOT, FailureClass.DISK_FULL), (errno.EACCES, FailureClass.IO)],
)
def test_a_full_volume_has_a_class_of_its_own(number: int, failure: FailureClass) -> None:
    error = disk_error(OSError(number, os.strerror(number)), "write", b"/out/\x1b[2J.h5")
    assert (error.failure, error.stage) == (failure, Stage.WRITE)
    assert "\x1b" not in str(error)


def test_a_really_full_volume_leaves_no_half_file() -> None:
    """/dev/full answers every write with ENOSPC; a file on it stands for a volume without room."""
    with pytest.raises(OSError, match="No space left") as caught, open("/dev/full", "wb", buffering=0) as full:
        full.write(b"x")
    assert disk_error(caught.value, "write", b"/out/x").failure is FailureClass.DISK_FULL
