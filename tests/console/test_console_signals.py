"""How the console ends when it is told to by a signal, also where its terminal no longer reads."""

import os
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from console_child import GRACE_S

HERE = Path(__file__).parent
SLACK_S = 30.0
"""What a loaded machine may add to the grace."""


class Child:
    """The console in a terminal that the test holds."""

    def __init__(self, *, hangs: bool = False, reads: bool = True, grace_s: float = GRACE_S) -> None:
        self.master, slave = os.openpty()
        termios.tcsetwinsize(slave, (45, 140))
        self.before = termios.tcgetattr(slave)
        self._slave = slave
        self.progress, told = os.pipe()
        path = os.pathsep.join([str(HERE), str(HERE.parents[1])])
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "console_child.py"), str(told), "hangs" if hangs else "closes", str(grace_s)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            pass_fds=(told,),
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": path, "TERM": "xterm-256color"},
        )
        os.close(told)
        self.seen = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        if reads:
            self._reader.start()
        self.wait_for(b"ppp")

    def wait_for(self, letters: bytes) -> None:
        """Read progress until these letters came one after another."""
        got = b""
        while letters not in got:
            piece = os.read(self.progress, 1)
            assert piece, "the console ended before"
            got += piece

    def wait_until_stuck(self) -> None:
        """Wait until the screen pulls no more."""
        while select.select([self.progress], [], [], 1.5)[0]:
            assert os.read(self.progress, 1000), "the console ended before"

    def ended(self) -> tuple[int, float]:
        """Wait for the end and return the exit code and how long it took."""
        start = time.monotonic()
        return self.process.wait(GRACE_S + SLACK_S), time.monotonic() - start

    def settings(self) -> list[object]:
        """Return the terminal's settings now."""
        return list(termios.tcgetattr(self._slave))

    def hang_up(self) -> None:
        """Close the terminal, as a lost connection does."""
        os.close(self._slave)
        os.close(self.master)
        self.master = self._slave = -1

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for fd in (self.master, self._slave, self.progress):
            if fd >= 0:
                os.close(fd)

    def _read(self) -> None:
        while True:
            try:
                self.seen += os.read(self.master, 65536)
            except OSError:
                return


@pytest.fixture
def children() -> Iterator[list[Child]]:
    made: list[Child] = []
    yield made
    for child in made:
        child.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_closes_the_engine_and_leaves_the_terminal_sane(children: list[Child], number: signal.Signals) -> None:
    children.append(child := Child())
    child.process.send_signal(number)
    child.wait_for(b"c")
    code, _ = child.ended()
    assert code == 130
    assert child.settings() == child.before
    assert b"\x1b[?1049l" in child.seen


def test_a_terminal_that_does_not_read_does_not_keep_the_console(children: list[Child]) -> None:
    children.append(child := Child(reads=False))
    child.wait_until_stuck()
    child.process.send_signal(signal.SIGTERM)
    child.wait_for(b"c")
    code, took = child.ended()
    assert code == 130
    assert took < GRACE_S + SLACK_S
    assert child.settings() == child.before


def test_an_engine_that_does_not_close_is_left_after_the_grace(children: list[Child]) -> None:
    children.append(child := Child(hangs=True))
    child.process.send_signal(signal.SIGTERM)
    code, took = child.ended()
    assert code == 130
    assert took >= GRACE_S - 0.5


def test_a_second_signal_ends_at_once(children: list[Child]) -> None:
    children.append(child := Child(hangs=True, grace_s=600.0))
    child.process.send_signal(signal.SIGTERM)
    child.wait_for(b"c")
    child.process.send_signal(signal.SIGTERM)
    code, _ = child.ended()
    assert code == 130


def test_a_terminal_that_is_gone_ends_the_console(children: list[Child]) -> None:
    children.append(child := Child(reads=False))
    child.hang_up()
    child.wait_for(b"c")
    code, _ = child.ended()
    assert code in {130, 1}
