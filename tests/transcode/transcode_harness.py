"""Drives `vconsole transcode` as a process over media made here, and the oracle that must hold after every fault."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import psutil
from media_make import shots, write_video

from pipeline.engine.reader import LedgerReader
from pipeline.identity import sha256_of
from pipeline.model import TERMINAL, JobState

QUICK = ("--set", "engine.settle_s=0", "--set", "engine.retry_pause_s=0.05", "--speed", "ultrafast")
DEADLINE_S = 150.0


def make_library(folder: Path, count: int, frames: int = 150, size: tuple[int, int] = (640, 360)) -> None:
    """Write MPEG-4 videos of equal length and different content, half of them in a folder below."""
    for number in range(count):
        path = folder / ("sub" if number % 2 else ".") / f"video-{number:02}.mkv"
        path.parent.mkdir(parents=True, exist_ok=True)
        pictures = shots([frames // 2, frames - frames // 2], number, *size)
        write_video(path, pictures, codec="mpeg4", options={"b": "2M"})


def damage(folder: Path, whole: Path, chance: random.Random, *, copies: int = 4) -> None:
    """Write copies of a video that are cut at random places, and copies with random bits flipped."""
    data = whole.read_bytes()
    for number in range(copies):
        name = f"{whole.stem}-{number}{whole.suffix}"
        (folder / f"cut-{name}").write_bytes(data[: chance.randrange(1, len(data))])
        flipped = bytearray(data)
        for _ in range(chance.choice((1, 8, 64))):
            flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        (folder / f"flipped-{name}").write_bytes(flipped)


class Library:
    """Inputs, an output folder and a state folder, and the program over them."""

    def __init__(self, folder: Path) -> None:
        self.source, self.out, self.state = folder / "in", folder / "out", folder / "state"
        self.source.mkdir(parents=True, exist_ok=True)

    def start(self, *options: str) -> "subprocess.Popen[str]":
        """Start a transcode of all inputs."""
        return self.program("transcode", str(self.source), "--out", str(self.out), *QUICK, *options)

    def resume(self) -> "subprocess.Popen[str]":
        """Go on with what was interrupted."""
        return self.program("resume", "--set", "engine.settle_s=0")

    def program(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start the program over this state."""
        return subprocess.Popen(
            [sys.executable, "-m", "vconsole", *arguments, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "VCONSOLE_STATE_DIR": str(self.state)},
        )

    def run(self, *options: str) -> dict[str, Any]:
        """Transcode all inputs to the end and return the summary."""
        return ended(self.start(*options))

    def files(self) -> dict[str, dict[str, Any]]:
        """Return what the report says of each input."""
        report = json.loads((self.out / "transcode_report.json").read_text())
        return {entry["source"]: entry for entry in report["files"]}

    def counts(self) -> dict[str, int]:
        """Return the jobs of the last run by state."""
        with LedgerReader.read_only(self.state) as ledger:
            return {str(state): count for state, count in ledger.counts(ledger.runs(limit=1)[0].run_id).items()}

    def wins(self) -> Counter[str]:
        """Return how many attempts at each input came to a good end, in all runs; an adopted output counts none."""
        found: Counter[str] = Counter()
        with LedgerReader.read_only(self.state) as ledger:
            for run in ledger.runs():
                for job in ledger.jobs(run.run_id):
                    told = [one["outcome"] for one in ledger.attempts(job.job_id)]
                    found[os.fsdecode(job.relative)] += sum(one in {"done", "partial"} for one in told)
        return found

    def violations(self) -> list[str]:
        """Return what does not hold that must: whole outputs only, each as its row says, nothing left over."""
        found = [f"temporary file {path}" for path in self.out.rglob("*.part")]
        with LedgerReader.read_only(self.state) as ledger:
            jobs = list(ledger.jobs(ledger.runs(limit=1)[0].run_id))
        for job in jobs:
            if job.state not in TERMINAL:
                found.append(f"{job.relative!r} is {job.state}")
            if job.state in {JobState.DONE, JobState.PARTIAL}:
                path = self.out / job.result["output"]
                if not path.is_file() or sha256_of(os.fsencode(path)) != job.result["output_sha256"]:
                    found.append(f"{path} is not what was written")
        return found + [f"{path}: {why}" for path in videos(self.out) if (why := broken(path))]


def vconsole(library: Library, *arguments: str) -> dict[str, Any]:
    """Carry out a command over the state of a library and return its summary."""
    return ended(library.program(*arguments))


def ended(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Wait for the end of the program and return its summary."""
    out, error = process.communicate(timeout=DEADLINE_S)
    lines = out.splitlines()
    assert lines, error
    summary: dict[str, Any] = json.loads(lines[-1])
    assert summary["event"] == "summary", (summary, error)
    return summary


def videos(folder: Path) -> list[Path]:
    """Return the outputs below a folder."""
    return sorted(path for path in folder.rglob("*.m*") if path.suffix in {".mp4", ".mkv", ".mov"})


def broken(path: Path) -> str:
    """Return why a video does not decode to its end, empty if it does."""
    try:
        with av.open(str(path)) as container:
            frames = sum(1 for _ in container.decode(video=0))
    except av.error.FFmpegError as error:
        return str(error)
    return "" if frames else "no picture"


def kill_all(process: "subprocess.Popen[str]") -> None:
    """Kill the program and its workers in one breath, and see that none outlives it."""
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    for pid in (process.pid, *(child.pid for child in children)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()
    assert not psutil.wait_procs(children, timeout=30)[1], "workers outlive the program"


def kill_worker(process: "subprocess.Popen[str]", chance: random.Random) -> bool:
    """Kill one worker; return whether there was one."""
    try:
        children = psutil.Process(process.pid).children(recursive=True)
        found = [child for child in children if "pipeline.worker" in " ".join(child.cmdline())]
    except psutil.Error:
        return False
    if found:
        with suppress(ProcessLookupError):
            os.kill(chance.choice(found).pid, signal.SIGKILL)
    return bool(found)


def disturb(library: Library, kills: int, chance: random.Random, *, workers: bool = True, left_s: float = 1e9) -> int:
    """Carry a run to its end with `kills` kills at random moments; return how many fell."""
    end = time.monotonic() + left_s
    fallen = 0
    process = library.start("--workers", "2")
    while fallen < kills and time.monotonic() < end:
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.2, 1.6))
            break
        if workers and chance.random() < 0.5:
            fallen += kill_worker(process, chance)
            continue
        kill_all(process)
        fallen += 1
        whole = {path: why for path in videos(library.out) if (why := broken(path))}
        assert not whole, f"broken files under final names: {whole}"
        process = library.start("--workers", "2")
    ended(process)
    return fallen
