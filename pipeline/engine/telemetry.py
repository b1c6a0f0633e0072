"""CPU, memory, disk and GPU as gauges, read in threads of their own."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from pipeline.engine.gpus import GpuReader
from pipeline.engine.readings import Readings
from pipeline.machine import MachineView
from pipeline.sections import EngineSettings

IDLE_TIMES = 3
"""How many times longer a reading waits while no run goes on: a screen that stands still sends next to nothing."""


class Telemetry:
    """The last reading of the machine; `view` never waits. `changed` is called from the reading thread."""

    def __init__(self, limits: EngineSettings, disk_path: bytes, changed: Callable[[], None]) -> None:
        self._period_s = limits.sensor_s
        self._changed = changed
        self._stop = threading.Event()
        self._cpu_history = Readings(limits.history_s, limits.history_kept)
        self._disk_before: tuple[float, int, int] | None = None
        self.disk_path = disk_path
        """The volume whose space is shown."""
        self.idle = True
        """Whether no run goes on."""
        self.gpus = GpuReader(
            limits.sensor_s, limits.sensor_deadline_s, lambda: Readings(limits.history_s, limits.history_kept)
        )
        self.view = MachineView()

    def start(self) -> None:
        """Begin to read."""
        self.gpus.start()
        threading.Thread(target=self._main, name="telemetry", daemon=True).start()

    def stop(self) -> None:
        """Read no more."""
        self._stop.set()
        self.gpus.stop()

    def _main(self) -> None:
        psutil.cpu_percent(percpu=True)
        period_s = self._period_s
        while not self._stop.wait(period_s):
            with suppress(OSError):  # no descriptor is left for a moment, say: the gauges stand still
                self.view = self._read()
            self._changed()
            period_s = self._period_s * (IDLE_TIMES if self.idle else 1)

    def _read(self) -> MachineView:
        per_core = tuple(share / 100 for share in psutil.cpu_percent(percpu=True))
        cpu = sum(per_core) / len(per_core) if per_core else 0.0
        self._cpu_history.add(time.monotonic(), cpu)
        memory = psutil.virtual_memory()
        free, total = _disk_space(self.disk_path)
        read_rate, write_rate = self._disk_rates()
        gpus, note = self.gpus.view()
        return MachineView(
            cpu_share=cpu,
            cpu_per_core=per_core,
            memory_used_bytes=int(memory.total - memory.available),
            memory_total_bytes=int(memory.total),
            disk_free_bytes=free,
            disk_total_bytes=total,
            disk_read_bytes_per_s=read_rate,
            disk_write_bytes_per_s=write_rate,
            cpu_history=self._cpu_history.view(),
            gpus=gpus,
            gpu_note=note,
        )

    def _disk_rates(self) -> tuple[float, float]:
        """Return bytes read and written a second since the last reading; zeros where the kernel does not tell."""
        try:
            counters = psutil.disk_io_counters()
        except (OSError, RuntimeError, NotImplementedError):
            counters = None
        if counters is None:
            return 0.0, 0.0
        now, before = time.monotonic(), self._disk_before
        self._disk_before = (now, counters.read_bytes, counters.write_bytes)
        if before is None or now <= before[0]:
            return 0.0, 0.0
        passed = now - before[0]
        return (counters.read_bytes - before[1]) / passed, (counters.write_bytes - before[2]) / passed


def _disk_space(path: bytes) -> tuple[int, int]:
    """Return (free, total) bytes of the volume of `path`, or of the nearest folder above that is there."""
    while True:
        try:
            status = os.statvfs(path)
        except OSError:
            parent = os.path.dirname(path)
            if parent == path:
                return 0, 0
            path = parent
            continue
        return status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize
