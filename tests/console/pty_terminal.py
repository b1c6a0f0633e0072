"""A terminal that a test or a measurement holds: it times what a program writes, can stop reading, and hang up."""

import fcntl
import os
import select
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from terminal_screen import TerminalScreen

ROOT = Path(__file__).resolve().parents[2]
_LOOK_S = 0.05
"""How often the reader looks whether it is to end."""


class Terminal:
    """A program in a terminal of `columns` x `lines`; a thread reads what it writes, with the times."""

    def __init__(
        self, command: Sequence[str], columns: int, lines: int, *, state: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.columns, self.lines = columns, lines
        self.told, report = os.pipe()
        self._master, self._slave = os.openpty()
        termios.tcsetwinsize(self._slave, (lines, columns))
        self.settings_before = self.settings()
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "console")])
        said = ("VCONSOLE_", "COLUMNS", "LINES")
        quiet = {name: value for name, value in os.environ.items() if not name.startswith(said)}
        quiet |= {"PYTHONPATH": path, "TERM": "xterm-256color", "VCONSOLE_STATE_DIR": str(state)}
        self.begun_s = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, *command, *(("--report", str(report)) if "--child" in command else ())],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            pass_fds=(report,),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**quiet, **(env or {})},
        )
        os.close(report)
        self.chunks: list[tuple[float, bytes]] = []
        self.reads = threading.Event()
        """Whether the terminal reads; cleared, it is one that has stalled."""
        self.reads.set()
        self._over = threading.Event()
        self._reading = threading.Lock()
        self._screen, self._shown = TerminalScreen(columns, lines), 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def press(self, key: str) -> float:
        """Type a key and return when."""
        os.write(self._master, key.encode())
        return time.monotonic()

    def seen(self, text: str, *, since_s: float = 0.0, limit_s: float = 30.0) -> float | None:
        """Return when `text` was first written after `since_s`, or None after `limit_s`."""
        wanted, deadline = text.encode(), time.monotonic() + limit_s
        while time.monotonic() < deadline:
            tail = b""
            for at_s, data in self._since(since_s):
                if wanted in tail + data:
                    return at_s
                tail = data[-len(wanted) :]
            time.sleep(0.002)
        return None

    def settled(self, since_s: float, *, quiet_s: float = 0.1, limit_s: float = 10.0) -> float | None:
        """Return when the last byte of the answer to what was typed at `since_s` was written; None = no answer."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            last = self.chunks[-1][0] if self.chunks else 0.0
            if last > since_s and time.monotonic() - last > quiet_s:
                return last
            if last <= since_s and time.monotonic() - since_s > 2.0:
                return None
            time.sleep(0.002)
        return None

    def written(self, begin_s: float, end_s: float) -> int:
        """Return the bytes written between two moments."""
        return sum(len(data) for at_s, data in self._since(begin_s) if at_s <= end_s)

    @property
    def screen(self) -> TerminalScreen:
        """What the terminal shows now, and how it is set."""
        while self._shown < len(self.chunks):
            self._screen.feed(self.chunks[self._shown][1])
            self._shown += 1
        return self._screen

    def rows(self) -> list[str]:
        """Return the screen as a reader sees it."""
        return self.screen.rows()

    def settings(self) -> list[object]:
        """Return the settings of the line now, as `stty` shows them."""
        return list(termios.tcgetattr(self._slave))

    def rss_mb(self) -> float:
        """Return the resident memory of the program."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def cpu_s(self) -> float:
        """Return the seconds of a processor that the program has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def is_hung_up(self) -> bool:
        """Whether the terminal is closed."""
        return self._master < 0

    def hang_up(self) -> float:
        """Close the terminal, as a lost connection does, and return when; what is not read by then is lost."""
        self._over.set()
        self.reads.set()
        self._reader.join()
        at_s = time.monotonic()
        for descriptor in (self._master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)
        self._master = self._slave = -1
        return at_s

    def close(self) -> None:
        """End the program and the terminal."""
        with suppress(ProcessLookupError):
            self.process.terminate()
        self.reads.set()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.hang_up()
        os.close(self.told)

    def read_out(self) -> None:
        """Wait until all that an ended program wrote is read."""
        while True:
            with self._reading:
                if not select.select([self._master], [], [], 0)[0]:
                    return
            time.sleep(0.005)

    def _since(self, since_s: float) -> list[tuple[float, bytes]]:
        first = len(self.chunks)
        while first and self.chunks[first - 1][0] > since_s:
            first -= 1
        return self.chunks[first:]

    def _read(self) -> None:
        while self.reads.wait() and not self._over.is_set():
            if select.select([self._master], [], [], _LOOK_S)[0] and self.reads.is_set():
                with self._reading:
                    data = os.read(self._master, 65536)
                    self.chunks.append((time.monotonic(), data))


def until(reached: Callable[[], bool], limit_s: float, what: str) -> None:
    """Wait until a condition holds; AssertionError with `what` if it never does."""
    deadline = time.monotonic() + limit_s
    while not reached():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.02)
