"""Runs the engine without a screen: sends one command, follows the snapshots, tells a face what happens."""

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

from pipeline.commands import Command, ResumeRun, StartRun
from pipeline.errors import VconsoleError
from pipeline.model import TERMINAL, JobState, RunState
from pipeline.snapshot import JobRow, Snapshot
from vconsole.events import ENDED, Event, JobChanged, changes
from vconsole.signals import HEADLESS, ended_in_time
from vconsole.summary import Summary, summarise

POLL_S = 0.2
"""Time between two looks at the engine."""


class Engine(Protocol):
    """What is driven: `pipeline.engine.Engine`, or a scripted one in tests."""

    def start(self) -> None:
        """Open the ledger and take its lock; raises LedgerError."""

    def latest(self) -> Snapshot:
        """Return the picture of this moment."""

    def send(self, command: Command) -> None:
        """Ask for something."""

    def close(self, *, now: bool = False) -> None:
        """Checkpoint and end the workers."""


class Face(Protocol):
    """What an operator, a log or a program sees of a run; every method may be called from the main thread only."""

    def tell(self, event: Event) -> None:
        """Show that something happened."""

    def tick(self, snapshot: Snapshot) -> None:
        """Show how things stand; called several times a second."""

    def end(self, summary: Summary) -> None:
        """Show how the run ended; nothing is told after it."""

    def close(self) -> None:
        """Leave the terminal as it was found; may be called twice."""


def drive(engine: Engine, command: StartRun | ResumeRun, face: Face, *, grace_s: float) -> Summary:
    """Carry out `command` to its end or to a signal, and return how it ended.

    Raises LedgerError if the engine cannot start, VconsoleError if it refuses the command, KeyboardInterrupt if a
    signal came before the run began.
    """
    engine.start()
    try:
        follower = _Follower(engine, face)
        with ended_in_time(
            close=follower.stop, leave=follower.requested.set, grace_s=lambda: grace_s, signals=HEADLESS
        ):
            summary = follower.follow(command)
            follower.show(lambda: face.end(summary))
            if follower.unheard:
                _tell_last(f"The output cannot be written any more; go on with `vconsole resume {summary.run.run_id}`.")
            return summary
    finally:
        with suppress(OSError):
            face.close()
        engine.close()


def _tell_last(line: str) -> None:
    """Say it on stderr, if that is still there."""
    with suppress(OSError):
        sys.stderr.write(f"vconsole: {line}\n")
        sys.stderr.flush()


class _Follower:
    """Follows one run from command to end."""

    def __init__(self, engine: Engine, face: Face) -> None:
        self.requested = threading.Event()
        """Set by the first signal."""
        self._stopped = threading.Event()
        self._engine = engine
        self._face = face
        self._before = engine.latest()
        self._baseline = self._before
        self._earlier = {run.run_id for run in self._before.runs}
        self._run_id = 0
        self.unheard = False
        """Whether the terminal or the reader of the output went away."""
        self._video_s = 0.0

    def stop(self) -> None:
        """Close the engine; called on a thread of the signal's own, so that a stuck terminal cannot hold it up."""
        self.requested.set()  # before the engine says that the run was interrupted: it was because we asked
        self._engine.close()
        self._stopped.set()

    def _wait_stopped(self) -> None:
        """Wait for the engine in short steps: a signal that comes just before a wait without end is never handled."""
        while not self._stopped.wait(POLL_S):
            continue

    def show(self, tell: Callable[[], None]) -> None:
        """Let the face tell something; a terminal or a reader that went away counts as a signal to stop."""
        if self.unheard:
            return
        try:
            tell()
        except OSError:
            self.unheard = True
            if not self.requested.is_set():
                self.stop()

    def follow(self, command: StartRun | ResumeRun) -> Summary:
        started = time.monotonic()
        self._engine.send(command)
        while True:
            stop = self.requested.wait(POLL_S)
            if stop:
                self._wait_stopped()
            snapshot = self._engine.latest()
            if not stop and self.requested.is_set():
                continue  # asked to stop between the two: what it shows may be of that already
            self._look(snapshot)
            if stop or snapshot.fatal or self._ended(snapshot):
                break
        if not (stop or snapshot.fatal) and snapshot.run and snapshot.run.state is RunState.INTERRUPTED:
            raise VconsoleError(snapshot.run.paused_because or f"Run {snapshot.run.run_id} was interrupted.")
        summary = summarise(
            snapshot if self._is_ours(snapshot) else Snapshot(),
            interrupted=stop,
            held_up=snapshot.fatal,
            seconds=time.monotonic() - started,
            video_s=self._video_s,
        )
        if summary is None and stop:
            raise KeyboardInterrupt
        if summary is None:
            raise VconsoleError(snapshot.fatal)
        return summary

    def _look(self, snapshot: Snapshot) -> None:
        if snapshot is self._before:
            return
        first_sight = self._first_sight(snapshot)
        for event in changes(self._before, snapshot):
            if isinstance(event, JobChanged):
                if first_sight and event.row.state in TERMINAL:
                    continue
                self._count(event.row)
            self.show(partial(self._face.tell, event))
        self._before = snapshot
        self._refused(snapshot)
        if self._is_ours(snapshot):
            self.show(lambda: self._face.tick(snapshot))

    def _first_sight(self, snapshot: Snapshot) -> bool:
        """Whether this is the first look at a run of an earlier process: what it had done then is no news."""
        if snapshot.run is None or snapshot.run.run_id not in self._earlier:
            return False
        return self._before.run is None or self._before.run.run_id != snapshot.run.run_id

    def _count(self, row: JobRow) -> None:
        """Add up the video that was worked on."""
        if row.state in {JobState.DONE, JobState.PARTIAL} and not row.reused:
            self._video_s += row.duration_s

    def _is_ours(self, snapshot: Snapshot) -> bool:
        """Whether the snapshot shows the run of our command: another one than at the start, or that one moved on."""
        run, before = snapshot.run, self._baseline.run
        if run is None:
            return False
        moved = before is None or (run.run_id, run.state) != (before.run_id, before.state)
        self._run_id = self._run_id or (run.run_id if moved else 0)
        return run.run_id == self._run_id

    def _ended(self, snapshot: Snapshot) -> bool:
        return self._is_ours(snapshot) and snapshot.run is not None and snapshot.run.state in ENDED

    def _refused(self, snapshot: Snapshot) -> None:
        if self._is_ours(snapshot):
            return
        for notice in snapshot.notices:
            if notice in self._baseline.notices:
                return
            if notice.level == "error":
                raise VconsoleError(notice.text)
