"""The real ledger on SQLite in memory, with triggers that tell of every move, behind commits at seeded moments."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.engine.ledger import Ledger
from pipeline.engine.reader import LedgerReader
from pipeline.errors import VconsoleError
from pipeline.model import JobState

EYES = """
CREATE TEMP TABLE moves (job_id, name, before, after, attempt, attempts, crashes, kills, engine_deaths, token, note);
CREATE TEMP TRIGGER added AFTER INSERT ON main.jobs BEGIN
    INSERT INTO moves VALUES (new.job_id, new.relative, '', new.state, new.attempt, new.attempts, new.crashes,
        new.kills, new.engine_deaths, '', '');
END;
CREATE TEMP TRIGGER moved AFTER UPDATE ON main.jobs WHEN old.state != new.state BEGIN
    INSERT INTO moves VALUES (new.job_id, new.relative, old.state, new.state, new.attempt, new.attempts, new.crashes,
        new.kills, old.engine_deaths, old.token, '');
END;
CREATE TEMP TRIGGER removed AFTER DELETE ON main.jobs BEGIN
    INSERT INTO moves VALUES (old.job_id, old.relative, old.state, '', 0, 0, 0, 0, 0, '', 'a job was deleted');
END;
CREATE TEMP TRIGGER closed AFTER UPDATE ON main.attempts WHEN old.outcome != '' BEGIN
    INSERT INTO moves VALUES (new.job_id, '', '', '', new.attempt, 0, 0, 0, 0, '', 'an attempt was closed twice');
END;
"""


class Move(NamedTuple):
    """One committed change of a job's state; `before` is empty for a job that is new."""

    job_id: int
    name: bytes
    before: str
    after: str
    attempt: int
    attempts: int
    crashes: int
    kills: int
    engine_deaths: int
    token: str
    """Of the attempt that ended, empty if none did."""
    note: str


class WatchedLedger(Ledger):
    """The ledger without its folder: many engines, one after another, share its connection."""

    def __init__(self) -> None:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        LedgerReader.__init__(self, connection, Path("/simulated"))
        schema = resources.files("pipeline.engine").joinpath("schema.sql").read_text(encoding="utf-8")
        connection.executescript(schema + EYES)

    def close(self) -> None:
        self._db.close()

    def moves(self) -> list[Move]:
        """Return what has been committed since the last call."""
        rows = [Move(*row) for row in self._db.execute("SELECT * FROM moves ORDER BY rowid")]
        if rows:
            self._db.execute("DELETE FROM moves")
        return rows

    def has(self, run_id: int, relative: bytes) -> bool:
        """Whether a run knows an input."""
        question = "SELECT 1 FROM jobs WHERE run_id = ? AND relative = ?"
        return self._db.execute(question, (run_id, relative)).fetchone() is not None

    def states(self, run_id: int) -> dict[int, JobState]:
        """Return the state of each job of a run."""
        rows = self._db.execute("SELECT job_id, state FROM jobs WHERE run_id = ?", (run_id,))
        return {row[0]: JobState(row[1]) for row in rows}

    def open_attempts(self) -> list[tuple[int, int]]:
        """Return (job, attempt) of each attempt that has no outcome."""
        return [(row[0], row[1]) for row in self._db.execute("SELECT job_id, attempt FROM attempts WHERE outcome = ''")]


class _RefusedError(Exception):
    """The volume took no writes."""


@dataclass(slots=True)
class _Operation:
    work: Callable[[Ledger], Any]
    future: "asyncio.Future[Any]"
    result: Any = None
    error: VconsoleError | None = None


class SimLedger:
    """What the engine takes for its ledger's thread. `commit_due(delay_s, act, kind)` schedules; `refuses` is asked
    before each commit; `committed` hears of each; `trouble` is the engine's."""

    def __init__(
        self,
        ledger: WatchedLedger,
        loop: asyncio.AbstractEventLoop,
        *,
        soon: Callable[[str, Callable[[], None]], None],
        batch: Callable[[int], int],
        refuses: Callable[[], bool],
        committed: Callable[[], None],
        trouble: Callable[[str], None],
    ) -> None:
        self._ledger = ledger
        self._loop = loop
        self._soon = soon
        self._batch = batch
        self._refuses = refuses
        self._committed = committed
        self._trouble = trouble
        self._refused = False
        self._due = False
        self._closing = False
        self.asked: deque[_Operation] = deque()
        self.unheard: list[_Operation] = []
        """Committed, but the engine has not heard of it."""

    @property
    def quiet(self) -> bool:
        return not (self.asked or self.unheard)

    def submit(self, work: Callable[[Ledger], Any]) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = self._loop.create_future()
        self.asked.append(_Operation(work, future))
        self._go_on()
        return future

    def give_up_soon(self) -> None:
        self._closing = True

    async def close(self) -> None:
        while not self.quiet:
            await self.submit(lambda _: None)

    def _go_on(self) -> None:
        if self.asked and not self._due:
            self._due = True
            self._soon("commit", self._commit)

    def _commit(self) -> None:
        batch = [self.asked[index] for index in range(self._batch(len(self.asked)))]
        refused = self._refuses() and not self._closing
        try:
            self._carry_out(batch, refused=refused)
        except _RefusedError:
            if not self._refused:
                self._trouble("The ledger cannot be written.")
            self._refused = True
            self._soon("refused", self._commit)
            return
        for operation in batch:
            self.asked.popleft()
            self.unheard.append(operation)
        self._committed()
        self._soon("answer", self._answer)

    def _carry_out(self, batch: list[_Operation], *, refused: bool) -> None:
        with self._ledger.transaction():
            for operation in batch:
                self._do(operation)
            if refused:
                raise _RefusedError

    def _do(self, operation: _Operation) -> None:
        operation.result, operation.error = None, None
        try:
            operation.result = self._ledger.apart(lambda: operation.work(self._ledger))
        except VconsoleError as error:
            operation.error = error

    def _answer(self) -> None:
        if self._refused:
            self._refused = False
            self._trouble("")
        heard, self.unheard = self.unheard, []
        for operation in heard:
            if operation.future.done():
                continue
            if operation.error is not None:
                operation.future.set_exception(operation.error)
            else:
                operation.future.set_result(operation.result)
        self._due = False
        self._go_on()
