"""Reads memory, CPU and GPUs while a child measures: what it and its own processes take, and what others do."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import psutil

from pipeline.benchmark.others import busy_s
from pipeline.benchmark.report import Gpu, Sample
from pipeline.engine.gpus import GpuReader
from pipeline.engine.readings import Readings

PERIOD_S = 0.2
GPU_DEADLINE_S = 5.0
HOST = "pipeline.models.host"
"""What the command line of a model host holds."""


@dataclass(slots=True)
class _Taken:
    """What a tree of processes had taken when it was looked at."""

    client_bytes: int = 0
    worker_bytes: int = 0
    host_bytes: int = 0
    cpu_s: float = 0.0


class Sampler:
    """Samples a process and what it started, between `begin` and `end`; from a thread of its own."""

    def __init__(self, pid: int, gpus: GpuReader) -> None:
        self._gpus = gpus
        self._root = psutil.Process(pid)
        self._hosts: dict[int, bool] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._main, name="sampler", daemon=True)
        self._samples: list[Sample] = []

    def begin(self) -> None:
        """Begin to read."""
        self._thread.start()

    def end(self) -> tuple[Sample, ...]:
        """Read no more and return what was read."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        return tuple(self._samples)

    def _main(self) -> None:
        began_s = last_s = time.monotonic()
        before, busy = self._taken(), busy_s()
        over = False
        while not over:
            over = self._stop.wait(PERIOD_S)
            taken, busy_now, now_s = self._taken(), busy_s(), time.monotonic()
            passed_s = now_s - last_s
            if taken.client_bytes and passed_s > PERIOD_S / 2:
                cores = max(0.0, taken.cpu_s - before.cpu_s) / passed_s
                self._samples.append(
                    Sample(
                        at_s=now_s - began_s,
                        client_bytes=taken.client_bytes,
                        worker_bytes=taken.worker_bytes,
                        host_bytes=taken.host_bytes,
                        cpu_cores=cores,
                        other_cores=max(0.0, (busy_now - busy) / passed_s - cores),
                        gpus=_gpus(self._gpus),
                    )
                )
                before, busy, last_s = taken, busy_now, now_s

    def _taken(self) -> _Taken:
        taken = _Taken()
        with suppress(psutil.Error):
            for process in [self._root, *self._root.children(recursive=True)]:
                with suppress(psutil.Error):
                    self._count(process, taken)
        return taken

    def _count(self, process: psutil.Process, taken: _Taken) -> None:
        with process.oneshot():
            times, resident = process.cpu_times(), process.memory_info().rss
            if process.pid not in self._hosts:
                self._hosts[process.pid] = HOST in process.cmdline()
        taken.cpu_s += times.user + times.system
        if process.pid == self._root.pid:
            taken.client_bytes += resident
        elif self._hosts[process.pid]:
            taken.host_bytes += resident
        else:
            taken.worker_bytes += resident


def gpu_reader() -> GpuReader:
    """Return a reader of the GPUs that is not started yet."""
    return GpuReader(PERIOD_S, GPU_DEADLINE_S, partial(Readings, PERIOD_S, 2))


def _gpus(reader: GpuReader) -> tuple[Gpu, ...]:
    return tuple(
        Gpu(
            index=gpu.index,
            utilisation=gpu.utilisation,
            memory_bytes=gpu.memory_used_bytes,
            power_w=gpu.power_w,
            clock_mhz=gpu.clock_mhz,
            throttle=gpu.throttle,
        )
        for gpu in reader.view()[0]
    )
