"""The opening of the console: it is on the screen before its engine is there, and loses nothing that is typed."""

import os
import sys
import threading
from pathlib import Path

import pytest
from console_script import SMALL, ScriptedEngine, app_over, busy, picture, until

from pipeline.commands import Drain
from pipeline.engine import Engine
from pipeline.errors import LedgerError
from pipeline.settings import Settings
from vconsole.app import ConsoleApp
from vconsole.exits import Exit
from vconsole.house import Building, House
from vconsole.looks import looks

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from pty_terminal import Terminal


async def test_the_screen_is_there_before_the_engine_and_what_is_typed_waits_for_it() -> None:
    engine, may_build = ScriptedEngine(busy()), threading.Event()
    house = app_over(engine)._building.house
    assert house is not None

    def build() -> House:
        may_build.wait(20)
        return house

    app = ConsoleApp(Building(build), "", looks(None))
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: "Opening the ledger" in picture(app) and "[1] queue" in picture(app))
        await pilot.press("j", "d")
        assert engine.sent == []
        may_build.set()
        await until(pilot, lambda: "extract · standard" in picture(app))
        await until(pilot, lambda: engine.sent == [Drain()])


async def test_a_console_whose_house_cannot_be_built_leaves_with_the_reason() -> None:
    def build() -> House:
        raise LedgerError("the ledger is damaged")

    building = Building(build)
    app = ConsoleApp(building, "", looks(None))
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value == Exit.UNUSABLE
    assert str(building.failure) == "the ledger is damaged"


def opened(folder: Path, *arguments: str) -> Terminal:
    return Terminal(["-m", "vconsole", *arguments], *SMALL, state=folder / "state")


@pytest.mark.parametrize("told", [(0, 0), (100, 0)])
def test_a_terminal_that_tells_no_size_gets_the_usual_one_and_is_quiet(tmp_path: Path, told: tuple[int, int]) -> None:
    terminal = Terminal(["-m", "vconsole"], *told, state=tmp_path / "state")
    try:
        assert terminal.seen("No run yet")
        assert terminal.settled(terminal.press("?")), "it draws and draws"
    finally:
        terminal.close()


def test_a_second_console_says_who_holds_the_state_folder_and_gives_the_terminal_back(tmp_path: Path) -> None:
    engine = Engine(Settings(), state_dir=tmp_path / "state")
    engine.start()
    try:
        terminal = opened(tmp_path)
        assert terminal.process.wait(30) == Exit.UNUSABLE
        assert terminal.seen(f"process {os.getpid()}") is not None
    finally:
        engine.close(now=True)
    terminal.close()
    written = b"".join(data for _, data in terminal.chunks)
    assert written.index(b"\x1b[?1049h") < written.index(b"\x1b[?1049l") < written.index(b"vconsole: ")


def test_settings_that_cannot_be_are_told_on_the_terminal(tmp_path: Path) -> None:
    terminal = opened(tmp_path, "--set", "console.refresh_hz=fast")
    assert terminal.process.wait(30) == Exit.UNUSABLE
    assert terminal.seen("--set: console.refresh_hz = 'fast': must be") is not None
    terminal.close()


def test_ctrl_c_leaves_while_it_opens(tmp_path: Path) -> None:
    terminal = opened(tmp_path)
    assert terminal.seen("[1] queue") is not None
    terminal.press("\x03")
    assert terminal.process.wait(30) in (0, Exit.INTERRUPTED)
    terminal.close()
