"""Turns what discovery finds into jobs: to do, settling, whole already, or skipped."""

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.engine.discover import Found, walk
from pipeline.engine.faults import Trouble
from pipeline.engine.kinds import KINDS
from pipeline.engine.limits import has_room
from pipeline.engine.reader import LedgerReader
from pipeline.engine.records import NewJob, OutputRecord, RunRecord
from pipeline.engine.sniff import HEAD_BYTES, is_media, why_not
from pipeline.engine.store import LEDGER_NAME, ledger_error
from pipeline.errors import LedgerError
from pipeline.identity import content_id, identity_of, open_regular
from pipeline.model import FailureClass, JobState
from pipeline.outputs.naming import NAMED, Names, candidates
from pipeline.settings import PipelineSettings

BATCH_S = 0.25
"""A batch is handed over after this many seconds though it is not full, so that work can begin."""


class BrokenOff(Exception):  # noqa: N818 - not an error of anything here
    """The surroundings are at fault: what is found now, or is not, says nothing about the inputs."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(str(trouble))
        self.trouble = trouble


class Planner:
    """Decides what is to be done with each input of a run; used by one thread, beside the writer of the ledger.

    `at_fault` is asked what in the surroundings explains a failure with this error number; and with 0, for each
    empty folder and at the end, whether anything explains that no more was found.
    """

    def __init__(
        self,
        run: RunRecord,
        settings: PipelineSettings,
        fingerprints: Mapping[str, str],
        state_dir: Path,
        *,
        at_fault: Callable[[int], Trouble | None] = lambda _: None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._run = run
        self._settings = settings
        self._fingerprints = fingerprints
        self._state_dir = state_dir
        self._at_fault = at_fault
        self._wall_clock = wall_clock
        self._ledger: LedgerReader | None = None
        self._kind = KINDS[run.kind]
        self._names: Names | None = None

    def jobs(self, stop: threading.Event) -> Iterator[NewJob]:
        """Yield a job for each input that the run does not know yet; ends early once `stop` is set.

        Raises BrokenOff if not all of the inputs could be seen, through no fault of theirs, and LedgerError.
        """
        try:
            self._ledger = LedgerReader.read_only(self._state_dir)
        except LedgerError:  # a plan may be made where nothing was run yet
            if not has_room():
                self._see_to(errno.EMFILE)
        try:
            self._names = self._take_names()
            goes_on = self._ledger is not None and self._ledger.has_job(self._run.run_id)
            for found in walk(self._run.inputs, self._run.out, stop.is_set, lambda: self._see_to(0)):
                if goes_on and self._is_known(found):
                    continue
                yield self._decide(found)
            if not stop.is_set():
                self._see_to(0)
        except sqlite3.Error as error:
            raise ledger_error(self._state_dir / LEDGER_NAME, error) from error
        finally:
            if self._ledger:
                self._ledger.close()

    def batches(self, stop: threading.Event) -> Iterator[list[NewJob]]:
        """Yield the jobs in batches of at most `engine.scan_batch`."""
        batch: list[NewJob] = []
        begun = time.monotonic()
        for new in self.jobs(stop):
            batch.append(new)
            if len(batch) >= self._settings.engine.scan_batch or time.monotonic() - begun > BATCH_S:
                yield batch
                batch = []
                begun = time.monotonic()
        if batch:
            yield batch

    def _take_names(self) -> Names | None:
        suffix = self._kind.suffix(self._settings)
        if not suffix:
            return None
        taken = self._ledger.names_of_outputs(self._run.run_id, self._run.out) if self._ledger else ()
        return Names(suffix, taken)

    def _is_known(self, found: Found) -> bool:
        return self._ledger is not None and self._ledger.has_job(self._run.run_id, found.relative)

    def _decide(self, found: Found) -> NewJob:
        if found.failure is not None:
            self._see_to(found.errno)
            return NewJob(found.source, found.relative, JobState.FAILED, reason=found.reason, failure=found.failure)
        if found.reason:
            return NewJob(found.source, found.relative, JobState.SKIPPED, reason=found.reason)
        try:
            return self._named(self._examine(found))
        except OSError as error:
            self._see_to(error.errno or 0)
            reason = f"cannot be read: {error.strerror}"
            return NewJob(found.source, found.relative, JobState.FAILED, found.identity, "", reason, FailureClass.IO)

    def _named(self, new: NewJob) -> NewJob:
        """Return a job with the name of its output, where the engine chooses that."""
        if self._names is None or new.state is JobState.SKIPPED:
            return new
        name, former = self._names.of(new.relative), self._names.former(new.relative)
        reason = new.reason
        if name != next(candidates(new.relative, self._kind.suffix(self._settings))):
            reason = f"another input has the name it would have: it becomes {os.fsdecode(name)}"
        elif former and os.path.lexists(os.path.join(self._run.out, former)):
            reason = f"{os.fsdecode(former)}, made in another format before, stays beside it"
        return replace(new, reason=reason, result=new.result | {NAMED: os.fsdecode(name)})

    def _see_to(self, number: int) -> None:
        trouble = self._at_fault(number)
        if trouble is not None:
            raise BrokenOff(trouble)

    def _examine(self, found: Found) -> NewJob:
        descriptor = open_regular(found.source)
        try:
            identity = identity_of(os.fstat(descriptor))
            head = os.pread(descriptor, HEAD_BYTES, 0)
            media = is_media(found.relative, head)
            why = self._kind.passes_over(found.relative, head) if media else why_not(found.relative)
            if why:
                return NewJob(found.source, found.relative, JobState.SKIPPED, identity, reason=why)
            if self._is_fresh(identity.mtime_ns):
                return NewJob(found.source, found.relative, JobState.SETTLING, identity)
            known = self._ledger.output(self._run.out, found.relative) if self._ledger else None
            same = known is not None and known.identity == identity
            content = known.content_id if known and same else content_id(descriptor)
        finally:
            os.close(descriptor)
        if known is None or known.content_id != content or self._run.force:
            changed = known is not None and known.content_id != content
            return NewJob(found.source, found.relative, JobState.QUEUED, identity, content, changed=changed)
        if not self.is_whole(known):
            hint: dict[str, Any] = {
                key: known.result[key] for key in ("duration_s", "width", "height") if key in known.result
            }
            return NewJob(found.source, found.relative, JobState.QUEUED, identity, content, changed=True, result=hint)
        state = JobState(known.result.get("state", JobState.DONE))
        return NewJob(found.source, found.relative, state, identity, content, reused=True, result=known.result)

    def _is_fresh(self, mtime_ns: int) -> bool:
        """Whether the file changed so recently that it may still be written to (or claims to be of the future)."""
        return self._wall_clock() - mtime_ns / 1e9 < self._settings.engine.settle_s

    def is_whole(self, known: OutputRecord) -> bool:
        """Whether an output stands as its row says and was made with the settings of this run."""
        if known.stage_keys != self._kind.keys(self._settings, known.content_id, self._fingerprints):
            return False
        try:
            status = os.stat(os.path.join(known.out, os.fsencode(known.output)))
        except OSError:
            return False
        if (status.st_size, status.st_mtime_ns) != (known.output_bytes, known.mtime_ns):
            return False
        return self._kind.still_good(self._settings, known)
