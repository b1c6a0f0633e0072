"""Ledgers to be damaged: one that was closed well, one whose engine was killed; and flipped bytes."""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
from engine_harness import FAKE_WORKER, Bench, settings

from pipeline.engine import Engine
from pipeline.engine.reader import LedgerReader
from pipeline.engine.store import LEDGER_NAME
from pipeline.errors import LedgerError
from pipeline.model import JobState, RunState

PROGRAM = str(Path(__file__).resolve().parents[1] / "engine" / "engine_process.py")
DEADLINE_S = 60.0
VIDEOS = 40


def kill_midway(bench: Bench) -> None:
    """Run VIDEOS inputs in an engine that is killed with all its workers when some are done."""
    for number in range(VIDEOS):
        bench.video(f"{number:02}.mp4", "sleep 0.02")
    options = settings().model_dump(mode="json", include={"engine", "embed"})
    command = [sys.executable, PROGRAM, str(bench.state), json.dumps(options), str(bench.out), str(bench.source)]
    process = subprocess.Popen([*command, "--worker", FAKE_WORKER[1]], stdout=subprocess.PIPE)
    for share in (0.7, 0.8):
        end = time.monotonic() + DEADLINE_S
        while not _are_done(bench, share):
            assert time.monotonic() < end and process.poll() is None, "the run does not get on"
            time.sleep(0.002)
        if share < 0.8:  # so that there are rows in the file and newer ones in its log
            with closing(sqlite3.connect(bench.state / LEDGER_NAME)) as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    family = psutil.Process(process.pid).children(recursive=True)
    for pid in (process.pid, *(child.pid for child in family)):
        os.kill(pid, 9)
    process.communicate()
    psutil.wait_procs(family, timeout=DEADLINE_S)
    assert (bench.state / f"{LEDGER_NAME}-wal").stat().st_size, "a crash leaves the write-ahead log"


def _are_done(bench: Bench, share: float) -> bool:
    try:
        with LedgerReader.read_only(bench.state) as ledger:
            return ledger.counts(1).get(JobState.DONE, 0) >= share * VIDEOS
    except LedgerError:
        return False


class Kept:
    """The state and output folders as they are now, to be had again."""

    def __init__(self, bench: Bench, aside: Path) -> None:
        self._pairs = [(folder, aside / folder.name) for folder in (bench.state, bench.out)]
        for folder, copy in self._pairs:
            shutil.copytree(folder, copy, symlinks=True)

    def restore(self) -> None:
        """Put them back as they were, times included."""
        for folder, copy in self._pairs:
            shutil.rmtree(folder)
            shutil.copytree(copy, folder, symlinks=True)


def flip(path: Path, chance: random.Random) -> str:
    """Flip the bits of one to sixteen bytes at a random place that holds something; return where and what."""
    data = bytearray(path.read_bytes())
    while True:
        at, count = chance.randrange(len(data)), chance.choice((1, 1, 2, 16))
        if any(data[at : at + count]):
            break
    for place in range(at, min(len(data), at + count)):
        data[place] ^= chance.randrange(1, 256)
    path.write_bytes(data)
    return f"{path.name}+{at}:{count}"


def outcome(bench: Bench) -> tuple[str, bool]:
    """Start an engine over a run that was killed; return done or the sentence of its end, and whether it had started.

    Raises AssertionError if it neither ends nor says why not.
    """
    options = settings()
    engine = Engine(options, state_dir=bench.state, worker_command=FAKE_WORKER)
    try:
        engine.start()
    except LedgerError as error:
        assert error.remedy and str(bench.state) in str(error), error
        return str(error), False
    try:
        engine.send(bench.start(options))
        end = time.monotonic() + DEADLINE_S
        while True:
            snapshot = engine.latest()
            if snapshot.fatal:
                assert str(bench.state) in snapshot.fatal, snapshot.fatal
                return snapshot.fatal, True
            if snapshot.run and snapshot.run.state is RunState.DONE:
                return "done", True
            assert time.monotonic() < end, f"neither ends nor says why not: {snapshot}"
            time.sleep(0.005)
    finally:
        engine.close()


def results(bench: Bench) -> dict[str, bytes]:
    """Return the content of every output."""
    features = bench.out / "features"
    return {str(path.relative_to(features)): path.read_bytes() for path in features.rglob("*") if path.is_file()}


def files(folder: Path) -> dict[str, bytes]:
    """Return what is in a folder's ledger and its log; SQLite makes their index anew as it likes."""
    return {path.name: path.read_bytes() for path in folder.glob("ledger.*") if path.suffix != ".sqlite3-shm"}


def undamaged(bench: Bench) -> dict[str, bytes]:
    """Carry the killed run to its end and return its outputs."""
    assert outcome(bench) == ("done", True)
    return results(bench)


def check_flip(bench: Bench, calm: dict[str, bytes], chance: random.Random) -> str:
    """Flip bytes in a killed run's ledger and go on with the run; return `refused`, or `done` if that did no harm.

    Raises AssertionError if it did harm: another result, a changed original, an end that is no sentence.
    """
    where = flip(bench.state / f"{LEDGER_NAME}{chance.choice(('', '-wal'))}", chance)
    before = files(bench.state)
    try:
        told, started = outcome(bench)
        if told == "done":
            assert results(bench) == calm, "another result"
            bench.oracle()
        elif not started:
            assert files(bench.state) == before, "the refused ledger was changed"
    except AssertionError as error:
        raise AssertionError(f"{where}: {error}") from error
    return "done" if told == "done" else "refused"
