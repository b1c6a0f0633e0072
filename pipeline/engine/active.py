"""The active run in memory: a row a job, counts, failures and rates; only classes grow with the number of jobs, too."""

import os
from array import array
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pipeline.engine.faults import Trouble
from pipeline.engine.heap import Heap
from pipeline.engine.job_rows import MADE, failure_of, row_of
from pipeline.engine.kinds import needs_host
from pipeline.engine.rates import Estimate, StageRates, Window, stage_rates, work_of
from pipeline.engine.readings import Readings
from pipeline.engine.records import JobRecord, RunRecord
from pipeline.engine.scheduler import Queue
from pipeline.engine.surroundings import Surroundings
from pipeline.engine.volumes import Volume
from pipeline.model import BAD, STAGES, TERMINAL, JobState, RunState, Stage
from pipeline.outputs.paths import features_name
from pipeline.rows import Table
from pipeline.settings import PipelineSettings
from pipeline.snapshot import FailureRow, JobRow

LIVE = frozenset({RunState.RUNNING, RunState.PAUSED, RunState.DRAINING})
"""States of a run that this engine works on."""
ENDED = frozenset({RunState.DONE, RunState.CANCELLED, RunState.INTERRUPTED})
"""States of a run in which nothing more happens."""
ROWS_AT_ONCE = 2000
"""Rows that are looked at without a break when all of them are gone through."""


