"""A terminal as a measurement needs one: it counts and times what a program writes, and can stop reading."""

import os
import re
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_CONTROL = re.compile(r"\x1b\[([?>=]?)([\d;]*)[ $]?([@-~])|\x1b[@-Z\\^_=>]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


class Terminal:
    """A program in a terminal of `columns` x `lines`; a thread reads what it writes, with the times."""

    def __init__(self, command: Sequence[str], columns: int, lines: int, *, state: Path) -> None:
        self.columns, self.lines = columns, lines
        self.told, report = os.pipe()
        self._master, slave = os.openpty()
        termios.tcsetwinsize(slave, (lines, columns))
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "console")])
        quiet = {name: value for name, value in os.environ.items() if not name.startswith("VCONSOLE_")}
        self.begun_s = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, *command, *(("--report", str(report)) if "--child" in command else ())],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            pass_fds=(report,),
            start_new_session=True,
            env={**quiet, "PYTHONPATH": path, "TERM": "xterm-256color", "VCONSOLE_STATE_DIR": str(state)},
        )
        os.close(slave)
        os.close(report)
        self.chunks: list[tuple[float, bytes]] = []
        self.reads = threading.Event()
        """Whether the terminal reads; cleared, it is one that has stalled."""
        self.reads.set()
        threading.Thread(target=self._read, daemon=True).start()

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

    def rows(self) -> list[str]:
        """Return the screen as a reader sees it."""
        return picture(b"".join(data for _, data in self.chunks).decode("utf-8", "replace"), self.columns, self.lines)

    def rss_mb(self) -> float:
        """Return the resident memory of the program."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def cpu_s(self) -> float:
        """Return the seconds of a processor that the program has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End the program."""
        self.process.terminate()
        self.reads.set()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        os.close(self.told)

    def _since(self, since_s: float) -> list[tuple[float, bytes]]:
        first = len(self.chunks)
        while first and self.chunks[first - 1][0] > since_s:
            first -= 1
        return self.chunks[first:]

    def _read(self) -> None:
        while self.reads.wait():
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return
            self.chunks.append((time.monotonic(), data))


def picture(written: str, columns: int, lines: int) -> list[str]:
    """Return the rows that a terminal shows after `written`, of what Textual uses: moves, text, new lines, erasing."""
    screen = [[" "] * columns for _ in range(lines)]
    x = y = at = 0
    while at < len(written):
        control = _CONTROL.match(written, at)
        if control is not None:
            at = control.end()
            numbers = [int(number or 1) for number in (control[2] or "").split(";")]
            if control[3] == "H":
                y, x = numbers[0] - 1, (numbers[1] if len(numbers) > 1 else 1) - 1
            elif control[3] == "J":
                screen = [[" "] * columns for _ in range(lines)]
            continue
        letter, at = written[at], at + 1
        if letter == "\r":
            x = 0
        elif letter == "\n":
            x, y = 0, y + 1
        elif letter >= " " and 0 <= y < lines and 0 <= x < columns:
            screen[y][x] = letter
            x += 1
    return ["".join(row) for row in screen]


def until(reached: Callable[[], bool], limit_s: float, what: str) -> None:
    """Wait until a condition holds; SystemExit with `what` if it never does."""
    deadline = time.monotonic() + limit_s
    while not reached():
        if time.monotonic() > deadline:
            raise SystemExit(f"never came: {what}")
        time.sleep(0.02)
