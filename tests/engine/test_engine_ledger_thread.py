"""The ledger's thread puts many operations into one commit, and waits out a volume that refuses writes."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.engine import ledger_thread
from pipeline.engine.ledger import Ledger
from pipeline.engine.ledger_thread import LedgerThread
from pipeline.errors import LedgerError, VconsoleError
from pipeline.model import RunState


async def opened(folder: Path, trouble: Callable[[str | VconsoleError], None] = lambda what: None) -> LedgerThread:
    thread = LedgerThread(folder, asyncio.get_running_loop(), trouble)
    await thread.open()
    return thread


async def test_what_is_asked_in_one_tick_is_one_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = 0
    transaction = Ledger.transaction

    def counted(ledger: Ledger) -> object:
        nonlocal commits
        commits += 1
        return transaction(ledger)

    monkeypatch.setattr(Ledger, "transaction", counted)
    thread = await opened(tmp_path)
    futures = [thread.submit(lambda ledger, number=number: number) for number in range(100)]  # type: ignore[misc]
    assert await asyncio.gather(*futures) == list(range(100))
    assert commits == 1
    await thread.close()


async def test_an_operation_that_fails_fails_alone(tmp_path: Path) -> None:
    thread = await opened(tmp_path)
    bad = thread.submit(lambda ledger: ledger.move_run(99, RunState.DONE, 1.0))
    good = thread.submit(lambda ledger: ledger.runs())
    with pytest.raises(LedgerError, match="no run 99"):
        await bad
    assert await good == []
    await thread.close()


async def test_a_volume_that_refuses_is_waited_out_and_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    thread = await opened(tmp_path, told.append)
    monkeypatch.setattr(ledger_thread, "RETRY_S", 0.01)
    calls = 0

    def work(ledger: Ledger) -> int:
        nonlocal calls
        calls += 1
        if calls < 3:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorname = "SQLITE_FULL"
            raise error
        return calls

    assert await thread.submit(work) == 3
    assert len(told) == 3 and "disk is full" in str(told[0]) and told[-1] == ""
    await thread.close()
