"""Word of runs that are carried out beside an engine, which alone writes the ledger: it takes them in when they end.

Who carries one out holds its file locked: one that is not locked is over, however it ended. The first line of a file
tells the run; a line for each job and a last one follow once it has ended.
"""

import asyncio
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.commands import StartRun
from pipeline.engine.apart import Ended
from pipeline.engine.core import Core
from pipeline.engine.ledger import OPEN_RUNS, Ledger, recorded
from pipeline.engine.records import NewJob, RunRecord
from pipeline.engine.redo import settings_of
from pipeline.engine.threads import in_thread
from pipeline.errors import EngineRunningError
from pipeline.model import FailureClass, JobState, RunKind, RunState
from pipeline.snapshot import RunSummary

FOLDER = "beside"
"""Where in the state folder word is left."""
ENDING = ".jsonl"
LOOK_S = 3.0
"""Seconds between two looks for word."""


@dataclass(frozen=True, slots=True)
class Word:
    """One run that is over."""

    path: Path
    command: StartRun
    run_id: int
    """The run that was gone on with, 0 = an interrupted one that asked for the same, or a new one."""
    began_s: float
    ended_s: float
    state: RunState
    jobs: tuple[NewJob, ...]


@contextmanager
def leaving_word(state_dir: Path, command: StartRun, run_id: int = 0) -> Iterator[Ended]:
    """Leave word of a run that is carried out in this block; one that does not tell its end is interrupted.

    Raises OSError.
    """
    folder = state_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{time.time_ns()}-{os.getpid()}{ENDING}"
    with open(path.with_suffix(".begun"), "xb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(_line(_told(command) | {"run_id": run_id, "began_s": time.time()}))
        file.flush()
        path.with_suffix(".begun").rename(path)

        def ended(state: RunState, jobs: Sequence[NewJob]) -> None:
            file.writelines(_line(_job_told(job)) for job in jobs)
            file.write(_line({"state": state, "ended_s": time.time()}))
            file.flush()
            os.fsync(file.fileno())

        yield ended
    with suppress(EngineRunningError), closing(Ledger(state_dir)) as ledger:  # the engine has ended meanwhile
        for word in left(state_dir, lambda *_: None):  # the next engine tells of what is damaged
            with ledger.transaction():
                take_in(ledger, word)
            word.path.unlink()


def left(state_dir: Path, damaged: Callable[[Path, Exception], None]) -> Iterator[Word]:
    """Yield word of each run that is over; `damaged` is told of each file that cannot be read, and why."""
    for path in sorted((state_dir / FOLDER).glob(f"*{ENDING}")):
        try:
            word = _word(path)
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            damaged(path, error)
            continue
        if word is not None:
            yield word


def _word(path: Path) -> Word | None:
    """Return what a file tells, None while its run goes on. Raises what `left` catches for one that is damaged."""
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        head, *jobs = [json.loads(line) for line in file if line.endswith(b"\n")]
        end = jobs.pop() if jobs and "ended_s" in jobs[-1] else None
        if end is None:  # it was killed, before its end or while it told that
            jobs, end = [], {"state": RunState.INTERRUPTED, "ended_s": os.fstat(file.fileno()).st_mtime}
    began_s, ended_s = float(head["began_s"]), float(end["ended_s"])
    state, told = RunState(end["state"]), tuple(map(_job, jobs))
    return Word(path, _command(head), int(head["run_id"]), began_s, ended_s, state, told)


def take_in(ledger: Ledger, word: Word) -> RunRecord:
    """Put a run into the ledger, where it is not there already or goes on, and return it."""
    for known in ledger.runs(word.state):
        if (known.inputs, known.out, known.ended_s) == (word.command.inputs, word.command.out, word.ended_s):
            return known
    run = (ledger.run(word.run_id) if word.run_id else None) or ledger.equal_run(word.command)
    if run is not None and run.state in OPEN_RUNS:  # the engine has gone on with it meanwhile
        return run
    run = run or ledger.create_run(word.command, word.began_s)
    ledger.move_run(run.run_id, RunState.RUNNING, word.began_s)
    ledger.replace_jobs(run.run_id, word.jobs)
    return ledger.move_run(run.run_id, word.state, word.ended_s)


class Beside:
    """Looks for word now and then."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._due_s = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._told_of: set[Path] = set()

    def tick(self) -> None:
        """Begin to look if it is time and nobody looks."""
        now_s = self._core.clock()
        if now_s >= self._due_s and (self._looking is None or self._looking.done()):
            self._due_s = now_s + LOOK_S
            self._looking = self._core.spawn(self._look())

    async def _look(self) -> None:
        core = self._core
        damaged: dict[Path, Exception] = {}
        try:
            words = await in_thread(lambda: list(left(core.state_dir, damaged.__setitem__)))
            for word in words:
                run, core.runs = await core.ledger.submit(partial(_taken, word))
                await in_thread(word.path.unlink)
                core.note("info", f"Run {run.run_id}, which a shell carried out beside this, is {run.state}.")
        except OSError as error:
            self._due_s = float("inf")
            core.note("warning", f"Word of runs in {core.state_dir / FOLDER} cannot be taken in: {error}")
        for path, why in damaged.items():
            if path not in self._told_of:
                self._told_of.add(path)
                told = f"{path} tells of a run that a shell carried out, and cannot be read"
                core.note("warning", f"{told} ({type(why).__name__}); the history lacks that run. Remove the file.")


def _taken(word: Word, ledger: Ledger) -> tuple[RunRecord, tuple[RunSummary, ...]]:
    return take_in(ledger, word), ledger.summaries()


def _told(command: StartRun) -> dict[str, Any]:
    return {
        "kind": command.kind,
        "inputs": list(map(os.fsdecode, command.inputs)),
        "out": os.fsdecode(command.out),
        "preset": command.preset,
        "settings": recorded(command.settings),
        "force": command.force,
    }


def _command(head: dict[str, Any]) -> StartRun:
    kind, inputs = RunKind(head["kind"]), tuple(map(os.fsencode, head["inputs"]))
    settings = settings_of(kind, head["settings"])
    return StartRun(kind, inputs, os.fsencode(head["out"]), head["preset"], settings, head["force"])


def _job_told(job: NewJob) -> dict[str, Any]:
    paths = {"source": os.fsdecode(job.source), "relative": os.fsdecode(job.relative)}
    return paths | {"state": job.state, "reason": job.reason, "failure": job.failure, "result": job.result}


def _job(told: dict[str, Any]) -> NewJob:
    return NewJob(
        os.fsencode(told["source"]), os.fsencode(told["relative"]), JobState(told["state"]), reason=told["reason"],
        failure=FailureClass(told["failure"]) if told["failure"] else None, result=told["result"],
    )  # fmt: skip


def _line(told: dict[str, Any]) -> bytes:
    return json.dumps(told).encode("ascii") + b"\n"
