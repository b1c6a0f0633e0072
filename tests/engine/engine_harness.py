"""Drives a real engine with the fake worker, and the oracle that must hold after every fault."""

import hashlib
import json
import os
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from pipeline.commands import StartRun
from pipeline.engine import Engine
from pipeline.engine.ledger import Ledger
from pipeline.engine.store import LEDGER_NAME
from pipeline.model import TERMINAL, JobState, RunKind, RunState
from pipeline.outputs.manifest import read_manifest
from pipeline.settings import DEFAULT_PRESETS, Settings
from pipeline.snapshot import JobRow, Snapshot

FAKE_WORKER = (sys.executable, str(Path(__file__).with_name("fake_worker.py")))
DEADLINE_S = 100.0
SETTLE_S = 300.0
"""Longer than any test waits: a file settles when a test sets the clock ahead, and not because the test was slow."""


def settings(**engine: Any) -> Settings:
    """Settings that make an engine quick: no settling, short pauses, no models."""
    quick = {"workers": 2, "settle_s": 0, "retry_pause_s": 0.02, "retry_pause_max_s": 0.2, "snapshot_hz": 30}
    options: dict[str, Any] = {"engine": {**quick, "nice": 0, **engine}, "embed": {"enabled": False}}
    return Settings.model_validate(options)


class Bench:
    """A folder of inputs, an output folder, a state folder, and engines over them."""

    def __init__(self, folder: Path, source: Path | None = None) -> None:
        """Work in `folder`; `source` is a folder of inputs that is there already."""
        self.source, self.out, self.state = source or folder / "in", folder / "out", folder / "state"
        self.source.mkdir(exist_ok=source is not None)

    def video(self, name: str, line: str = "done") -> Path:
        """Add an input that makes the fake worker do `line`; its content is unlike every other's."""
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{line}\n{name}\n")
        return path

    def start(self, options: Settings, *, force: bool = False, kind: RunKind = RunKind.EXTRACT) -> StartRun:
        """Return the command that runs over all inputs."""
        inputs = (os.fsencode(self.source),)
        return StartRun(kind, inputs, os.fsencode(self.out), DEFAULT_PRESETS[kind], options, force)

    @contextmanager
    def engine(
        self,
        options: Settings,
        worker: tuple[str, ...] = FAKE_WORKER,
        host: tuple[str, ...] | None = None,
        **clocks: Callable[[], float],
    ) -> Iterator["Driven"]:
        """Start an engine, close it at the end, and see that it left no process behind."""
        engine = Engine(options, state_dir=self.state, worker_command=worker, host_command=host, **clocks)
        engine.start()
        driven = Driven(engine)
        try:
            yield driven
        finally:
            engine.close()
            driven.check_no_orphan()

    def run(self, options: Settings, **more: Any) -> Snapshot:
        """Run all inputs to the end in an engine of their own; return the last snapshot."""
        with self.engine(options) as driven:
            driven.engine.send(self.start(options, **more))
            return driven.until_done()

    def reported(self, kind: RunKind) -> list[dict[str, Any]]:
        """Return what the report of the last run says of each input."""
        if kind is RunKind.EXTRACT:
            return list(read_manifest(os.fsencode(self.out)))
        files: list[dict[str, Any]] = json.loads((self.out / "transcode_report.json").read_text())["files"]
        return files

    def log(self, word: str = "start") -> Counter[str]:
        """Return how often the workers said `word` of each input."""
        path = self.out / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        return Counter(line.split()[1] for line in lines if line.startswith(word))

    def oracle(self) -> dict[JobState, int]:
        """Check what holds after any fault: a sound ledger, every job accounted for, whole outputs, no litter."""
        ledger = Ledger(self.state)
        try:
            assert sound(self.state)
            run = ledger.runs(limit=1)[0]
            counts = ledger.counts(run.run_id)
            jobs = list(ledger.jobs(run.run_id))
            assert sum(counts.values()) == len(jobs) == len({job.relative for job in jobs})
            for job in jobs:
                assert job.state is not JobState.RUNNING, "an engine that ended left a job running"
                opened = [attempt for attempt in ledger.attempts(job.job_id) if not attempt["outcome"]]
                assert not opened, f"attempts left open: {opened}"
                whole = [one["outcome"] for one in ledger.attempts(job.job_id) if one["chunk"] < 0]
                wins = [outcome for outcome in whole if outcome in {"done", "partial"}]
                assert len(wins) == len(set(wins)), f"finished more than once: {wins}"
                if job.state in {JobState.DONE, JobState.PARTIAL}:
                    data = (self.out / job.result["output"]).read_bytes()
                    assert hashlib.sha256(data).hexdigest() == job.result["output_sha256"]
            if run.state is RunState.DONE:
                assert set(counts) <= TERMINAL
                rows = self.reported(run.kind)
                assert Counter(row["status"] for row in rows) == {str(s): n for s, n in counts.items()}
        finally:
            ledger.close()
        assert not list(self.out.rglob("*.part")), "temporary files left"
        assert run.state is not RunState.DONE or not list(self.out.rglob("*.chunks")), "chunks left"
        return counts


