"""A damaged ledger is refused with path and remedy, kept as it is, and what was done before is adopted (case 9)."""

import os
import random
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from engine_harness import FAKE_WORKER, Bench, settings
from ledger_damage import Kept, check_flip, files, flip, kill_midway, undamaged

from pipeline.engine import Engine
from pipeline.engine.ledger import Ledger
from pipeline.engine.reader import LedgerReader
from pipeline.engine.seal import SEAL_NAME
from pipeline.engine.store import LEDGER_NAME
from pipeline.errors import LedgerError
from pipeline.media.samples import Recipe, make_video
from pipeline.model import RunState
from pipeline.snapshot import Snapshot
from vconsole.cli import run as command_line

REAL_WORKER = (sys.executable, "-P", "-m", "pipeline.worker")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A run whose engine was killed with all its workers when some videos were done."""
    bench = Bench(tmp_path_factory.mktemp("killed"))
    kill_midway(bench)
    return bench


@pytest.fixture
def crashed(killed: Bench, tmp_path: Path) -> Path:
    """A copy of the state folder of that run."""
    return Path(shutil.copytree(killed.state, tmp_path / "crashed"))


def closed_well(bench: Bench) -> Path:
    """Run two inputs to the end; return the path of the ledger."""
    bench.video("a.mp4")
    bench.video("b.mp4")
    bench.run(settings())
    return bench.state / LEDGER_NAME


def test_every_byte_that_flips_in_a_closed_ledger_is_refused_and_left(tmp_path: Path) -> None:
    bench, chance = Bench(tmp_path), random.Random(9)
    path = closed_well(bench)
    whole = path.read_bytes()
    for _ in range(40):
        where = flip(path, chance)
        damaged = path.read_bytes()
        for door in (Ledger, LedgerReader.read_only):
            with pytest.raises(LedgerError, match=str(path)) as caught:
                door(bench.state)
            assert caught.value.remedy, where
        assert path.read_bytes() == damaged, where
        path.write_bytes(whole)
    assert bench.oracle()


def test_bytes_that_flip_in_a_ledger_whose_engine_was_killed_are_refused_or_do_no_harm(
    killed: Bench, tmp_path: Path
) -> None:
    chance, kept = random.Random(9), Kept(killed, tmp_path / "kept")
    calm = undamaged(killed)
    for _ in range(6):
        kept.restore()
        check_flip(killed, calm, chance)
    kept.restore()


@pytest.mark.parametrize("door", [Ledger, LedgerReader.read_only], ids=["engine", "reader"])
def test_a_log_that_was_removed_after_a_crash_is_missed(crashed: Path, door: Callable[[Path], object]) -> None:
    (crashed / f"{LEDGER_NAME}-wal").unlink()
    before = files(crashed)
    for _ in range(2):
        with pytest.raises(LedgerError, match="-wal, which held its newest rows, is gone") as caught:
            door(crashed)
        assert caught.value.remedy
        assert files(crashed) == before


def test_a_log_whose_ledger_was_emptied_or_removed_is_kept(crashed: Path) -> None:
    path = crashed / LEDGER_NAME
    for spoil in (lambda: path.write_bytes(b""), path.unlink):
        spoil()
        before = files(crashed)
        with pytest.raises(LedgerError, match="is empty or gone"):
            Ledger(crashed)
        assert files(crashed) == before


def test_what_reading_leaves_behind_is_no_damage(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    closed_well(bench)
    LedgerReader.read_only(bench.state).close()
    assert (bench.state / f"{LEDGER_NAME}-shm").exists(), "a reader leaves the log's index"
    (bench.state / f"{LEDGER_NAME}-wal").unlink()
    Ledger(bench.state).close()
    assert bench.oracle()


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "newer": (newer, "written by a newer vconsole"),
    "text": (lambda path: path.write_text("no database " * 999), "file is not a database"),
    "empty": (lambda path: path.write_bytes(b""), ""),
    "cut": (lambda path: os.truncate(path, path.stat().st_size // 2 // 4096 * 4096), "malformed|cannot be trusted"),
    "folder": (folder, "it is not a file"),
}


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "crashed"])
@pytest.mark.parametrize("spoil", SPOILED)
def test_every_command_says_why_it_will_not_take_a_spoiled_ledger_and_leaves_it(
    tmp_path: Path, spoil: str, sealed: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    path = closed_well(bench)
    damage, why = SPOILED[spoil]
    damage(path)
    if not sealed:
        (bench.state / SEAL_NAME).unlink()
    if spoil == "empty" and not sealed:
        Ledger(bench.state).close()
        return
    before = path.read_bytes() if path.is_file() else b""
    monkeypatch.setenv("VCONSOLE_STATE_DIR", str(bench.state))
    for command in (["runs"], ["resume"], ["verify", str(bench.out)], ["extract", str(bench.source)]):
        out = ["--out", str(tmp_path / "new"), "--preset", "scenes"] if command[0] == "extract" else []
        assert command_line([*command, *out]) == 2, command
        said = capsys.readouterr().err
        assert said.startswith("vconsole: The ledger") and str(path) in said and len(said.splitlines()) > 1, said
        if not sealed:
            assert_matches(why, said)
    assert (path.read_bytes() if path.is_file() else b"") == before


def assert_matches(why: str, said: str) -> None:
    assert any(part in said for part in why.split("|")), said


def test_a_state_folder_that_is_a_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(LedgerError, match=r"state folder .* cannot be used"):
        Ledger(tmp_path / "state")


def test_outputs_are_adopted_without_decoding_once_the_damaged_ledger_was_moved_aside(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for name, colour in (("a.mp4", "red"), ("b.mp4", "blue")):
        make_video(bench.source, Recipe(name, ((colour, "circle"),), 64, 48, 0.4))
    first = extracted(bench)
    made = {path: path.stat().st_mtime_ns for path in bench.out.rglob("*") if path.parts[-2] != "out"}
    path = bench.state / LEDGER_NAME
    flip(path, random.Random(1))
    with pytest.raises(LedgerError, match="cannot be trusted"):
        Ledger(bench.state)
    aside = tmp_path / "aside"
    aside.mkdir()
    for file in bench.state.glob("ledger.*"):
        shutil.move(file, aside)
    second = extracted(bench)
    assert first.run and second.run and (first.run.reused, second.run.reused) == (0, 2)
    assert {path: path.stat().st_mtime_ns for path in bench.out.rglob("*") if path.parts[-2] != "out"} == made
    assert bench.oracle()


def extracted(bench: Bench) -> Snapshot:
    """Run all inputs to the end with the real worker."""
    options = settings(workers=1)
    with bench.engine(options, REAL_WORKER) as driven:
        driven.engine.send(bench.start(options))
        return driven.until(lambda snapshot: snapshot.run and snapshot.run.state is RunState.DONE)


def test_a_row_that_is_damaged_ends_the_engine_and_not_the_scan_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    path = closed_well(bench)
    (bench.state / SEAL_NAME).unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE outputs SET stage_keys = '{'")
    options = settings()
    engine = Engine(options, state_dir=bench.state, worker_command=FAKE_WORKER)
    engine.start()
    try:
        engine.send(bench.start(options))
        end = time.monotonic() + 60
        while not (fatal := engine.latest().fatal):
            run = engine.latest().run
            assert not (run and run.state is RunState.DONE), "a run is never done whose inputs are not all known"
            assert time.monotonic() < end
            time.sleep(0.005)
    finally:
        engine.close()
    assert "a row is damaged" in fatal and str(path) in fatal and "aside" in fatal
    with LedgerReader.read_only(bench.state) as reader:
        assert reader.runs(limit=1)[0].state is not RunState.DONE


def test_an_engine_that_was_refused_holds_no_lock(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    path = closed_well(bench)
    whole = path.read_bytes()
    path.write_bytes(b"text" * 99)
    engine = Engine(settings(), state_dir=bench.state)
    with pytest.raises(LedgerError):
        engine.start()
    path.write_bytes(whole)
    assert bench.oracle()
