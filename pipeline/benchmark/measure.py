"""Times calls: the first one, warm-up, then as many as were asked for and as long, in quiet moments."""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.benchmark.others import disturbing
from pipeline.benchmark.pace import Piece, beside, paces
from pipeline.benchmark.report import Method
from pipeline.benchmark.statistics import stable, windows

Vectors = NDArray[np.float32]

BLOCK_S = 0.5
"""Calls count, or do not, in blocks of this length: the system tells in hundredths of a second who was busy."""
SHORT_S = 0.1
"""A block shorter than this cannot be judged, and counts."""
PATIENCE = 3.0
"""How many times as long as the calls that were asked for may take in all, where others disturb or times waver."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one call did."""

    items: int
    video_s: float = 0.0
    size_bytes: int = 0
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds in each stage."""
    own_s: float | None = None
    """Seconds of what is measured where that is only a part of the call, by a clock of the part's own."""


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
    notes: Callable[[], list[str]] = list
    """Returns sentences about what the calls did; asked once they are over."""
    copied: Callable[[], int] = int
    """Returns how many items of the last call were copied, and not decoded."""


@dataclass(slots=True)
class Measured:
    """Every call that was timed."""

    first_s: float = 0.0
    warmup_s: list[float] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    paces_s: list[float] = field(default_factory=list)
    """Seconds of a piece of work beside each of these calls; empty where none was asked for."""
    works: list[Work] = field(default_factory=list)
    disturbed_s: list[float] = field(default_factory=list)
    """Calls that do not count, since others kept the machine busy meanwhile."""
    other_cores: float = 0.0
    """Cores that others kept busy while calls were timed that count."""


Told = Callable[[int, float], None]
"""Is told of every timed call: how many there were, and the seconds of the last."""


def measure(
    make: Make,
    method: Method,
    told: Told,
    began: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
    others: Callable[[], float] = lambda: 0.0,
    piece: Piece | None = None,
) -> Measured:
    """Time calls by `method` and return them; `began` is told when those that count begin. Raises what a call raises.

    `others` tells how many cores others kept busy since it was asked last. Calls go on until enough of them count, they
    took long enough and are stable, but none begins after `max_seconds`, of warming up nor of counting, nor after
    `PATIENCE` times the time that the calls asked for took. If too few were undisturbed by then, all count. Pieces of
    work are timed between blocks.
    """
    found = Measured()
    cold_s = clock()
    found.first_s, _ = _timed(clock, make(0))
    for number in range(method.warmup_iterations):
        if clock() - cold_s >= method.max_seconds:
            break
        found.warmup_s.append(_timed(clock, make(1 + number))[0])
    gc.collect()
    began()
    others()
    blocks, block, begun_s = list[_Block](), _Block(), clock()
    until_s, number = begun_s + method.max_seconds, 1 + method.warmup_iterations
    asked = False
    while True:
        block.add(*_timed(clock, make(number)))
        number += 1
        count = number - 1 - method.warmup_iterations
        told(count, block.times_s[-1])
        now_s = clock()
        first = not asked and count >= method.iterations and _enough([*blocks, block], method)
        if first:
            asked, until_s = True, min(until_s, begun_s + PATIENCE * (now_s - begun_s))
        if first or block.seconds >= BLOCK_S or now_s >= until_s:
            block.pieces_s = beside(piece, block.seconds) if piece else []
            block.other_cores = others() if block.seconds >= SHORT_S else 0.0
            blocks, block = [*blocks, block], _Block()
            quiet = [one for one in blocks if not disturbing(one.other_cores)]
            settled = _enough(quiet, method) and stable(windows(_times(quiet)))
            if settled or now_s >= until_s:
                return _put(found, quiet if _enough(quiet, method) else blocks, blocks)


@dataclass(slots=True)
class _Block:
    """Calls that were timed one after another, and what others did meanwhile."""

    times_s: list[float] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)
    seconds: float = 0.0
    pieces_s: list[float] = field(default_factory=list)
    other_cores: float = 0.0

    def add(self, seconds: float, work: Work) -> None:
        self.times_s.append(seconds)
        self.works.append(work)
        self.seconds += seconds


def _times(blocks: Sequence[_Block]) -> list[float]:
    return [seconds for block in blocks for seconds in block.times_s]


def _enough(blocks: Sequence[_Block], method: Method) -> bool:
    count = sum(len(block.times_s) for block in blocks)
    return count >= method.iterations and sum(block.seconds for block in blocks) >= method.min_seconds


def _put(found: Measured, counted: Sequence[_Block], blocks: Sequence[_Block]) -> Measured:
    found.times_s = _times(counted)
    found.works = [work for block in counted for work in block.works]
    found.disturbed_s = _times([block for block in blocks if not any(block is one for one in counted)])
    if all(block.pieces_s for block in counted):
        beside_s = paces([block.pieces_s for block in counted])
        found.paces_s = [pace for block, pace in zip(counted, beside_s, strict=True) for _ in block.times_s]
    spent_s = sum(found.times_s)
    found.other_cores = sum(block.other_cores * block.seconds for block in counted) / spent_s if spent_s else 0.0
    return found


def _timed(clock: Callable[[], float], call: Call) -> tuple[float, Work]:
    began = clock()
    work = call()
    seconds = clock() - began
    return (seconds if work.own_s is None else work.own_s), work
