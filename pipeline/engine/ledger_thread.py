"""Carries operations to the ledger's own thread: all that one tick of the loop asks for goes into one commit."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pipeline.engine.ledger import Ledger, is_out_of_space
from pipeline.errors import VconsoleError

T = TypeVar("T")
RETRY_S = 1.0
"""Pause before a commit that its volume refused is tried again."""


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
        self._opened: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._main, name="ledger", daemon=True)

    async def open(self) -> None:
        """Take the lock and open the ledger. Raises LedgerError, EngineRunningError."""
        self._thread.start()
        await self._opened

    def submit(self, work: Callable[[Ledger], T]) -> asyncio.Future[T]:
        """Do `work` in a transaction soon; the future is done once it is committed. Call it on the loop."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._asked.append(_Operation(work, future))
        if not self._flush_due and not self._under_way:
            self._flush_due = True
            self._loop.call_soon(self._flush)
        return future

    async def close(self) -> None:
        """Commit what was asked for, close the ledger and let go of its lock."""
        while self._asked or self._under_way:
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

    def _main(self) -> None:
        try:
            ledger = Ledger(self._state_dir)
        except (VconsoleError, OSError, sqlite3.Error) as error:
            self._loop.call_soon_threadsafe(self._opened.set_exception, error)
            return
        self._loop.call_soon_threadsafe(self._opened.set_result, None)
        try:
            while (batch := self._next()) is not None:
                self._commit(ledger, batch)
                self._loop.call_soon_threadsafe(self._deliver, batch)
        finally:
            ledger.close()

    def _next(self) -> list[_Operation] | None:
        with self._changed:
            while self._work is not None and not self._work:
                self._changed.wait()
            batch = self._work
            if batch is not None:
                self._work = []
            return batch

    def _commit(self, ledger: Ledger, batch: list[_Operation]) -> None:
        """Do a batch in one transaction; while the volume refuses, again after a pause until it is taken."""
        refused = False
        while True:
            try:
                with ledger.transaction():
                    for operation in batch:
                        _run(ledger, operation)
            except sqlite3.Error as error:
                if is_out_of_space(error) and not self._closing.is_set():
                    refused = True
                    why = f"The ledger cannot be written: {error}."
                    self._tell(f"{why} Free space in {self._state_dir}; the run goes on by itself.")
                    self._closing.wait(RETRY_S)
                    continue
                for operation in batch:
                    operation.error = error
                self._tell(VconsoleError(f"The ledger failed: {error}.", remedy="Start vconsole again."))
            break
        if refused:
            self._tell("")

    def _tell(self, what: str | VconsoleError) -> None:
        self._loop.call_soon_threadsafe(self._trouble, what)

    def _deliver(self, batch: list[_Operation]) -> None:
        self._under_way = False
        for operation in batch:
            operation.deliver()
        if self._asked and not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)


def _run(ledger: Ledger, operation: _Operation) -> None:
    """Do one operation; its own error undoes it alone, an error of the database undoes the batch."""
    operation.result, operation.error = None, None
    try:
        operation.result = ledger.apart(lambda: operation.work(ledger))
    except sqlite3.OperationalError:
        raise
    except Exception as error:  # noqa: BLE001 - whoever asked gets it
        operation.error = error
