"""Outputs that were cut, flipped, replaced or removed behind our back are found, each time, and done again."""

import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from damage_harness import DEADLINE_S, SETTINGS, Archive, Vandal, round_of

from pipeline.engine.folder import FolderLock
from pipeline.engine.reader import LedgerReader

SEED = 3


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return Archive(tmp_path_factory.mktemp("archive"), videos=6)


@pytest.fixture
def archive(made: Archive) -> Iterator[Archive]:
    """A whole archive; each test leaves it whole."""
    yield made
    assert list(made.broken({}, made.looks())) == []


def flip(path: Path) -> bytes:
    """Flip a bit in the last column of a file, with its time put back; return what it holds then."""
    status, data = path.stat(), bytearray(path.read_bytes())
    data[-9] ^= 4
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return bytes(data)


def test_any_damage_is_found_and_done_again_and_what_is_whole_is_left_alone(archive: Archive) -> None:
    vandal, done = Vandal(archive, random.Random(SEED)), 0
    while done < 30:
        count, wrong = round_of(archive, vandal, 10)
        assert wrong == [], f"seed {SEED}, after {done} damages"
        done += count
    assert archive.verify()[0] == 0


def test_in_a_pipe_the_command_is_printed_and_nothing_is_done(archive: Archive) -> None:
    path = archive.out / "features" / "2.mp4.h5"
    damaged = flip(path)
    told = archive.vconsole("verify", archive.out)
    assert (told.returncode, "all whole" in told.stdout) == (0, True), "looks cannot tell"
    told = archive.vconsole("verify", archive.out, "--deep")
    assert told.returncode == 1
    assert "checksum differs: features/2.mp4.h5" in told.stdout
    assert told.stdout.endswith(f"to do 1 video again: vconsole verify {archive.out} --deep --redo\n")
    assert path.read_bytes() == damaged
    again = archive.vconsole(*told.stdout.rpartition("vconsole ")[2].split())
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "checked again: 1 video whole")


@pytest.mark.parametrize(("answer", "code"), [("", 1), ("y", 0)])
def test_on_a_terminal_it_asks(archive: Archive, answer: str, code: int) -> None:
    path = archive.out / "features" / "3.mp4.h5"
    damaged = flip(path)
    ours, theirs = pty.openpty()
    seen = bytearray()
    process = subprocess.Popen(
        [sys.executable, "-m", "vconsole", "verify", str(archive.out), "--deep"],
        env={**os.environ, "VCONSOLE_STATE_DIR": str(archive.state), "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    asked = threading.Event()

    def read() -> None:
        while True:
            try:
                seen.extend(os.read(ours, 4096))
            except OSError:
                return
            if b"Do 1 video again? [y/N]" in seen:
                asked.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert asked.wait(DEADLINE_S), seen
    os.write(ours, answer.encode() + b"\n")
    assert process.wait(DEADLINE_S) == code, seen
    reader.join()
    os.close(ours)
    if code:
        assert path.read_bytes() == damaged
        assert archive.verify("--redo")[0] == 0


def test_it_is_refused_while_another_vconsole_holds_the_ledger(archive: Archive) -> None:
    path = archive.out / "features" / "2.mp4.h5"
    damaged = flip(path)
    written_now = archive.out / "features" / ".0123456789abcdef.part"
    written_now.touch()
    lock = FolderLock(archive.state)
    told = archive.vconsole("verify", archive.out, "--deep", "--redo")
    lock.release()
    written_now.unlink()
    assert told.returncode == 2
    assert ".part" not in told.stdout, "the other one may be writing it"
    assert f"process {os.getpid()}" in told.stderr
    assert "features/2.mp4.h5" in told.stdout, "looking needs no lock"
    assert path.read_bytes() == damaged
    assert archive.verify("--redo")[0] == 0


def test_without_its_video_a_damaged_output_is_kept_and_never_taken_for_whole(archive: Archive) -> None:
    path, video = archive.out / "features" / "3.mp4.h5", archive.source / "3.mp4"
    damaged = flip(path)
    video.rename(archive.source / "away")
    code, objects = archive.verify("--redo")
    assert (code, objects[-1]["left"]) == (1, 1)
    assert [entry["name"] for entry in objects if entry["event"] == "hopeless"] == ["3.mp4"]
    assert path.read_bytes() == damaged
    (archive.source / "away").rename(video)
    done = archive.vconsole("extract", archive.source, "--out", archive.out, *SETTINGS)
    assert "done         3.mp4" in done.stdout, "size and time were put back, and yet it was done again"
    assert "5 were whole already" in done.stdout
    archive.keep_reports()
    assert archive.verify()[0] == 0


def test_a_video_that_is_another_by_now_is_not_done_in_its_place(archive: Archive) -> None:
    path, video = archive.out / "features" / "3.mp4.h5", archive.source / "3.mp4"
    flip(path)
    video.rename(archive.source / "away")
    shutil.copy(archive.source / "2.mp4", video)
    told = archive.vconsole("verify", archive.out, "--deep", "--redo")
    assert (told.returncode, "is another by now" in told.stdout) == (1, True)
    (archive.source / "away").replace(video)
    assert archive.verify("--redo")[0] == 0


def test_a_file_without_a_row_is_named_and_left_alone(archive: Archive) -> None:
    stray = archive.out / "features" / "stray.mp4.h5"
    shutil.copy(archive.out / "features" / "2.mp4.h5", stray)
    told = archive.vconsole("verify", archive.out, "--redo")
    assert told.returncode == 1
    assert "file without row: features/stray.mp4.h5" in told.stdout
    assert "adopts it" in told.stdout
    assert stray.exists()
    stray.unlink()


def test_a_redo_that_was_killed_can_be_gone_on_with(archive: Archive) -> None:
    for number in (2, 3, 5):
        flip(archive.out / "features" / f"{number}.mp4.h5")
    process = subprocess.Popen(
        [sys.executable, "-m", "vconsole", "verify", str(archive.out), "--deep", "--redo", "--json"],
        env={**os.environ, "VCONSOLE_STATE_DIR": str(archive.state)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    while '"running"' not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with LedgerReader.read_only(archive.state) as ledger:
        run = ledger.runs(limit=1)[0]
        assert run.is_redo
    done = archive.vconsole("resume")
    assert (done.returncode, f"run {run.run_id} done: 3 done of 3" in done.stdout) == (0, True), done.stdout
    assert archive.verify()[0] == 0


def test_outputs_of_several_runs_are_each_done_again_with_their_own_settings(tmp_path: Path) -> None:
    archive = Archive(tmp_path, videos=2)
    more = tmp_path / "more" / "9.mp4"
    more.parent.mkdir()
    shutil.copy(archive.source / "sub" / "1.mp4", more)
    uniform = ("--set", "frames.method=uniform", "--set", "frames.uniform_frames=4")
    assert archive.vconsole("extract", more, "--out", archive.out, *SETTINGS, *uniform).returncode == 0
    reports = {name: (archive.out / name).read_bytes() for name in ("manifest.jsonl.gz", "run.json")}
    shutil.rmtree(archive.original)
    shutil.copytree(archive.out, archive.original)
    flip(archive.out / "features" / "9.mp4.h5")
    flip(archive.out / "features" / "sub" / "1.mp4.h5")
    code, objects = archive.verify("--redo")
    assert (code, objects[-1]["findings"], objects[-1]["left"]) == (0, 2, 0)
    assert list(archive.broken({}, archive.looks())) == []
    assert {name: (archive.out / name).read_bytes() for name in reports} == reports