@contextmanager
def nothing_left() -> Iterator[None]:
    """Kill in the end what was started meanwhile and still is there: a test that failed or ran too long."""
    me = psutil.Process()
    before = set(me.children(recursive=True))
    try:
        yield
    finally:
        left = [child for child in me.children(recursive=True) if child not in before]
        for child in left:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(left, timeout=DEADLINE_S)


class Driven:
    """An engine under test."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.pids: set[int] = set()

    def until(self, holds: Callable[[Snapshot], Any], what: str = "") -> Snapshot:
        """Return the first snapshot for which `holds`; fail after the deadline."""
        end = time.monotonic() + DEADLINE_S
        while True:
            snapshot = self.engine.latest()
            self.pids |= {worker.pid for worker in snapshot.workers if worker.pid}
            if holds(snapshot):
                return snapshot
            assert not snapshot.fatal, snapshot.fatal
            assert time.monotonic() < end, f"waited too long for {what or holds}: {snapshot}"
            time.sleep(0.005)

    def until_done(self) -> Snapshot:
        """Return the snapshot at the end of the run."""
        return self.until(lambda snapshot: snapshot.run and snapshot.run.state is RunState.DONE, "the end of the run")

    def until_settling(self) -> Snapshot:
        """Return the first snapshot in which a file is waited for, as it may still be written to."""
        return self.until(lambda seen: any(row.state is JobState.SETTLING for row in seen.jobs), "a settling file")

    def until_running(self, name: str) -> JobRow:
        """Return the row of a job once a worker has told of progress on it."""
        snapshot = self.until(lambda snapshot: _working(snapshot, name), f"{name} to run")
        row = _working(snapshot, name)
        assert row is not None
        return row

    def worker_pid(self, name: str) -> int:
        """Return the process that works on an input."""

        def pid(snapshot: Snapshot) -> int:
            row = _working(snapshot, name)
            return next((one.pid for one in snapshot.workers if row and one.job_id == row.job_id), 0)

        return pid(self.until(pid, f"{name} to run"))

    def check_no_orphan(self) -> None:
        """See that no worker of this engine is left."""
        left = [pid for pid in self.pids if psutil.pid_exists(pid) and _alive(pid)]
        assert not left, f"orphans: {left}"


class Clock:
    """A clock that a test can set ahead."""

    def __init__(self, real: Callable[[], float] = time.monotonic) -> None:
        self._real = real
        self.offset_s = 0.0

    def __call__(self) -> float:
        return self._real() + self.offset_s

    def settle(self, driven: Driven) -> Snapshot:
        """Set it ahead, again and again, until no file is waited for any more; return the snapshot that says so."""

        def settled(snapshot: Snapshot) -> bool:
            self.offset_s += SETTLE_S
            return not any(row.state is JobState.SETTLING for row in snapshot.jobs)

        return driven.until(settled, "the files to settle")


def sound(state_dir: Path) -> bool:
    """Whether SQLite finds nothing wrong with the ledger."""
    with closing(sqlite3.connect(state_dir / LEDGER_NAME)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def jobs(snapshot: Snapshot) -> dict[str, JobRow]:
    """Return the rows of a snapshot by name."""
    return {row.name: row for row in snapshot.jobs}


def _working(snapshot: Snapshot, name: str) -> JobRow | None:
    row = jobs(snapshot).get(name)
    return row if row and row.state is JobState.RUNNING and row.stage and row.worker >= 0 else None


def _alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
