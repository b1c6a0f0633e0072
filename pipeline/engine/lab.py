"""Has a benchmark measured by a child process, and tells how it gets on."""

import asyncio
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pipeline.engine.core import Core
from pipeline.engine.ledger import Ledger
from pipeline.engine.records import NewJob, RunRecord
from pipeline.engine.threads import in_thread
from pipeline.lab import LabResult, LabView
from pipeline.model import FailureClass, JobState, RunState
from pipeline.snapshot import RunSummary
from pipeline.text import visible

LAB_COMMAND = (sys.executable, "-P", "-m", "pipeline.benchmark.session")
LOG = b"log.txt"
"""What the process that measures complains of, in the folder of its benchmark."""
MOST_LINE_BYTES = 1 << 22
TIMES_KEPT = 240
"""Times of the subject at hand that are told at most."""
TAIL_BYTES = 4096
END_S = 5.0
"""How long a benchmark that is stopped may take to write what it has measured."""


class Lab:
    """Measures one benchmark at a time; `Core.lab` tells how far it is."""

    def __init__(self, core: Core, command: Sequence[str] = LAB_COMMAND) -> None:
        self._core = core
        self._command = tuple(command)
        self._process: asyncio.subprocess.Process | None = None
        self._times: deque[float] = deque(maxlen=TIMES_KEPT)
        self._cancelled = False

    async def measure(self, run: RunRecord) -> None:
        """Have a run measured, and put into the ledger how it ended and what became of each subject."""
        core = self._core
        core.note("info", f"Benchmark {run.run_id} is being measured.")
        core.runs = await core.ledger.submit(lambda ledger: ledger.summaries())
        state, jobs = await self._run(run)
        if core.closing:
            return
        now_s = core.wall_clock()

        def ended(ledger: Ledger) -> tuple[RunSummary, ...]:
            ledger.replace_jobs(run.run_id, jobs)
            ledger.move_run(run.run_id, state, now_s)
            return ledger.summaries()

        core.runs = await core.ledger.submit(ended)
        self._show(None)
        lost = next((job.reason for job in jobs if job.reason), "")
        if state is RunState.INTERRUPTED:
            core.note("error", f"Benchmark {run.run_id} failed: {lost}")
        else:
            core.note("info", f"Benchmark {run.run_id} is {state}.")

    async def _run(self, run: RunRecord) -> tuple[RunState, list[NewJob]]:
        self._cancelled = False
        self._show(LabView(run.run_id))
        try:
            why = await self._measured(run.out)
        except (OSError, ValueError, LookupError, TypeError) as error:
            why = f"The process that measures could not be started or understood: {error}"
        finally:
            await self._end()
        view = self._core.lab or LabView(run.run_id)
        jobs = [job_of(one) for one in view.results]
        if self._cancelled:
            return RunState.CANCELLED, jobs
        if not why:
            return RunState.DONE, jobs
        told = {one.name for one in view.results}
        lost = [LabResult(name, why) for name in view.planned or ("benchmark",) if name not in told]
        return RunState.INTERRUPTED, [*jobs, *map(job_of, lost)]

    def cancel(self) -> None:
        """Have it end with what is measured."""
        self._cancelled = True
        if self._core.lab:
            self._show(replace(self._core.lab, stopping=True))
        self._hang_up()

    async def close(self, left_s: float) -> None:
        """End what is measured within `left_s` seconds; what is measured by then is kept."""
        process = self._process
        if process is None:
            return
        self._hang_up()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), left_s)
        await self._end()

    async def _measured(self, folder: bytes) -> str:
        """Follow the process to its end and return why it failed, empty if it did not."""
        with await in_thread(lambda: open(os.path.join(folder, LOG), "wb")) as log:
            process = self._process = await asyncio.create_subprocess_exec(
                *self._command,
                folder,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                limit=MOST_LINE_BYTES,
            )
        if self._cancelled:
            self._hang_up()
        assert process.stdout is not None
        over = False
        async for line in process.stdout:
            over = self._heard(json.loads(line)) or over
        code = await process.wait()
        if over or self._cancelled:
            return ""
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"The process that measures ended early: {how}. {_last_words(os.path.join(folder, LOG))}".strip()

    def _heard(self, event: dict[str, Any]) -> bool:
        """Take one event; return whether it is the last."""
        view = self._core.lab
        assert view is not None
        match event.pop("event"):
            case "planned":
                self._show(replace(view, planned=tuple(event["names"]), wanted=event["wanted"]))
            case "progress":
                if event["name"] != view.name or event["phase"] != view.phase:
                    self._times.clear()
                if event["last_s"]:
                    self._times.append(event["last_s"])
                told = {name: event[name] for name in ("name", "phase", "calls")}
                self._show(replace(view, times_s=tuple(self._times), **told))
            case "result":
                event |= {name: tuple(event[name]) for name in ("reasons", "times_s")}
                self._show(replace(view, results=(*view.results, LabResult(**event))))
            case "over":
                return True
        return False

    def _show(self, view: LabView | None) -> None:
        self._core.lab, self._core.dirty = view, True

    def _hang_up(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def _end(self) -> None:
        """Make sure that the process and all of its group are gone."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def job_of(one: LabResult) -> NewJob:
    """Return a subject as the ledger keeps it."""
    name = os.fsencode(one.name)
    if one.measured:
        return NewJob(b"", name, JobState.DONE)
    return NewJob(b"", name, JobState.FAILED, reason=one.message, failure=FailureClass.WORKER_CRASHED)


def _last_words(path: bytes) -> str:
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - TAIL_BYTES))
        lines = [line for line in file.read().splitlines() if line.strip()]
    return visible(lines[-1])[:300] if lines else ""
