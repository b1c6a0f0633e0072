"""Times calls: the first one, warm-up, then as many as were asked for and as long."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.benchmark.report import Method

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Work:
    """What one call did."""

    items: int
    video_s: float = 0.0
    size_bytes: int = 0
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds in each stage."""


Call = Callable[[], Work]
Make = Callable[[int], Call]
"""Prepares call number N, which is not timed, and returns it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A subject that is ready to be called."""

    make: Make
    unit: str
    check: Callable[[], Vectors | None] = lambda: None
    """Returns the vectors of the reference inputs. Raises ValueError for vectors that cannot be right."""


@dataclass(slots=True)
class Measured:
    """Every call that was timed."""

    first_s: float = 0.0
    warmup_s: list[float] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)


Told = Callable[[int, float], None]
"""Is told of every timed call: how many there were, and the seconds of the last."""


def measure(
    make: Make,
    method: Method,
    told: Told,
    began: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Measured:
    """Time calls by `method` and return them; `began` is told when those that count begin. Raises what a call raises.

    Calls go on until there are enough of them and they took long enough, but none begins after `max_seconds`.
    """
    found = Measured()
    found.first_s, _ = _timed(clock, make(0))
    for number in range(method.warmup_iterations):
        found.warmup_s.append(_timed(clock, make(1 + number))[0])
    gc.collect()
    began()
    until, spent_s, number = clock() + method.max_seconds, 0.0, 1 + method.warmup_iterations
    while len(found.times_s) < method.iterations or spent_s < method.min_seconds:
        if found.times_s and clock() >= until:
            break
        seconds, work = _timed(clock, make(number))
        number += 1
        spent_s += seconds
        found.times_s.append(seconds)
        found.works.append(work)
        told(len(found.times_s), seconds)
    return found


def _timed(clock: Callable[[], float], call: Call) -> tuple[float, Work]:
    began = clock()
    work = call()
    return clock() - began, work
