"""The log: what goes into it, that it is bounded, and that nothing but the console reaches the screen."""

import logging
import os
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest
from console_script import SMALL, ScriptedEngine, app_over, busy, until

from pipeline.commands import Drain, StartRun
from pipeline.model import RunKind, RunState
from pipeline.settings import PipelineSettings, Settings
from pipeline.snapshot import Notice
from vconsole.log import LOGGER, Recorder, log_dir, logged

HERE = Path(__file__).parent


def read(folder: Path) -> str:
    return (folder / "vconsole.log").read_text()


def kept(folder: Path, **bounds: float) -> Settings:
    return Settings.model_validate({"log": {"dir": str(folder), **bounds}})


def test_the_log_is_in_the_platforms_folder_unless_a_setting_says_otherwise(tmp_path: Path) -> None:
    assert log_dir(Settings().log) == Path.home() / ".local" / "state" / "vconsole" / "log"
    assert log_dir(kept(tmp_path).log) == tmp_path


def test_what_is_asked_and_told_is_logged_once(tmp_path: Path) -> None:
    engine = ScriptedEngine(busy())
    with logged() as log:
        log.write_to(kept(tmp_path).log)
        recorder = Recorder(engine)
        recorder.latest()
        recorder.latest()
        engine.change(notices=(Notice(1.0, "error", "the host died:\x1b[2J"), *engine.snapshot.notices))
        recorder.latest()
        recorder.send(Drain())
        recorder.send(StartRun(RunKind.EXTRACT, (b"/in\xff",), b"/out", "quick", PipelineSettings()))
        recorder.close(now=True)
    text = read(tmp_path)
    assert engine.sent[0] == Drain()
    assert engine.closed == [True]
    for once in (
        "INFO vconsole: run 7 (extract, standard, /data/videos-features): running, 1 settling, 43 queued, ",
        "WARNING vconsole: 2019/holiday-in-the-alps.mp4: quarantined in probe, stalled: no progress for 60 s; ",
        "INFO vconsole: worker 1 was replaced after 500 videos",
        "ERROR vconsole: the host died:␛[2J",
        "INFO vconsole: asked: Drain()",
        "INFO vconsole: asked: StartRun(extract, quick, /in",
        "INFO vconsole: the engine closes at once",
    ):
        assert text.count(once) == 1, once


def test_the_log_is_bounded_in_files_bytes_and_lines(tmp_path: Path) -> None:
    with logged() as log:
        log.write_to(kept(tmp_path, file_mb=0.01, files=3).log)
        for number in range(3000):
            LOGGER.info("line %d", number)
        LOGGER.info("x" * 100_000 + "\n" * 10_000 + "end")
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["vconsole.log", "vconsole.log.1", "vconsole.log.2"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 3 * 10_000 + 1
    assert "line 2999" in "".join(path.read_text() for path in tmp_path.iterdir())


def test_a_log_that_cannot_be_written_is_told_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with logged() as log:
        log.write_to(kept(tmp_path / "file").log)
        LOGGER.warning("lost")
    assert log.problem.startswith(f"There is no log file, for {tmp_path / 'file' / 'vconsole.log'} cannot be written: ")


def test_a_full_disk_is_not_complained_of_on_the_screen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "vconsole.log").symlink_to("/dev/full")
    with logged() as log:
        log.write_to(kept(tmp_path).log)
        LOGGER.warning("lost")
    assert capfd.readouterr() == ("", "")
    assert logging.raiseExceptions


async def test_the_console_logs_that_it_is_open_and_what_was_wrong_with_a_theme(tmp_path: Path) -> None:
    with logged() as log:
        log.write_to(kept(tmp_path).log)
        app = app_over(Recorder(ScriptedEngine(busy())), theme="nosuch")
        async with app.run_test(size=SMALL) as pilot:
            await until(pilot, lambda: app.monitor.snapshot.run is not None)
            await pilot.press("d")
            print("PRINTED")
            await pilot.pause()
    text = read(tmp_path)
    assert "the console is open: 80 x 24, theme vconsole-dark" in text
    assert "There is no theme nosuch" in text
    assert "asked: Drain()" in text
    assert "printed: PRINTED" in text
    assert RunState.RUNNING in text


def test_nothing_is_printed_over_the_screen(tmp_path: Path) -> None:
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (45, 140))
    seen = bytearray()

    def listen() -> None:
        while True:
            try:
                seen.extend(os.read(master, 65536))
            except OSError:
                return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    path = os.pathsep.join([str(HERE), str(HERE.parents[1])])
    own = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    environ = {**own, "PYTHONPATH": path, "TERM": "xterm-256color"}
    child = [sys.executable, str(HERE / "log_child.py"), str(tmp_path)]
    with subprocess.Popen(
        child, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=environ
    ) as process:
        assert process.wait(60) == 0
    os.close(slave)
    listener.join(10)
    os.close(master)
    assert b"THE-TERMINAL-IS-BACK" in seen
    text = read(tmp_path)
    assert "the console is open: 140 x 45" in text, "the size is still that of the terminal"
    for word in ("NATIVE-OUT", "NATIVE-\\xff-ERR␛[2J", "NATIVE-END", "PRINTED-OUT", "PRINTED-ERR", "WARNED", "LOGGED"):
        assert word in text, word
        assert word.encode() not in seen, word
    assert b"-ERR" not in seen