class ActiveRun:
    """What the engine holds of the run it works on, or worked on last."""

    def __init__(
        self,
        record: RunRecord,
        settings: PipelineSettings,
        fingerprints: Mapping[str, str],
        *,
        now_s: float = 0.0,
        wall_s: float = 0.0,
    ) -> None:
        """`now_s` is this moment by the clock that only rises, `wall_s` the same as Unix time."""
        self.record = record
        self.settings = settings
        self.fingerprints = dict(fingerprints)
        self.surroundings = Surroundings(Volume(record.out), (), record.kind)
        self.state = RunState.RUNNING
        self.paused_because = ""
        self.hold: Trouble | None = None
        """The fault of the surroundings that the run waits for to pass."""
        self.hold_due_s = 0.0
        self.holds = 0
        """How often it was held, or looked at in vain, since a job was done."""
        self.asked = False
        """Whether the operator has asked to go on and is to be told if it cannot."""
        self.begun = False
        """Whether its folder is made, its rows are taken in and discovery walks."""
        self.discovering = True
        self.past = False
        """Whether it is over and only shown: before any of it can start it has to be begun anew."""
        self.reported = False
        """Whether manifest and reports have been written since the last job ended."""
        self.queue = Queue()
        self.reused = 0
        self.active_s = 0.0
        self.bytes_read = 0
        self.bytes_written = 0
        self.estimate = Estimate()
        limits = settings.engine
        self.video_s = Window(limits.rate_window_s)
        self.stages: dict[Stage, StageRates] = {
            stage: stage_rates(limits.rate_window_s, Readings(limits.history_s, limits.history_kept))
            for stage in STAGES[record.kind]
            if settings.asks_for(stage)
        }
        self._begun_s = now_s
        self._before_s = max(0.0, wall_s - record.started_s) if record.started_s else 0.0
        self._frozen_s: float | None = None
        self.failures: deque[FailureRow] = deque(maxlen=limits.events_kept)
        self.rows: Table[JobRow] = Table()
        self._heap = Heap()
        self.counts: Counter[JobState] = Counter()
        self.labels: Mapping[bytes, str] = {}
        """The class of each video that has one, by its feature file below the output folder."""
        self._ids = array("q")

    @property
    def needs_host(self) -> bool:
        """Whether its jobs need a model host."""
        return needs_host(self.record.kind, self.settings)

    def rates_at(self, now_s: float) -> float:
        """Return the moment whose rates are to be shown: now, or that of its end once it is over."""
        if self.state not in ENDED:
            self._frozen_s = None
            return now_s
        if self._frozen_s is None:
            self._frozen_s = now_s
        return self._frozen_s

    def elapsed_s(self, now_s: float) -> float:
        """Return the seconds since the run was first begun; a wall clock that is set meanwhile changes nothing."""
        return self._before_s + self.rates_at(now_s) - self._begun_s

    def add(self, job: JobRecord) -> None:
        """Take in a job that is new, or that a resumed run already has; ids come in rising order."""
        self._ids.append(job.job_id)
        self.rows.append(self._labelled(job))
        self._heap.made(1)
        self.counts[job.state] += 1
        self.reused += job.reused
        if job.state in BAD:
            self.failures.appendleft(failure_of(job, self.record.kind))
        if job.state not in TERMINAL:
            self.estimate.add(job.job_id, job.identity.size_bytes, work_of(job.result))

    def has(self, job_id: int) -> bool:
        """Whether the run has this job; one that runs before its row is taken in will be met as it is then."""
        return self._index(job_id) is not None

    def row(self, job_id: int) -> JobRow | None:
        """Return the row of a job, None if it is not taken in yet."""
        index = self._index(job_id)
        return None if index is None else self.rows[index]

    def _index(self, job_id: int) -> int | None:
        index = bisect_left(self._ids, job_id)
        return index if index < len(self._ids) and self._ids[index] == job_id else None

    def set(self, job_id: int, **changes: Any) -> None:
        """Replace the row of a job, if it is taken in, by one with `changes`."""
        index = self._index(job_id)
        if index is None:
            return
        before = self.rows[index]
        after = replace(before, **changes)
        if after.state is not before.state:
            self.counts[before.state] -= 1
            self.counts[after.state] += 1
        self.rows[index] = after
        self._heap.made(1)

    def put(self, job: JobRecord) -> None:
        """Replace the row of a job, if it is taken in, by what the ledger says of it."""
        index = self._index(job.job_id)
        if index is None:
            return
        shown, row = self.rows[index], self._labelled(job) if job.reused else row_of(job)
        before = shown.state
        self.rows[index] = row if row.duration_s else replace(row, duration_s=shown.duration_s)
        self._heap.made(1)
        self.reused += job.reused - shown.reused
        self.counts[before] -= 1
        self.counts[job.state] += 1
        if before in BAD:
            self._drop_failure(job.job_id)
        if job.state in BAD:
            self.failures.appendleft(failure_of(job, self.record.kind))
        if before not in TERMINAL and job.state in TERMINAL:
            self.estimate.drop(job.job_id, job.identity.size_bytes)
        elif before in TERMINAL and job.state not in TERMINAL:
            self.estimate.add(job.job_id, job.identity.size_bytes, work_of(job.result))

    def cancel_open(self) -> Iterator[None]:
        """Cancel every job that is neither running nor over; yields now and then, so that others get their turn."""
        self.queue, self.estimate = Queue(), Estimate()
        for index in range(len(self.rows)):
            row = self.rows[index]
            if row.state not in TERMINAL and row.state is not JobState.RUNNING:
                self.set(row.job_id, state=JobState.CANCELLED, waiting_for="")
            if index % ROWS_AT_ONCE == 0:
                yield

    def classify(self, labels: Mapping[bytes, str]) -> Iterator[None]:
        """Take in what classes the videos have; yields now and then, so that others get their turn."""
        self.labels = labels
        for index in range(len(self.rows)):
            row = self.rows[index]
            label = self._label(os.fsencode(row.name), row.state)
            if label != row.label:
                self.set(row.job_id, label=label)
            if index % ROWS_AT_ONCE == 0:
                yield

    def _labelled(self, job: JobRecord) -> JobRow:
        row = row_of(job)
        label = self._label(job.relative, job.state)
        return replace(row, label=label) if label else row

    def _label(self, relative: bytes, state: JobState) -> str:
        return self.labels.get(features_name(relative), "") if self.labels and state in MADE else ""

    def is_over(self) -> bool:
        """Whether no job is left to do and discovery is over."""
        left = sum(count for state, count in self.counts.items() if state not in TERMINAL)
        return not self.discovering and left == 0

    def _drop_failure(self, job_id: int) -> None:
        kept = [row for row in self.failures if row.job_id != job_id]
        self.failures.clear()
        self.failures.extend(kept)
