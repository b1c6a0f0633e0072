"""The real `vconsole` in a terminal, for tests and measurements that use it as an operator does."""

import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import av
import psutil
from full_terminal import is_stuck
from pty_terminal import Terminal

from pipeline.engine.reader import LedgerReader
from pipeline.engine.store import LEDGER_NAME
from pipeline.errors import LedgerError
from pipeline.media.samples import Recipe, make_video
from pipeline.model import JobState, RunState

LIMIT_S = 60.0
"""How long a loaded machine may take for anything that is waited for."""
ALONE_S = 5.0
"""How long workers may outlive a console that was ended at once."""
DOWN = "\x1b[B"


class Console(Terminal):
    """The console over the state folder `folder/state`; a process that it started is known by its environment."""

    def __init__(
        self, folder: Path, size: tuple[int, int] = (100, 30), settings: Mapping[str, str] | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.state = folder / "state"
        self._mark = f"{os.getpid()}-{time.monotonic_ns()}"
        env = {"HOME": str(folder), "VCONSOLE_ENGINE__SETTLE_S": "0", "FAMILY_MARK": self._mark, **(settings or {})}
        super().__init__(["-m", "vconsole"], *size, state=self.state, env=env)

    def __enter__(self) -> "Console":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def shows(self, text: str) -> bool:
        """Whether a reader sees `text` in one line of the screen."""
        return any(text in row for row in self.rows())

    def wait_for(self, text: str, limit_s: float = LIMIT_S) -> None:
        """Wait until the screen shows `text`, while the program lives."""
        self.until(lambda: self.shows(text), text, limit_s)

    def type_and_see(self, keys: str, text: str) -> None:
        """Press keys and wait until the screen shows `text`, which it must not show before."""
        assert not self.shows(text), f"{text} is shown already\n{self.page()}"
        self.press(keys)
        self.wait_for(text)

    def type_and_miss(self, keys: str, text: str) -> None:
        """Press keys and wait until the screen shows `text` no longer."""
        assert self.shows(text), f"{text} is not shown\n{self.page()}"
        self.press(keys)
        self.until(lambda: not self.shows(text), f"the end of {text}")

    def until(self, reached: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
        """Wait until the screen is as wanted; a failure shows it as it is."""
        deadline = time.monotonic() + limit_s
        while not reached():
            code = self.process.poll()
            assert code is None or reached(), f"ended with {code} before {what}\n{self.page()}"
            assert time.monotonic() < deadline, f"never came: {what}\n{self.page()}"
            time.sleep(0.02)

    def page(self) -> str:
        """Return the screen as text."""
        return "\n".join(row.rstrip() for row in self.rows())

    def start_run(self, videos: Path) -> None:
        """Start an extraction without vectors over a folder, through the form."""
        self.type_and_see("a", "where are the videos?")
        self.type_and_see(f"\t\t{videos}", str(videos)[-20:])
        self.type_and_miss("\r", "nothing chosen yet")
        self.type_and_see("\t\t\t" + DOWN * 2, "without vectors")
        self.type_and_see("\x1b[15~", "F5 starts the run")
        self.type_and_see("\x1b[15~", "[1] queue")

    def run_state(self) -> RunState | None:
        """Return the state of the first run in the ledger."""
        try:
            with LedgerReader.read_only(self.state) as ledger:
                run = ledger.run(1)
        except LedgerError:
            return None
        return run.state if run else None

    def count(self, *states: JobState) -> int:
        """Return how many videos of the first run are in one of these states."""
        try:
            with LedgerReader.read_only(self.state) as ledger:
                return sum(number for state, number in ledger.counts(1).items() if state in states)
        except LedgerError:
            return 0

    def is_stuck(self) -> bool:
        """Whether nobody reads the terminal, and the program has written all that fits."""
        return is_stuck(self._master)

    def family(self) -> list[psutil.Process]:
        """Return every process that the program started, directly or not, and that lives."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("FAMILY_MARK") == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return [process for process in found if process.pid != self.process.pid]

    def violations(self) -> list[str]:
        """Return what is not as it must be once the program has ended, however it did."""
        _, left = psutil.wait_procs(self.family(), timeout=ALONE_S)
        found = [f"process {one.pid} outlives the console" for one in left]
        if not self.is_hung_up:
            self.read_out()
            found += [f"the terminal was left with {mode} set" for mode in self.screen.left_set()]
            found += ["the line is not set as before"] if self.settings() != self.settings_before else []
            found += [f"said: {self.page()}"] if "Traceback" in self.page() else []
        found += [f"sent to the terminal: {control}" for control in self.screen.strange]
        verdict = self._ledger_verdict()
        return found + ([f"the ledger is not sound: {verdict}"] if verdict != "ok" else [])

    def _ledger_verdict(self) -> str:
        path = self.state / LEDGER_NAME
        if not path.exists():
            return "ok"
        with closing(sqlite3.connect(path)) as connection:
            return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


def make_videos(folder: Path, count: int, seconds: float = 6.0, title: str = "") -> Path:
    """Write one video many times, each with a box at its end that no other has, so that each is extracted.

    `title` is their title tag.
    """
    looks = (("red", "circle"), ("blue", "square"), ("green", "star"))
    make_video(folder, Recipe("0.mp4", looks, width=640, height=480, seconds=seconds))
    if title:
        _entitle(folder / "0.mp4", title)
    whole = (folder / "0.mp4").read_bytes()
    for number in range(1, count):
        box = number.to_bytes(8, "big")
        (folder / f"{number:04}.mp4").write_bytes(whole + (8 + len(box)).to_bytes(4, "big") + b"free" + box)
    return folder


def _entitle(path: Path, title: str) -> None:
    """Give a video a title tag."""
    part = path.with_suffix(".part.mp4")
    with av.open(str(path)) as source, av.open(str(part), "w") as target:
        target.metadata["title"] = title
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    part.replace(path)
