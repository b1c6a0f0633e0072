"""Has the stored videos of a folder classified by a child process, and tells how far it is."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pipeline.analysis.classes import Classes, Head, begun_classes, read_classes
from pipeline.analysis.folder import Folder, folder_of
from pipeline.engine.core import Core
from pipeline.engine.records import NewJob, RunRecord
from pipeline.engine.session import Session, put_end
from pipeline.engine.threads import in_thread
from pipeline.errors import VconsoleError
from pipeline.model import FailureClass, JobState, RunState
from pipeline.snapshot import ClassifyView

CLASSIFY_COMMAND = (sys.executable, "-P", "-m", "pipeline.analysis.session")


class Classification:
    """Carries out one classification at a time; `Core.classify` tells how far it is."""

    def __init__(self, core: Core, command: Sequence[str] = CLASSIFY_COMMAND) -> None:
        self._core = core
        self._command = tuple(command)
        self._session: Session | None = None
        self._refused = ""
        self._recorded = asyncio.Event()

    async def carry_out(self, run: RunRecord) -> None:
        """Have a folder classified, and put into the ledger how that ended and the class of each video."""
        core = self._core
        core.note("info", f"Run {run.run_id} classifies the videos stored in {os.fsdecode(run.inputs[0])}.")
        core.runs = await core.ledger.submit(lambda ledger: ledger.summaries())
        self._recorded.clear()
        try:
            state, why = await self._followed(run)
            began = bool(core.classify and core.classify.of)
            await put_end(core, run.run_id, state, await in_thread(lambda: _jobs(run, state, why, began=began)))
        finally:
            self._show(None)
            self._recorded.set()
        if why:
            core.note("error", f"Run {run.run_id} cannot go on: {why}")
        else:
            core.note("info", f"Run {run.run_id}, a classification, is {state}.")

    def cancel(self, run_id: int) -> bool:
        """Have a run end with what is classified; return whether it is the one at hand."""
        if self._core.classify is None or self._core.classify.run_id != run_id or self._session is None:
            return False
        self._show(replace(self._core.classify, stopping=True))
        self._session.stop()
        return True

    async def close(self, left_s: float) -> None:
        """End what is at hand within `left_s` seconds; what is classified by then is kept."""
        if self._core.classify is None or self._session is None:
            return
        begun_s = self._core.clock()
        await self._session.close(left_s)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._recorded.wait(), left_s - (self._core.clock() - begun_s))

    async def _followed(self, run: RunRecord) -> tuple[RunState, str]:
        """Follow the process to its end, and return how the run ended and why it cannot go on, empty if it can."""
        session, self._refused = Session(self._command), ""
        self._session = session
        self._show(ClassifyView(run.run_id))
        order = {"folder": os.fsdecode(run.inputs[0]), "settings": run.settings, "force": run.force}
        try:
            with await in_thread(tempfile.TemporaryFile) as log:
                why = await session.follow(json.dumps(order).encode("ascii") + b"\n", log, self._heard)
        except (OSError, ValueError, LookupError, TypeError) as error:
            why = f"its program could not be started or understood: {error}"
        if self._core.closing:
            return RunState.INTERRUPTED, ""
        if session.stopped:
            return RunState.CANCELLED, ""
        why = self._refused or why
        return RunState.INTERRUPTED if why else RunState.DONE, why

    def _heard(self, event: dict[str, Any]) -> bool:
        """Take one event; return whether it is the last."""
        view = self._core.classify
        assert view is not None
        match event["event"]:
            case "progress":
                self._show(replace(view, done=int(event["done"]), of=int(event["of"])))
            case "refused":
                self._refused = str(event["why"])
        return event["event"] in {"over", "refused"}

    def _show(self, view: ClassifyView | None) -> None:
        self._core.classify, self._core.dirty = view, True


def _jobs(run: RunRecord, state: RunState, why: str, *, began: bool) -> list[NewJob]:
    """Return what became of each video; none where the folder is gone."""
    try:
        folder = folder_of(run.inputs[0])
        found = read_classes(folder.out) if state is RunState.DONE else begun_classes(folder.out) if began else None
        return list(jobs_of(folder, found, why))
    except (OSError, VconsoleError):
        return []


def jobs_of(folder: Folder, found: Classes | None, why: str = "") -> Iterator[NewJob]:
    """Yield a job for each video: done with its class, failed with what is wrong, or to be done, since `why`."""
    for name in folder.names:
        video = found.video(os.fsdecode(name)) if found else None
        source = folder.path(name)
        if found is None or video is None:
            yield NewJob(source, name, JobState.QUEUED, result={"why": why} if why else {})
        elif "problem" in video:
            yield NewJob(source, name, JobState.FAILED, reason=video["problem"], failure=FailureClass.CORRUPT)
        else:
            yield NewJob(source, name, JobState.DONE, result=_result(found.head, video["video"]))


def _result(head: Head, shares: list[float] | None) -> dict[str, Any]:
    label, probability = head.named(shares)
    return {"label": label, "probability": probability}
