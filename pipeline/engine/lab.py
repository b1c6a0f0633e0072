"""Has a benchmark measured by a child process, and tells how it gets on."""

import os
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pipeline.engine.core import Core
from pipeline.engine.records import NewJob, RunRecord
from pipeline.engine.session import Session, put_end
from pipeline.engine.threads import in_thread
from pipeline.lab import LabResult, LabView
from pipeline.model import FailureClass, JobState, RunState

LAB_COMMAND = (sys.executable, "-P", "-m", "pipeline.benchmark.session")
LOG = b"log.txt"
"""What the process that measures complains of, in the folder of its benchmark."""
TIMES_KEPT = 240
"""Times of the subject at hand that are told at most."""


class Lab:
    """Measures one benchmark at a time; `Core.lab` tells how far it is."""

    def __init__(self, core: Core, command: Sequence[str] = LAB_COMMAND) -> None:
        self._core = core
        self._command = tuple(command)
        self._session: Session | None = None
        self._times: deque[float] = deque(maxlen=TIMES_KEPT)

    async def carry_out(self, run: RunRecord) -> None:
        """Have a run measured, and put into the ledger how it ended and what became of each subject."""
        core = self._core
        core.note("info", f"Benchmark {run.run_id} is being measured.")
        core.runs = await core.ledger.submit(lambda ledger: ledger.summaries())
        state, jobs = await self._run(run)
        if core.closing:
            return
        await put_end(core, run.run_id, state, jobs)
        self._show(None)
        lost = next((job.reason for job in jobs if job.reason), "")
        if state is RunState.INTERRUPTED:
            core.note("error", f"Benchmark {run.run_id} failed: {lost}")
        else:
            core.note("info", f"Benchmark {run.run_id} is {state}.")

    async def _run(self, run: RunRecord) -> tuple[RunState, list[NewJob]]:
        session = self._session = Session((*self._command, os.fsdecode(run.out)))
        self._show(LabView(run.run_id))
        try:
            with await in_thread(lambda: open(os.path.join(run.out, LOG), "w+b")) as log:
                why = await session.follow(b"", log, self._heard)
        except (OSError, ValueError, LookupError, TypeError) as error:
            why = f"its program could not be started or understood: {error}"
        view = self._core.lab or LabView(run.run_id)
        jobs = [job_of(one) for one in view.results]
        if session.stopped:
            return RunState.CANCELLED, jobs
        if not why:
            return RunState.DONE, jobs
        told = {one.name for one in view.results}
        lost = [LabResult(name, why) for name in view.planned or ("benchmark",) if name not in told]
        return RunState.INTERRUPTED, [*jobs, *map(job_of, lost)]

    def cancel(self, run_id: int) -> bool:
        """Have a run end with what is measured; return whether it is the one that is measured now."""
        if self._core.lab is None or self._core.lab.run_id != run_id or self._session is None:
            return False
        self._show(replace(self._core.lab, stopping=True))
        self._session.stop()
        return True

    async def close(self, left_s: float) -> None:
        """End what is measured within `left_s` seconds; what is measured by then is kept."""
        if self._session is not None:
            await self._session.close(left_s)

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


def job_of(one: LabResult) -> NewJob:
    """Return a subject as the ledger keeps it."""
    name = os.fsencode(one.name)
    if one.measured:
        return NewJob(b"", name, JobState.DONE)
    return NewJob(b"", name, JobState.FAILED, reason=one.message, failure=FailureClass.WORKER_CRASHED)
