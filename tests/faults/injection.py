"""Runs whose calls that persist something are killed or refused one by one under strace, and the oracle after each."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psutil
from compare import differences
from engine_harness import Bench

from pipeline.engine.ledger import Ledger
from pipeline.engine.store import LEDGER_NAME
from pipeline.media.samples import Recipe, make_video
from pipeline.model import JobState
from pipeline.outputs.features import check_features
from pipeline.outputs.paths import PART, REPORTS, features_path, frames_folder, part_path

HERE = Path(__file__).resolve().parent
PROGRAM = HERE.parent / "engine" / "engine_process.py"
WORKER = HERE / "traced_worker.py"
DEADLINE_S = 120.0
CALLS = ("openat", "mkdir", "write", "pwrite64", "ftruncate", "fsync", "fdatasync", "close", "rename", "unlink")
CALLS += ("unlinkat", "rmdir")
MIDWAY = (13, 14, 12, 13, 14)
"""The flushes of the ledger at one of which one video is done and the other runs: what shares a commit varies."""
MANY = 6
"""So many refusals and the engine is still at it: it is held up until they end."""
NAMED = frozenset({"openat", "mkdir", "rename", "unlink", "unlinkat", "rmdir"})
"""Calls that name a file: these can be refused for want of permission."""
VICTIMS = ("ledger", "reports", "worker")
RECIPES = (
    Recipe("a.mp4", (("red", "circle"), ("blue", "square")), 96, 72, 0.6),
    Recipe("b.mp4", (("green", "star"), ("pink", "ring")), 96, 72, 0.6),
)
OPTIONS = {
    "engine": {
        "workers": 1,
        "settle_s": 0,
        "retry_pause_s": 0.02,
        "retry_pause_max_s": 0.1,
        "nice": 0,
        "snapshot_hz": 30,
    },
    "embed": {"enabled": False},
    "frames": {"save": "jpeg"},
}
_LINE = re.compile(r"^(\d+) +(\w+)\((.*)$")


@dataclass(frozen=True, order=True)
class Point:
    """One fault: what is done to the `number`th call of a kind that a thread of the victim makes on its own files.

    strace counts the calls of each thread apart. `lasting` is how many calls in a row are hit.
    """

    victim: str
    recovering: bool
    call: str
    number: int
    fault: str
    lasting: int = 1

    def __str__(self) -> str:
        when = " while recovering" if self.recovering else ""
        return f"{self.fault} x {self.lasting} at {self.call} {self.number} of the {self.victim}{when}"

    @property
    def injection(self) -> str:
        """What strace is told."""
        what = "signal=SIGKILL" if self.fault == "SIGKILL" else f"error={self.fault}"
        return f"inject={self.call}:{what}:when={self.number}..{self.number + self.lasting - 1}"


@dataclass(frozen=True)
class Ended:
    """How an engine ended."""

    code: int
    said: str
    trace: str

    @property
    def hit(self) -> bool:
        """Whether the fault fell: a call that a signal ended has no result."""
        return "(INJECTED)" in self.trace or "= ?" in self.trace


class ViolationError(AssertionError):
    """Something did not hold that must."""


class Site:
    """A folder in which one run after another is disturbed, and made good, from the same beginning."""

    def __init__(self, folder: Path, calm: "Site | None" = None) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.bench = Bench(folder)
        for recipe in RECIPES:
            if calm is None:
                make_video(self.bench.source, recipe)
            else:
                shutil.copy2(calm.bench.source / recipe.name, self.bench.source)
        self._calm = calm
        self._mark = uuid.uuid4().hex
        self._killed = folder / "killed"

    def paths(self, victim: str) -> list[str]:
        """Return the files and folders that a victim persists things in."""
        state, out = self.bench.state, os.fsencode(self.bench.out)
        if victim == "ledger":
            names = [LEDGER_NAME, *(f"{LEDGER_NAME}-{end}" for end in ("wal", "shm", "journal")), "ledger.seal", "lock"]
            return [str(state), *(str(state / name) for name in names)]
        if victim == "reports":
            finals = [os.path.join(out, name) for name in REPORTS]
            return list(map(os.fsdecode, [out, *finals, *map(part_path, [*finals, os.path.join(out, b"room")])]))
        found = [out, os.path.join(out, b"features"), os.path.join(out, b"frames")]
        for recipe in RECIPES:
            name = recipe.name.encode()
            features, frames = features_path(out, name), frames_folder(out, name)
            part = part_path(frames)
            pictures = [os.path.join(part, picture) for picture in self._pictures(recipe.name)]
            found += [features, part_path(features), frames, part, part_path(frames + b"~"), *pictures]
        return list(map(os.fsdecode, found[1:]))

    def _pictures(self, name: str) -> list[bytes]:
        calm = self._calm or self
        folder = calm.bench.out / "frames" / name
        return [os.fsencode(path.name) for path in sorted(folder.iterdir())] if folder.is_dir() else []

    def engine(self, victim: str = "", orders: Sequence[str] = ()) -> Ended:
        """Carry the run as far as one engine takes it, with the victim's calls traced and `orders` given to strace."""
        trace, once = self.folder / "trace", self.folder / "once"
        trace.unlink(missing_ok=True)
        shutil.rmtree(once, ignore_errors=True)
        command = [sys.executable, str(PROGRAM), str(self.bench.state), json.dumps(OPTIONS), str(self.bench.out)]
        command += [str(self.bench.source), "--worker", str(WORKER)]
        quiet = ["-e", "quiet=attach,path-resolution,personality,thread-execve", "-e", "signal=none"]
        strace = [
            "strace",
            "-D",
            "-f",
            *quiet,
            "-o",
            str(trace),
            *(f"--trace-path={one}" for one in self.paths(victim)),
        ]
        strace += ["-e", f"trace={','.join(CALLS)}", *(word for order in orders for word in ("-e", order))]
        if not any("signal=SIGKILL" in order for order in orders):
            strace.append("--seccomp-bpf")  # far quicker, but strace 6.1 injects no signal then
        if victim != "worker":
            once.mkdir()
            command = [*strace, *command] if victim else command
        environment = dict(os.environ, INJECTION_SITE=self._mark)
        environment["TRACE_WORKER"] = json.dumps({"once": str(once), "command": strace})
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        ) as one:
            said = self._await(one, trace)
        self._none_is_left()
        return Ended(one.returncode, said, _text(trace))

    def _await(self, engine: "subprocess.Popen[str]", trace: Path) -> str:
        """Wait for the end of an engine and return what it said.

        A report is tried again in a new thread, whose calls strace counts from one: such an engine is killed.
        """
        end, said = time.monotonic() + DEADLINE_S, ""
        while True:
            try:
                return said + engine.communicate(timeout=0.5)[0]
            except subprocess.TimeoutExpired as error:
                late = time.monotonic() > end
                if late or _text(trace).count("(INJECTED)") > MANY:
                    self.end_all()
                    said = engine.communicate()[0]
                if late or (said and "paused: " not in said):
                    raise ViolationError(f"the engine hangs: {said[-1000:]}") from error

    def mine(self) -> list[psutil.Process]:
        """Return the processes that an engine of this site started and that live."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("INJECTION_SITE") == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def end_all(self) -> None:
        """Kill what is left of this site."""
        for process in self.mine():
            process.kill()

    def _none_is_left(self) -> None:
        end = time.monotonic() + 30
        while left := self.mine():
            if time.monotonic() > end:
                self.end_all()
                raise ViolationError(f"processes outlive the engine: {left}")
            time.sleep(0.02)

    def begin_anew(self, *, killed: bool) -> None:
        """Take the folders back to the beginning: empty, or as a killed engine left them."""
        for folder in (self.bench.state, self.bench.out):
            shutil.rmtree(folder, ignore_errors=True)
            if killed:
                shutil.copytree(self._killed / folder.name, folder)

    def keep_killed(self) -> None:
        """Kill an engine when one video is done and the other runs, and keep the folders as they are then."""
        for number in MIDWAY:
            self.begin_anew(killed=False)
            ended = self.engine("ledger", [Point("ledger", False, "fdatasync", number, "SIGKILL").injection])
            assert ended.code == -9, ended
            shutil.rmtree(self._killed, ignore_errors=True)
            for folder in (self.bench.state, self.bench.out):
                shutil.copytree(folder, self._killed / folder.name)
            if self._counts() == {JobState.DONE: 1, JobState.RUNNING: 1}:
                return
        raise AssertionError("no engine was killed in the midst of its run")

    def record(self, victim: str, *, recovering: bool) -> Counter[str]:
        """Return how many calls of each kind the busiest thread of the victim makes in an undisturbed run."""
        self.begin_anew(killed=recovering)
        ended = self.engine(victim)
        assert ended.code == 0, ended
        seen: dict[str, Counter[str]] = {}
        for line in ended.trace.splitlines():
            if found := _LINE.match(line):
                seen.setdefault(found[1], Counter())[found[2]] += 1
        most: Counter[str] = Counter()
        for calls in seen.values():
            most |= calls
        return most

    def check(self, point: Point) -> bool:
        """Disturb a run at one point and make it good; return whether the fault fell. Raises ViolationError."""
        self.begin_anew(killed=point.recovering)
        ended = self.engine(point.victim, [point.injection])
        self._is_told(ended, point)
        self._nothing_is_half()
        whole = ended.code == 0 and self._counts() == {JobState.DONE: len(RECIPES)}
        if not whole:
            again = self.engine()
            if again.code:
                raise ViolationError(f"does not go on: {again.code} {again.said[-1500:]} after {ended.said[-500:]}")
        self._results_are_those_of_the_calm_run(point)
        return ended.hit

    def _is_told(self, ended: Ended, point: Point) -> None:
        killed = point.fault == "SIGKILL" and point.victim != "worker"
        if "Traceback" in ended.said or "never retrieved" in ended.said:
            raise ViolationError(f"a traceback: {ended.said[-3000:]}")
        if ended.code == 0 or (ended.code == -9 and (killed or "paused: " in ended.said)):
            return
        if ended.code != 1 or len(ended.said.strip().splitlines()[-1]) < 20:
            raise ViolationError(f"ends without a sentence: {ended.code} {ended.said[-1500:]}")

    def _nothing_is_half(self) -> None:
        """Whatever has its final name is whole."""
        for path in (self.bench.out / "features").rglob("*.h5"):
            if wrong := check_features(os.fsencode(path)):
                raise ViolationError(f"{path.name} is half: {wrong}")
        for recipe in RECIPES:
            folder = self.bench.out / "frames" / recipe.name
            if folder.is_dir() and self._bytes(folder) != self.calm_pictures[recipe.name]:
                raise ViolationError(f"the pictures of {recipe.name} are not all there")

    def _counts(self) -> dict[JobState, int]:
        with closing(Ledger(self.bench.state)) as ledger:
            return ledger.counts(ledger.runs(limit=1)[0].run_id)

    def _results_are_those_of_the_calm_run(self, point: Point) -> None:
        assert self._calm
        try:
            counts = self.bench.oracle()
        except AssertionError as error:
            raise ViolationError(f"oracle: {error}") from error
        if counts != {JobState.DONE: len(RECIPES)}:
            raise ViolationError(f"lost: {counts}")
        if found := differences(self._calm.bench.out / "features", self.bench.out / "features"):
            raise ViolationError(f"other results: {found[:5]}")
        self._nothing_is_half()
        if set(self._bytes(self.bench.out / "frames")) != set(self._bytes(self._calm.bench.out / "frames")):
            raise ViolationError("other pictures")
        if left := [path for path in self.bench.state.rglob("*") if PART.fullmatch(os.fsencode(path.name))]:
            raise ViolationError(f"temporary files left: {left}")
        if point.fault == "SIGKILL" and (charged := self._attempts()) != {1}:
            raise ViolationError(f"a kill was charged to a video: {charged}")

    def _attempts(self) -> set[int]:
        with closing(Ledger(self.bench.state)) as ledger:
            return {job.attempts for run in ledger.runs() for job in ledger.jobs(run.run_id) if not job.reused}

    def endings(self) -> list[list[tuple[str, str]]]:
        """Return outcome and failure of every attempt at each video, in order."""
        with closing(Ledger(self.bench.state)) as ledger:
            jobs = [job.job_id for run in reversed(ledger.runs()) for job in ledger.jobs(run.run_id)]
            return [[(one["outcome"], one["failure"] or "") for one in ledger.attempts(job)] for job in jobs]

    @cached_property
    def calm_pictures(self) -> dict[str, dict[str, bytes]]:
        """The pictures of each video as the calm run saved them."""
        assert self._calm
        frames = self._calm.bench.out / "frames"
        return {recipe.name: self._bytes(frames / recipe.name) for recipe in RECIPES}

    @staticmethod
    def _bytes(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def calm_site(folder: Path) -> Site:
    """Return the site of an undisturbed run that has ended."""
    site = Site(folder)
    ended = site.engine()
    assert ended.code == 0, ended
    return site


def points(victim: str, calls: Counter[str], *, recovering: bool) -> Iterator[Point]:
    """Yield every fault that a victim can meet: at each call of each kind, once and for a while."""
    for call, count in sorted(calls.items()):
        faults = ["EIO"] if call == "close" else ["SIGKILL", "EIO", "ENOSPC", *(["EACCES"] if call in NAMED else [])]
        for number in range(1, count + 1):
            yield from (Point(victim, recovering, call, number, fault) for fault in faults)
            if number % 4 == 1 and call != "close":
                yield from (Point(victim, recovering, call, number, fault, 3) for fault in ("EIO", "ENOSPC"))


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
