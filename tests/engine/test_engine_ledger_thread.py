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
    await thread.open(lambda ledger: None)
    return thread


async def test_what_is_asked_in_one_tick_is_one_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = 0
    transaction = Ledger.transaction

    def counted(ledger: Ledger) -> object:
        nonlocal commits
        commits += 1
        return transaction(ledger)

    thread = await opened(tmp_path)
    monkeypatch.setattr(Ledger, "transaction", counted)
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
    assert "Free space" in str(told[0])
    await thread.close()


def failing(name: str, kind: type[sqlite3.Error] = sqlite3.OperationalError) -> Callable[[Ledger], None]:
    """Return an operation that fails as SQLite does."""

    def work(ledger: Ledger) -> None:
        error = kind("it failed")
        if name:
            error.sqlite_errorname = name
        raise error

    return work


async def test_a_broken_disk_is_waited_out_for_a_bounded_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    thread = await opened(tmp_path, told.append)
    monkeypatch.setattr(ledger_thread, "RETRY_S", 0.01)
    monkeypatch.setattr(ledger_thread, "IO_PATIENCE_S", 0.05)
    with pytest.raises(LedgerError, match="cannot be used"):
        await thread.submit(failing("SQLITE_IOERR_READ"))
    assert len(told) > 1 and isinstance(told[-1], LedgerError) and "Check the disk" in told[-1].remedy
    await thread.close()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SQLITE_CORRUPT", sqlite3.DatabaseError),
        ("SQLITE_ERROR", sqlite3.OperationalError),
        ("", sqlite3.OperationalError),
        ("", sqlite3.DatabaseError),
    ],
)
async def test_damage_found_at_work_ends_it_and_nothing_more_is_written(
    tmp_path: Path, name: str, kind: type[sqlite3.Error]
) -> None:
    told: list[object] = []
    thread = await opened(tmp_path, told.append)
    with pytest.raises(LedgerError, match="cannot be trusted: it failed"):
        await thread.submit(failing(name, kind))
    assert len(told) == 1 and isinstance(told[0], LedgerError)
    with pytest.raises(LedgerError, match="cannot be trusted: it failed"):
        await thread.submit(lambda ledger: ledger.runs())
    await thread.close()
    again = await opened(tmp_path)
    await again.close()


async def test_an_engine_that_ends_while_its_volume_refuses_lets_go_of_the_folder(tmp_path: Path) -> None:
    told: list[object] = []
    thread = await opened(tmp_path, told.append)
    waiting = thread.submit(failing("SQLITE_FULL"))
    while not told:
        await asyncio.sleep(0.001)
    thread.give_up_soon()
    await thread.close()
    with pytest.raises(LedgerError, match="cannot be used"):
        await waiting
    again = await opened(tmp_path)
    await again.close()


async def test_what_cannot_be_written_at_the_start_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    thread = LedgerThread(tmp_path, asyncio.get_running_loop(), lambda what: None)
    with pytest.raises(LedgerError, match="cannot be used"):
        await thread.open(failing("SQLITE_FULL"))
    again = await opened(tmp_path)
    await again.close()
