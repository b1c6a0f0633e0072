"""The real `vconsole extract`, told to end in every way and at every moment, and what must hold after it has."""

import contextlib
import fcntl
import os
import pty
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import psutil
from compare import differences

from pipeline.engine.reader import LedgerReader
from pipeline.errors import LedgerError
from pipeline.media.samples import Recipe, make_video
from pipeline.media.shapes import Combination, Look, draw
from pipeline.model import JobState, RunState

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "console"))

from full_terminal import is_stuck

DEADLINE_S = 60.0
GRACE_S = 5.0
"""`engine.grace_s` as it is by default."""
SLACK_S = 15.0
"""What a loaded machine may add."""
SETTINGS = ("--set", "engine.settle_s=0", "--preset", "scenes", "--workers", "1")
LONG = "2.mp4"
DULL = 1500
"""Files that are no videos, where the scan is to last."""


def make_inputs(folder: Path, *, dull: int = 0) -> Path:
    """Make a short video, a long one, and another short one; with `dull`, so many files that are no videos too."""
    for name, shape in (("1.mp4", ("red", "circle")), ("3.mp4", ("blue", "square"))):
        make_video(folder, Recipe(name, (shape,), width=160, height=120, seconds=0.8))
    with av.open(str(folder / LONG), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 960, 540, "yuv420p"
        picture = draw(Combination("green", "star"), Look(), width=960, height=540)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        for number in range(1200):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    for number in range(dull):
        (folder / f"dull-{number:05}.txt").write_text(f"{number}")
    return folder


class Program:
    """One `vconsole extract` under way, with its output in a pipe or on a terminal of its own."""

    def __init__(self, folder: Path, source: Path, *, terminal: bool = False, prefix: Iterable[str] = ()) -> None:
        self.out, self.state = folder / "out", folder / "state"
        self.terminal = -1
        command = [*prefix, sys.executable, "-m", "vconsole", "extract", str(source), "--out", str(self.out), *SETTINGS]
        env = {**os.environ, "VCONSOLE_STATE_DIR": str(self.state), "TERM": "xterm-256color"}
        if terminal:
            self.terminal, theirs = pty.openpty()
            streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        else:
            theirs = -1
            streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(
            command,
            env=env,
            start_new_session=True,
            preexec_fn=(lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) if terminal else None,
            **streams,  # type: ignore[call-overload]
        )
        self.family: set[psutil.Process] = set()
        if theirs >= 0:
            os.close(theirs)

    def until(self, holds: Callable[[], object], what: str) -> bool:
        """Wait until `holds`; return False if the program ended before."""
        end = time.monotonic() + DEADLINE_S
        while not holds():
            if self.process.poll() is not None:
                return False
            with contextlib.suppress(psutil.Error):
                self.family |= set(psutil.Process(self.process.pid).children(recursive=True))
            assert time.monotonic() < end, f"waited too long for {what}"
            time.sleep(0.003)
        with contextlib.suppress(psutil.Error):
            self.family |= set(psutil.Process(self.process.pid).children(recursive=True))
        return True

    def run_state(self) -> RunState | None:
        """Return the state of the run in the ledger."""
        try:
            with LedgerReader.read_only(self.state) as ledger:
                run = ledger.run(1)
        except LedgerError:
            return None
        return run.state if run else None

    def job_count(self) -> int:
        """Return how many jobs the ledger has."""
        try:
            with LedgerReader.read_only(self.state) as ledger:
                return sum(ledger.counts(1).values())
        except LedgerError:
            return 0

    def reads(self, path: Path) -> bool:
        """Whether one of its workers has a video open."""
        return any(str(path) in _open_files(child) for child in self.family)

    def is_stuck(self) -> bool:
        """Whether nobody reads its terminal, and it has written all that fits."""
        return is_stuck(self.terminal)

    def ended(self) -> tuple[int, str, float]:
        """Wait for the end; return exit code, what it said and how long it took."""
        begun = time.monotonic()
        told = self.process.communicate(timeout=DEADLINE_S)
        code, said = self.process.returncode, b"".join(one or b"" for one in told).decode()
        took_s = time.monotonic() - begun
        left = psutil.wait_procs(self.family, timeout=DEADLINE_S)[1]
        assert not left, f"processes outlive the program: {left}"
        return code, said, took_s

    def hang_up(self) -> None:
        """Close its terminal, as a lost connection does."""
        os.close(self.terminal)
        self.terminal = -1

    def close(self) -> None:
        """Leave nothing behind, whatever failed."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        if self.terminal >= 0:
            os.close(self.terminal)


def _open_files(child: psutil.Process) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{child.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(str(entry.readlink()))
    return found


MOMENTS: dict[str, Callable[[Program, Path], bool]] = {
    "start": lambda program, _: program.process.poll() is None,
    "scan": lambda program, _: program.job_count() > 0,
    "decode": lambda program, source: program.reads(source / LONG),
    "write": lambda program, _: any((program.out / "features").glob("*")),
    "reports": lambda program, _: any(program.out.glob("manifest*")),
}
"""The moments of a run that can be waited for."""


def charged(state: Path) -> dict[str, int]:
    """Return the attempts charged to each video that is not done."""
    with LedgerReader.read_only(state) as ledger:
        over = {JobState.DONE, JobState.SKIPPED}
        return {os.fsdecode(job.relative): job.attempts for job in ledger.jobs(1) if job.state not in over}


def resume(program: Program) -> str:
    """Go on with the run to its end, as its last line says; return what was said."""
    done = subprocess.run(
        [sys.executable, "-m", "vconsole", "resume"],
        env={**os.environ, "VCONSOLE_STATE_DIR": str(program.state)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S * 2,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def broken(program: Program, undisturbed: Path) -> list[str]:
    """Return what is not as it must be at the end of a run that was told to end on its way."""
    found = differences(undisturbed / "features", program.out / "features")
    found += [f"temporary file left: {path}" for path in program.out.rglob("*.part")]
    with LedgerReader.read_only(program.state) as ledger:
        for job in ledger.jobs(1):
            told = [one["outcome"] for one in ledger.attempts(job.job_id)]
            if job.state not in {JobState.DONE, JobState.SKIPPED} or (told and told[-1] != "done"):
                found.append(f"{job.relative!r} is {job.state} after {told}")
            if job.attempts > 1 or told.count("done") > 1:
                found.append(f"{job.relative!r} was charged {job.attempts} attempts: {told}")
            if set(told[:-1]) - {"given_back", "engine_died", "surroundings"}:
                found.append(f"{job.relative!r} was not given back: {told}")
        if ledger.runs(limit=1)[0].state is not RunState.DONE:
            found.append("the run is not done")
    return found


def tmpfs_prefix(out: Path) -> list[str]:
    """Return what makes a program run with a full volume as its output folder, in name spaces of its own."""
    shell = shutil.which("sh") or "sh"
    out.mkdir(parents=True, exist_ok=True)
    script = f"mount -t tmpfs -o size=64k none '{out}' && head -c 64k /dev/zero >'{out}/.full' 2>/dev/null; exec \"$@\""
    return ["unshare", "-rm", shell, "-c", script, "sh"]


def send(program: Program, number: signal.Signals, times: int = 1) -> None:
    """Send a signal to the program alone, `times` in a row."""
    for _ in range(times):
        with contextlib.suppress(ProcessLookupError):
            program.process.send_signal(number)
