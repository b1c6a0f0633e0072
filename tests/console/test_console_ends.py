"""The real console told to end in a real terminal, over a real run (case 3); torture/console_ends.py does so often."""

import signal
from pathlib import Path

import pytest
from console_program import LIMIT_S, Console, make_videos

from pipeline.model import JobState, RunState

VIDEOS = 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_first_picture_is_drawn_ends_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with Console(tmp_path / "home") as console:
        console.until(lambda: "1049" in console.screen.modes, "a screen of its own")
        console.process.send_signal(number)
        assert console.process.wait(LIMIT_S) == 130
        assert console.violations() == []


def test_a_closed_terminal_ends_a_console_that_nobody_tells_of_it(tmp_path: Path) -> None:
    heeded = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup; in a container nobody sends it
    try:
        console = Console(tmp_path / "home")
    finally:
        signal.signal(signal.SIGHUP, heeded)
    with console:
        console.wait_for("Nothing to do yet.")
        console.hang_up()
        assert console.process.wait(LIMIT_S) == 130


def test_a_closed_terminal_ends_the_run_and_the_next_console_goes_on_with_it(tmp_path: Path) -> None:
    videos = make_videos(tmp_path / "videos", VIDEOS, seconds=0.5)
    with Console(tmp_path / "home") as console:
        console.wait_for("Nothing to do yet.")
        console.start_run(videos)
        console.until(lambda: console.count(JobState.DONE) > 0, "a first video that is done")
        console.hang_up()
        assert console.process.wait(LIMIT_S) == 130
        assert console.violations() == []
        assert console.run_state() is RunState.INTERRUPTED
    with Console(tmp_path / "home") as console:
        console.wait_for("Resume run 1")
        console.press("r")
        console.wait_for("finished; outputs in")
        assert console.shows(f"✓ {VIDEOS} done")
        console.press("\x03")
        assert console.process.wait(LIMIT_S) == 0
        assert console.violations() == []
