"""A program that carries a whole run out beside the workers and tells how it gets on, a JSON object a line."""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, BinaryIO, Protocol

from pipeline.engine.core import Core
from pipeline.engine.ledger import Ledger
from pipeline.engine.records import NewJob, RunRecord
from pipeline.model import RunState
from pipeline.snapshot import RunSummary
from pipeline.text import visible

MOST_LINE_BYTES = 1 << 22
TAIL_BYTES = 4096
"""How much of the end of what it complained of is looked at for its last words."""


class Apart(Protocol):
    """Carries out runs of a kind that takes no video through stages, one at a time."""

    async def carry_out(self, run: RunRecord) -> None:
        """Carry a run out to its end, and put into the ledger how that was."""
        ...

    def cancel(self, run_id: int) -> bool:
        """Have a run end with what is done; return whether it is the one at hand."""
        ...

    async def close(self, left_s: float) -> None:
        """End the one at hand within `left_s` seconds; what is done by then is kept."""
        ...


class Session:
    """One run of such a program; it ends, in order, when its stdin does."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._process: asyncio.subprocess.Process | None = None
        self.stopped = False

    async def follow(self, order: bytes, log: BinaryIO, heard: Callable[[dict[str, Any]], bool]) -> str:
        """Run it to its end, its complaints in `log`, and return why it ended early; empty if it did not, or was asked.

        `heard` is given each object and says whether that is the last. Raises OSError, ValueError.
        """
        try:
            return await self._followed(order, log, heard)
        finally:
            await self._end()

    def stop(self) -> None:
        """Have it end with what is done."""
        self.stopped = True
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def close(self, left_s: float) -> None:
        """End it within `left_s` seconds; what is done by then is kept."""
        self.stop()
        if self._process is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), left_s)
        await self._end()

    async def _followed(self, order: bytes, log: BinaryIO, heard: Callable[[dict[str, Any]], bool]) -> str:
        process = self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            limit=MOST_LINE_BYTES,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(order)
        if self.stopped:
            self.stop()
        over = False
        async for line in process.stdout:
            over = heard(json.loads(line)) or over
        code = await process.wait()
        if over or self.stopped:
            return ""
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"its program ended early: {how}. {_last_words(log)}".strip()

    async def _end(self) -> None:
        """Make sure that the process and all of its group are gone."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def put_end(core: Core, run_id: int, state: RunState, jobs: Sequence[NewJob]) -> None:
    """Put into the ledger how a run ended, and what became of each of its jobs."""
    now_s = core.wall_clock()

    def ended(ledger: Ledger) -> tuple[RunSummary, ...]:
        ledger.replace_jobs(run_id, jobs)
        ledger.move_run(run_id, state, now_s)
        return ledger.summaries()

    core.runs = await core.ledger.submit(ended)


def _last_words(log: BinaryIO) -> str:
    log.seek(0, os.SEEK_END)
    log.seek(max(0, log.tell() - TAIL_BYTES))
    lines = [line for line in log.read().splitlines() if line.strip()]
    return visible(lines[-1])[:300] if lines else ""
