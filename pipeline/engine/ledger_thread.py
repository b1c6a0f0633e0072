"""Carries operations to the ledger's own thread: all that one tick of the loop asks for goes into one commit."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pipeline.engine.ledger import Ledger
from pipeline.engine.store import BUSY, FULL, IO_ERROR, LEDGER_NAME, error_name, ledger_error
from pipeline.errors import LedgerError, VconsoleError

T = TypeVar("T")
RETRY_S = 1.0
"""Pause before a commit that its volume refused is tried again."""
IO_PATIENCE_S = 60.0
"""How long errors of the disk are waited out; a full volume, which someone can mend, is waited out without end."""
DISTURBING = (sqlite3.OperationalError, sqlite3.InternalError)
"""What SQLite raises when the database itself is in trouble; damage is a plain sqlite3.DatabaseError."""


@dataclass(slots=True)
class _Operation:
    """One thing to do, and the future that waits for it."""

    work: Callable[[Ledger], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None

    def deliver(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
            if isinstance(self.error, LedgerError):
                self.future.exception()  # it is told as trouble: who does not wait for this future is not to be blamed
        else:
            self.future.set_result(self.result)


class LedgerThread:
    """The ledger, for a loop that must not wait for a disk.

    `trouble` is called on the loop with a sentence while the ledger's volume refuses writes, with "" when it
    takes them again, and what was asked for meanwhile waits; it is called with an error when nothing more can be done.
    """

    def __init__(
        self, state_dir: Path, loop: asyncio.AbstractEventLoop, trouble: Callable[[str | VconsoleError], None]
    ) -> None:
        self._state_dir = state_dir
        self._loop = loop
        self._trouble = trouble
        self._asked: list[_Operation] = []
        self._under_way = False
        self._flush_due = False
        self._work: list[_Operation] | None = []
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._failure: LedgerError | None = None

    async def open(self, first: Callable[[Ledger], T]) -> T:
        """Take the lock, open the ledger and do `first` in a transaction, which is not waited for.

        Raises LedgerError, EngineRunningError.
        """
        opened: asyncio.Future[T] = self._loop.create_future()
        self._thread = threading.Thread(target=self._main, args=(first, opened), name="ledger", daemon=True)
        self._thread.start()
        return await opened

    def submit(self, work: Callable[[Ledger], T]) -> asyncio.Future[T]:
        """Do `work` in a transaction soon; the future is done once it is committed. Call it on the loop."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._asked.append(_Operation(work, future))
        if not self._flush_due and not self._under_way:
            self._flush_due = True
            self._loop.call_soon(self._flush)
        return future

    async def close(self) -> None:
        """Commit what was asked for, close the ledger and let go of its lock; who asked is told what failed."""
        while self._asked or self._under_way:
            with suppress(LedgerError):
                await self.submit(lambda _: None)
        self._closing.set()
        with self._changed:
            self._work = None
            self._changed.notify()
        await self._loop.run_in_executor(None, self._thread.join)

    def give_up_soon(self) -> None:
        """Stop trying again while the volume refuses: the engine is ending."""
        self._closing.set()

    def _flush(self) -> None:
        self._flush_due = False
        if self._under_way or not self._asked:
            return
        self._under_way = True
        with self._changed:
            self._work, self._asked = self._asked, []
            self._changed.notify()

    def _main(self, first: Callable[[Ledger], T], opened: "asyncio.Future[T]") -> None:
        try:
            ledger, result = self._begin(first)
        except Exception as error:  # noqa: BLE001 - open() raises it
            self._loop.call_soon_threadsafe(opened.set_exception, error)
            return
        self._loop.call_soon_threadsafe(opened.set_result, result)
        try:
            while (batch := self._next()) is not None:
                self._commit(ledger, batch)
                self._loop.call_soon_threadsafe(self._deliver, batch)
        finally:
            if self._failure:
                ledger.abandon()
            else:
                ledger.close()

    def _begin(self, first: Callable[[Ledger], T]) -> tuple[Ledger, T]:
        ledger = Ledger(self._state_dir)
        try:
            with ledger.transaction():
                return ledger, first(ledger)
        except BaseException as error:
            ledger.abandon()
            if isinstance(error, sqlite3.Error):
                raise self._told(error) from error
            raise

    def _next(self) -> list[_Operation] | None:
        with self._changed:
            while self._work is not None and not self._work:
                self._changed.wait()
            batch = self._work
            if batch is not None:
                self._work = []
            return batch

    def _commit(self, ledger: Ledger, batch: list[_Operation]) -> None:
        """Do a batch in one transaction; while the volume refuses, again after a pause until it is taken.

        That is sound after a failed flush too: SQLite takes a commit for made only once its flush succeeded, and the
        next try writes every page of it anew. A ledger that failed for good is not written to any more.
        """
        refused_s = 0.0
        while self._failure is None:
            try:
                with ledger.transaction():
                    for operation in batch:
                        _run(ledger, operation)
            except sqlite3.Error as error:
                refused_s = refused_s or time.monotonic()
                trouble = self._told(error)
                if not _may_pass(error, time.monotonic() - refused_s):
                    self._failure = trouble
                elif not self._closing.is_set():
                    self._tell(
                        f"The ledger cannot be written: {error}. {trouble.remedy} Then the run goes on by itself."
                    )
                    self._closing.wait(RETRY_S)
                    continue
                self._tell(trouble)
                _refuse(batch, trouble)
                return
            if refused_s:
                self._tell("")
            return
        _refuse(batch, self._failure)

    def _told(self, error: sqlite3.Error) -> LedgerError:
        return ledger_error(self._state_dir / LEDGER_NAME, error)

    def _tell(self, what: str | VconsoleError) -> None:
        self._loop.call_soon_threadsafe(self._trouble, what)

    def _deliver(self, batch: list[_Operation]) -> None:
        self._under_way = False
        for operation in batch:
            operation.deliver()
        if self._asked and not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)


def _refuse(batch: list[_Operation], trouble: LedgerError) -> None:
    for operation in batch:
        operation.result, operation.error = None, trouble


def _may_pass(error: sqlite3.Error, since_s: float) -> bool:
    """Whether an error that has lasted for `since_s` is one of the surroundings that is still waited out."""
    name = error_name(error)
    return name.startswith((FULL, BUSY)) or (name.startswith(IO_ERROR) and since_s < IO_PATIENCE_S)


def _run(ledger: Ledger, operation: _Operation) -> None:
    """Do one operation; its own error undoes it alone, an error of the database undoes the batch."""
    operation.result, operation.error = None, None
    try:
        operation.result = ledger.apart(lambda: operation.work(ledger))
    except Exception as error:
        if isinstance(error, DISTURBING) or type(error) is sqlite3.DatabaseError:
            raise
        operation.error = error
