"""Case 3 for the console: in a terminal of its own, over a real run, it is told to end in every way at random moments.

    python tests/torture/console_ends.py [--seconds 1800] [--seed N] [--times 50] [--ways hang-up closed]

Ways: SIGHUP, SIGTERM, Ctrl+C answered with "now", Ctrl+C twice, and the terminal closed, `--times` each. Moments: while
it starts, while it works, and while it stops already. Each time it must end within its grace and 2 s with the right
code, leave no process and a terminal as it was, send no control that a file name holds, and leave a sound ledger whose
run the next console goes on with. A run that is nearly over is resumed headless, and must give what an undisturbed run
gives.
"""

import argparse
import contextlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from form import begin

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "console"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

from compare import differences
from console_program import Console, make_videos
from pty_terminal import until
from signals_harness import charged

from pipeline.engine.reader import LedgerReader
from pipeline.model import TERMINAL, JobState, RunState

GRACE_S = 5.0
"""`engine.grace_s` as it is by default."""
SLACK_S = 2.0
WAYS = ("hang-up", "terminate", "ctrl+c now", "ctrl+c twice", "closed")
SIGNALS = {"hang-up": signal.SIGHUP, "terminate": signal.SIGTERM}
LAST = {"ctrl+c now": signal.SIGINT, "ctrl+c twice": signal.SIGINT, "closed": signal.SIGHUP, **SIGNALS}
"""The signal that each way is to a program that does not heed it: before it draws, and once it has left."""
MOMENTS = {"start": 0.25, "work": 0.5, "stop": 0.25}
"""The moments, and how often each."""
HOSTILE = ("[red]\x1b[2J.mp4", "bell\x07\x9b31m.mp4", "left\u202etxt.mp4", "two\nlines.mp4")
VIDEOS, LEFT = 160, 40
"""Videos of a run, and how few may be left before another is begun."""
LIMIT_S = 90.0
QUESTION = "How do you want to leave?"


@dataclass
class Trial:
    """One console that is told to end."""

    console: Console
    way: str
    moment: str
    chance: random.Random
    told: str = ""
    begun: bool = False
    """Whether there was a run in the ledger before."""
    entered: bool = False
    """Whether it had drawn anything."""
    hard: bool = False
    """Whether it was told twice, so that it may leave the run as it was."""
    codes: set[int] = field(default_factory=set)
    at_s: float = 0.0

    def reach(self, videos: Path) -> None:
        """Come to the moment."""
        console, chance = self.console, self.chance
        if self.moment == "start":
            if chance.random() < 0.5:
                until(lambda: "1049" in console.screen.modes, LIMIT_S, "the first picture")
                self.told += "drawn, "
            self._pause(chance.uniform(0, 0.8))
            return
        if self.begun:
            console.wait_for("Resume run 1")
            console.press("r")
        else:
            console.wait_for("new run: folder")
            console.start_run(videos)
        until(lambda: console.run_state() is RunState.RUNNING, LIMIT_S, "a run that runs")
        self._pause(chance.choice((0.0, chance.uniform(0, 0.5), chance.uniform(0, 4))))
        if self.moment == "stop" and console.process.poll() is None:
            self.hard = chance.random() < 0.5
            if self.hard:
                console.process.send_signal(signal.SIGTERM)
            else:
                self._ask()
                console.press("n")
            self.told += "SIGTERM, " if self.hard else "leaves now, "
            self._pause(chance.choice((0.0, chance.uniform(0, 0.1), chance.uniform(0, 0.6))))

    def end(self) -> None:
        """Tell the console to end."""
        console = self.console
        self.entered = "1049" in console.screen.modes
        self.codes = {130} if self.way in {*SIGNALS, "closed"} else {0}
        if self.moment == "stop":
            self.codes |= {0, 130, -LAST[self.way]}  # the last: it had ended but for its exit
            self.hard = True
        if self.moment == "start":
            self.codes |= {130}  # before there is an engine, Ctrl+C asks nothing, and a second one may meet the exit
            self.codes |= {-signal.SIGINT} if self.way == "ctrl+c twice" else set()
        if not self.entered:
            self.codes |= {
                1,
                2,
                130,
                -LAST[self.way],
            }  # the interpreter's own, where our first line was not yet reached
        with contextlib.suppress(ProcessLookupError):
            if self.way in SIGNALS:
                self.at_s = time.monotonic()
                console.process.send_signal(SIGNALS[self.way])
            elif self.way == "closed":
                self.at_s = console.hang_up()
            else:
                self._ask()
                if self.way == "ctrl+c twice":
                    self._pause(self.chance.uniform(0, 0.3))
                self.at_s = console.press("\x03" if self.way == "ctrl+c twice" else "n")

    def _pause(self, seconds: float) -> None:
        self.told += f"{seconds:.2f} s, "
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.console.process.wait(seconds)

    def _ask(self) -> None:
        """Type Ctrl+C; where a run is under way, wait for the question."""
        self.at_s = self.console.press("\x03")
        if self.moment == "work" or (self.moment == "stop" and not self.hard):
            over = self.console.process.poll
            try:
                until(lambda: self.console.shows(QUESTION) or over() is not None, GRACE_S + SLACK_S, "the question")
            except AssertionError as error:
                raise AssertionError(f"{error}:\n{self.console.page()}") from None

    def wrong(self) -> list[str]:
        """Wait for the end and return what is not as it must be."""
        console = self.console
        try:
            console.process.wait(max(0.0, self.at_s + GRACE_S + SLACK_S - time.monotonic()))
        except subprocess.TimeoutExpired:
            return [f"did not end within {GRACE_S + SLACK_S} s:\n{console.page()}"]
        code, took_s = console.process.returncode, time.monotonic() - self.at_s
        self.told += f"{took_s:.2f} s to {code}"
        found = [] if code in self.codes else [f"exit code {code}, not of {self.codes}:\n{console.page()}"]
        if not self.entered and self.way.startswith("ctrl+c"):
            return found + self._ledger()  # what Python says of a Ctrl+C while it starts is its own
        return found + console.violations() + self._ledger()

    def _ledger(self) -> list[str]:
        console, found = self.console, []
        state = console.run_state()
        if self.moment != "start" and not self.hard:
            if state is not RunState.INTERRUPTED:
                found.append(f"the run is {state}")
            found += [f"charged: {name}" for name, attempts in charged(console.state).items() if attempts]
        if self.begun and state is None:
            found.append("the run is gone")
        return found


