"""Throughput of the stages and the estimate of the end, from what workers tell."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.engine.readings import Readings
from pipeline.model import Stage
from pipeline.text import plural

_FEW_JOBS, _LITTLE = 5, 100
"""Fewer jobs than these tell nothing of a hundred times as many bytes as they had."""
_LEAST_SHARE, _OF_SHARES = 0.03, 0.3
"""The share of a job from which on it tells how long the rest takes, and how far that may be off."""
SAMPLES_KEPT = 512
"""Durations kept of each stage for its percentiles, and of jobs for the range of the estimate."""


class Window:
    """A sum over the last seconds, kept by the second, so that its memory has a bound."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._bins: deque[list[float]] = deque()
        self._begun_s = -1.0

    def add(self, now_s: float, amount: float) -> None:
        """Count `amount` at `now_s`."""
        if self._begun_s < 0:
            self._begun_s = now_s
        second = math.floor(now_s)
        if self._bins and self._bins[-1][0] == second:
            self._bins[-1][1] += amount
        else:
            self._bins.append([second, amount])
        self._forget(now_s)

    def per_s(self, now_s: float) -> float:
        """Return the mean a second over the window, or over what has passed of it."""
        self._forget(now_s)
        passed = min(self._window_s, max(1.0, now_s - self._begun_s))
        return sum(amount for _, amount in self._bins) / passed if self._bins else 0.0

    def _forget(self, now_s: float) -> None:
        while self._bins and self._bins[0][0] < now_s - self._window_s:
            self._bins.popleft()


@dataclass(slots=True)
class StageRates:
    """What is known of one stage over the active run."""

    items: Window
    video_s: Window
    done: int = 0
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=SAMPLES_KEPT))
    busy: Window = field(default_factory=lambda: Window(30.0))
    history: Readings = field(default_factory=lambda: Readings(1.0, 120))

    def passed(self, seconds: float) -> None:
        """Count one job that has passed this stage."""
        self.done += 1
        self.seconds.append(seconds)

    def percentile(self, share: float) -> float:
        """Return the duration in seconds that `share` of the jobs stayed below."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def stage_rates(window_s: float, history: Readings) -> StageRates:
    """Return empty rates over `window_s` seconds."""
    return StageRates(Window(window_s), Window(window_s), busy=Window(window_s), history=history)


class Estimate:
    """When the run will end: work left over speed, where the work of a job is its duration times its pixels.

    A video not yet opened is weighed by its size, at the work per byte of those that are done. Results that were
    whole already are not counted: they say nothing about speed.
    """

    def __init__(self) -> None:
        self._known: dict[int, float] = {}
        self._unknown_bytes = 0
        self._unknown_jobs = 0
        self._done_work = 0.0
        self._done_bytes = 0
        self._done_jobs = 0
        self._costs: deque[float] = deque(maxlen=SAMPLES_KEPT)

    def add(self, job_id: int, size_bytes: int, work: float) -> None:
        """Count a job that is to be done; `work` 0 = not known yet."""
        if work > 0:
            self._known[job_id] = work
        else:
            self._unknown_bytes += size_bytes
            self._unknown_jobs += 1

    def drop(self, job_id: int, size_bytes: int) -> None:
        """Count a job no more: it is over."""
        if self._known.pop(job_id, 0.0) == 0.0:
            self._unknown_bytes = max(0, self._unknown_bytes - size_bytes)
            self._unknown_jobs = max(0, self._unknown_jobs - 1)

    def done(self, size_bytes: int, work: float, seconds: float) -> None:
        """Learn from a job that took `seconds` of one worker."""
        self._done_bytes += size_bytes
        self._done_work += work
        self._done_jobs += 1
        if work > 0 and seconds > 0:
            self._costs.append(seconds / work)

    def seconds_left(self, active_s: float, shares: Sequence[float]) -> tuple[float, float, float] | None:
        """Return (likely, low, high), or None before what is done tells anything.

        `active_s` is how long work has gone on, `shares` how much is done of each job that runs.
        """
        under_way = sum(shares)
        if not self._done_jobs and len(shares) == len(self._known) + self._unknown_jobs:
            return _of_shares(active_s, shares)
        if not self._done_jobs or active_s <= 0 or self._done_work <= 0:
            return None
        if self._done_jobs < _FEW_JOBS and self._done_bytes * _LITTLE < self._unknown_bytes:
            return None
        per_job = self._done_work / self._done_jobs
        per_byte = self._done_work / self._done_bytes if self._done_bytes else 0.0
        left = sum(self._known.values())
        left += self._unknown_bytes * per_byte if per_byte else self._unknown_jobs * per_job
        left = max(0.0, left - under_way * per_job)
        likely = left * active_s / (self._done_work + under_way * per_job)
        spread = min(0.9, 0.1 + self._variation() / math.sqrt(self._done_jobs))
        return likely, likely * (1 - spread), likely * (1 + spread)

    def _variation(self) -> float:
        """Return the coefficient of variation of the cost of a unit of work; 1 while too little is known."""
        if len(self._costs) < 3:
            return 1.0
        mean = sum(self._costs) / len(self._costs)
        variance = sum((cost - mean) ** 2 for cost in self._costs) / len(self._costs)
        return math.sqrt(variance) / mean


def work_of(result: Mapping[str, Any]) -> float:
    """Return the work that a video is: its seconds times its pixels, 0 if it has not been opened yet."""
    return float(result.get("duration_s", 0.0) * max(1, int(result.get("width", 0)) * int(result.get("height", 0))))


def _of_shares(active_s: float, shares: Sequence[float]) -> tuple[float, float, float] | None:
    """Return what is left of jobs that all began together, by the one that is furthest behind."""
    least = min(shares, default=0.0)
    if least < _LEAST_SHARE or active_s <= 0:
        return None
    likely = active_s * (1 - least) / least
    return likely, likely * (1 - _OF_SHARES), likely * (1 + _OF_SHARES)


def bottleneck(
    shares: dict[Stage, float],
    *,
    waiting_for_host: int,
    busy: int,
    workers: int,
    host_share: float,
    loading: bool = False,
) -> str:
    """Return one sentence that names what everything else waits for, empty while nothing stands out."""
    if not busy:
        return ""
    if waiting_for_host * 2 >= busy:
        waits = "waits" if waiting_for_host == 1 else "wait"
        if loading:
            return f"Models are being loaded: {waiting_for_host} of {plural(busy, 'busy worker')} {waits} for them."
        return f"The model host is the bottleneck: {waiting_for_host} of {plural(busy, 'busy worker')} {waits} for it."
    if host_share > 0.9:
        return f"The model host is the bottleneck: it is busy {host_share:.0%} of the time."
    stage, share = max(shares.items(), key=lambda pair: pair[1], default=(None, 0.0))
    if stage is None or share < 0.3:
        return ""
    full = "all" if busy >= workers else f"{busy} of {workers}"
    return f"{str(stage).capitalize()} is the bottleneck: {share:.0%} of the time of {full} workers goes there."
