"""How much of the machine programs other than this process and what it started keep busy."""

import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from pipeline.engine.tuning import cores

MOST_OTHER = 0.10
"""Share of the machine's cores that others may keep busy."""


class Others:
    """Tells how many cores others kept busy since it was asked last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._process = psutil.Process()
        self._at_s, self._busy_s, self._own_s = self._read()

    def cores(self) -> float:
        """Return the cores, averaged over the time since the last call."""
        before = self._at_s, self._busy_s, self._own_s
        self._at_s, self._busy_s, self._own_s = self._read()
        passed_s = self._at_s - before[0]
        others_s = (self._busy_s - before[1]) - (self._own_s - before[2])
        return max(0.0, others_s) / passed_s if passed_s > 0 else 0.0

    def _read(self) -> tuple[float, float, float]:
        return self._clock(), busy_s(), time.process_time() + sum(map(_cpu_s, self._process.children(recursive=True)))


def disturbing(other_cores: float, of: int = 0) -> bool:
    """Whether others kept so much of `of` cores (0 = those of this machine) busy that a time beside them is no good."""
    return other_cores > MOST_OTHER * (of or cores())


def busy_s() -> float:
    """Return the seconds that all cores were busy since the machine started; time stolen by others counts."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and its threads, to the nanosecond where the system has such a clock."""
    with suppress(OSError):
        return time.clock_gettime((~process.pid << 3) | 2)  # clock_getcpuclockid of Linux
    with suppress(psutil.Error):
        taken = process.cpu_times()
        return float(taken.user + taken.system)
    return 0.0
