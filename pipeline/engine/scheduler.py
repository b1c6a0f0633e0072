"""Which job is next, and what an attempt's end makes of its job: decisions without a clock of their own."""

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from pipeline.engine.faults import Fault, Trouble
from pipeline.engine.records import Ending, JobRecord, Tried
from pipeline.errors import RETRY
from pipeline.model import FailureClass, JobState, Stage
from pipeline.sections import EngineSettings

CRASHES = frozenset({"crashed", "stalled"})
"""Endings that are the death of a worker by, or at, its own video."""


@dataclass(frozen=True, slots=True)
class Report:
    """How an attempt ended, as the engine saw it.

    `outcome` is done | partial | failed | skipped | divided | stopped (told by the worker), crashed (told of
    the model host, or found of the worker) or stalled | killed | over_cap | cancelled (found by the engine).
    """

    outcome: str
    failure: FailureClass | None = None
    stage: Stage | None = None
    message: str = ""
    detail: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    errno: int = 0
    """The system's error number that caused the failure, 0 if none did."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from a report: the job's ending, and what it means for the queue and the run."""

    ending: Ending
    pause_s: float = 0.0
    """How long the job waits before its next attempt, if its state is waiting."""
    hold: Fault | None = None
    """The fault of the surroundings that holds up the whole run, if any."""
    alone: bool = False
    """Whether the next attempt runs with no other job beside it."""


def runs_alone(tried: Tried, limits: EngineSettings) -> bool:
    """Whether so many engines died or workers were killed during this job that it must run alone."""
    return max(tried.engine_deaths, tried.kills) >= limits.max_engine_deaths


def judge(
    job: JobRecord,
    report: Report,
    limits: EngineSettings,
    *,
    alone: bool,
    host_ready: bool,
    keep_partial: bool = True,
    trouble: Trouble | None = None,
) -> Verdict:
    """Decide what the end of one attempt makes of `job`, the row as it ran (this attempt already charged), or of the
    chunk of it that ran.

    `trouble` is what the surroundings were found to be at fault with. Their faults cost the video nothing, unless it
    ran out of memory while it ran alone.
    """
    tried = job.tried
    if trouble is not None and (trouble.fault is not Fault.MEMORY or not alone):
        lonely = trouble.fault in {Fault.MEMORY, Fault.PROCESSES} or not trouble.sure
        ending = _ending(report, JobState.QUEUED, "surroundings", charged=False)
        return Verdict(ending, hold=trouble.fault, alone=alone or lonely)
    if report.outcome in {"done", "partial", "skipped", "cancelled"}:
        return Verdict(_ending(report, JobState(report.outcome), report.outcome))
    if report.outcome == "divided":
        return Verdict(_ending(report, JobState.QUEUED, "divided", charged=False))
    if report.outcome == "stopped":
        return Verdict(_ending(report, JobState.QUEUED, "given_back", charged=False))
    if report.outcome == "over_cap" and not alone:
        return Verdict(_ending(report, JobState.QUEUED, "over_cap", charged=False), alone=True)
    if report.outcome == "killed" and not alone:
        lonely = tried.kills + 1 >= limits.max_engine_deaths
        return Verdict(_ending(report, JobState.QUEUED, "killed", charged=False, kill=True), alone=lonely)
    if report.outcome in CRASHES or report.outcome == "killed":
        return _after_crash(tried, report, limits, alone)
    return _after_failure(tried, report, limits, alone=alone, host_ready=host_ready, keep_partial=keep_partial)


def _after_crash(tried: Tried, report: Report, limits: EngineSettings, alone: bool) -> Verdict:
    if tried.crashes + 1 >= limits.max_crashes:
        return Verdict(_ending(report, JobState.QUARANTINED, report.outcome, crash=True))
    if tried.attempts >= limits.max_attempts:
        return Verdict(_ending(report, JobState.FAILED, report.outcome, crash=True))
    ending = _ending(report, JobState.WAITING, report.outcome, crash=True)
    return Verdict(ending, pause_s=retry_pause(tried.attempts, limits), alone=alone)