class Runs:
    """The runs that are disturbed, one after another, over the same videos."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.videos = make_videos(folder / "in", VIDEOS, seconds=1.0)
        for number, name in enumerate(HOSTILE):
            (self.videos / f"{number + 1:04}.mp4").rename(self.videos / name)
        self._calm = folder / "calm"
        subprocess.run(
            [*_PROGRAM, "extract", str(self.videos), "--out", str(self._calm), "--preset", "scenes"],
            env=self._env(folder / "calm-state"),
            check=True,
            capture_output=True,
        )
        self.number, self.done = 0, 0
        self._fresh()

    @property
    def at(self) -> Path:
        """The folder of the run that is disturbed now."""
        return self.folder / str(self.number)

    def _env(self, state: Path) -> dict[str, str]:
        return {**os.environ, "VCONSOLE_STATE_DIR": str(state), "VCONSOLE_ENGINE__SETTLE_S": "0"}

    def _fresh(self) -> None:
        self.number += 1
        self.at.mkdir()
        (self.at / "in").symlink_to(self.videos)

    def step(self, *, last: bool = False) -> list[str]:
        """Resume and judge the run if few of its videos are left or it is the last; return what is wrong."""
        state = self.at / "state"
        with contextlib.suppress(Exception), LedgerReader.read_only(state) as ledger:
            counts = ledger.counts(1)
            left = sum(number for one, number in counts.items() if one not in TERMINAL)
            if not counts or (left > LEFT and not last):  # the first console may have ended before there was a run
                return []
            return self._resumed(state)
        return []

    def _resumed(self, state: Path) -> list[str]:
        said = subprocess.run(
            [*_PROGRAM, "resume"], env=self._env(state), capture_output=True, text=True, check=False, timeout=600
        )
        out = self.at / "in-features"
        found = [] if said.returncode == 0 else [f"resume ended with {said.returncode}: {said.stdout}{said.stderr}"]
        found += differences(self._calm / "features", out / "features")
        found += [f"temporary file left: {path}" for path in out.rglob("*.part")]
        with LedgerReader.read_only(state) as ledger:
            counts = ledger.counts(1)
            attempts = Counter(one["outcome"] for job in ledger.jobs(1) for one in ledger.attempts(job.job_id))
        if counts != {JobState.DONE: VIDEOS}:
            found.append(f"not all is done: {counts}")
        if set(attempts) - {"done", "given_back", "engine_died"} or attempts["done"] != VIDEOS:
            found.append(f"attempts ended as {dict(attempts)}")
        self.done += 1
        if not found:
            shutil.rmtree(self.at)
        self._fresh()
        return found


_PROGRAM = (sys.executable, "-m", "vconsole")


def main() -> None:
    """Do trials until they, or the time, are over."""

    def options(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--times", type=int, default=50, help="how often each way")
        parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=WAYS)

    form = begin(__doc__, seconds=1800, add=options)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)  # what is ignored here, as in the background, the console would ignore
    tally: Counter[str] = Counter()
    violations: list[str] = []
    slowest_s = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["HOME"] = temporary
        runs = Runs(Path(temporary))
        for way in itertools.islice(itertools.cycle(form.options.ways), form.options.times * len(form.options.ways)):
            if form.left_s <= 0 or len(violations) > 20:
                break
            moment = form.chance.choices(list(MOMENTS), list(MOMENTS.values()))[0]
            size = form.chance.choice(((80, 24), (140, 45)))
            console = Console(runs.at, size)
            trial = Trial(console, way, moment, form.chance, begun=console.run_state() is not None)
            began_s = time.monotonic()
            try:
                trial.reach(runs.at / "in")
                trial.end()
                wrong = trial.wrong()
            except AssertionError as error:
                wrong = [str(error)]
            finally:
                console.close()
            slowest_s = max(slowest_s, time.monotonic() - began_s)
            wrong += runs.step()
            tally[f"{way}, {moment}"] += 1
            violations += [f"{way} at {moment} ({trial.told}): {text}" for text in wrong]
            form.say(way=way, moment=moment, told=trial.told, left_s=round(form.left_s), wrong=wrong)
        violations += runs.step(last=True)
        form.end(violations, ended=sum(tally.values()), of=dict(sorted(tally.items())), runs_resumed=runs.done)


if __name__ == "__main__":
    main()