def _after_failure(
    tried: Tried,
    report: Report,
    limits: EngineSettings,
    *,
    alone: bool,
    host_ready: bool,
    keep_partial: bool,
) -> Verdict:
    failure = report.failure
    if failure is FailureClass.MODEL and report.stage is not Stage.TEXT and not host_ready:  # it has its own engine
        return Verdict(_ending(report, JobState.QUEUED, "surroundings", charged=False), hold=Fault.HOST, alone=alone)
    if failure is FailureClass.DISK_FULL:
        ending = _ending(report, JobState.QUEUED, "surroundings", charged=False)
        return Verdict(ending, hold=Fault.OUT_FULL, alone=alone)
    if failure is FailureClass.OUT_OF_MEMORY and not alone:
        return Verdict(_ending(report, JobState.QUEUED, "surroundings", charged=False), alone=True)
    if failure not in RETRY:
        corrupt = failure is FailureClass.CORRUPT and not keep_partial
        return Verdict(_ending(report, JobState.QUARANTINED if corrupt else JobState.FAILED, "failed"))
    if tried.attempts >= limits.max_attempts:
        return Verdict(_ending(report, JobState.FAILED, "failed"))
    if failure is FailureClass.CHANGED:
        return Verdict(_ending(report, JobState.SETTLING, "changed"))
    ending = _ending(report, JobState.WAITING, "failed")
    return Verdict(ending, pause_s=retry_pause(tried.attempts, limits), alone=alone)


def retry_pause(attempts: int, limits: EngineSettings) -> float:
    """Return the pause in seconds after the given number of attempts: doubled each time, up to the longest."""
    return float(min(limits.retry_pause_s * 2.0 ** min(attempts - 1, 30), limits.retry_pause_max_s))


def _ending(
    report: Report,
    state: JobState,
    outcome: str,
    *,
    charged: bool = True,
    crash: bool = False,
    kill: bool = False,
) -> Ending:
    return Ending(
        state=state,
        outcome=outcome,
        failure=report.failure,
        stage=report.stage,
        message=report.message,
        detail=report.detail,
        reason=str(report.result.get("reason", "")) if state is JobState.SKIPPED else "",
        charged=charged,
        crash=crash,
        kill=kill,
        result=report.result,
    )


class Queue:
    """The jobs of the active run that are to be started, by number only.

    The ledger refuses to start a job that was cancelled while it was on its way. Order is first in, first out; a job
    that must run alone waits until no other is left to start, and nothing starts beside it. A job that is done in
    chunks has one place among the others, and more chunks of it start when those are all under way.
    """

    def __init__(self) -> None:
        self._ready: deque[int] = deque()
        self._alone: deque[int] = deque()
        self._chunks: dict[int, int] = {}
        self._waiting: list[tuple[float, int, bool]] = []

    def __len__(self) -> int:
        return self.ready() + len(self._waiting)

    def add(self, job_id: int, *, alone: bool = False) -> None:
        """Queue a job behind the others."""
        (self._alone if alone else self._ready).append(job_id)

    def add_first(self, job_id: int, *, alone: bool = False) -> None:
        """Put back a job that was to start but could not."""
        (self._alone if alone else self._ready).appendleft(job_id)

    def spread(self, job_id: int, chunks: int) -> None:
        """Let so many chunks of a job start beside its others as soon as no other job is ready."""
        self._chunks[job_id] = chunks

    def alone(self, job_id: int) -> int:
        """Return how often a job is queued to run alone."""
        return self._alone.count(job_id)

    def add_later(self, job_id: int, due_s: float, *, alone: bool = False) -> None:
        """Queue a job when the clock reaches `due_s`."""
        heapq.heappush(self._waiting, (due_s, job_id, alone))

    def drop(self, job_id: int) -> None:
        """Take out a job that was cancelled: if it is sent back later, it gets one new place, not a second."""
        for places in (self._ready, self._alone):
            if job_id in places:
                places.remove(job_id)
        self._chunks.pop(job_id, None)
        self._waiting = [one for one in self._waiting if one[1] != job_id]
        heapq.heapify(self._waiting)

    def ripen(self, now_s: float) -> list[int]:
        """Queue the jobs whose pause is over, and return them."""
        ripe = []
        while self._waiting and self._waiting[0][0] <= now_s:
            _, job_id, alone = heapq.heappop(self._waiting)
            self.add(job_id, alone=alone)
            ripe.append(job_id)
        return ripe

    def ready(self) -> int:
        """Return how many jobs could start now."""
        return len(self._ready) + len(self._alone) + sum(self._chunks.values())

    def take_many(self, count: int) -> list[int]:
        """Return up to `count` of the next jobs that may run beside others, up to one that is done in chunks."""
        taken: list[int] = []
        while self._ready and len(taken) < count and self._ready[0] not in self._chunks:
            taken.append(self._ready.popleft())
        return taken

    def take(self, running: int) -> tuple[int, bool] | None:
        """Return the next job and whether it runs alone, given how many run; None if none may start."""
        if self._ready:
            return self._ready.popleft(), False
        for job_id, chunks in self._chunks.items():
            if chunks:
                self._chunks[job_id] -= 1
                return job_id, False
        if self._alone and not running:
            return self._alone.popleft(), True
        return None
