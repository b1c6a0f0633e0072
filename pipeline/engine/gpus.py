"""Reads GPUs by NVML in a thread of its own: a driver call that hangs costs no one else anything."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pynvml

from pipeline.engine.readings import Readings
from pipeline.machine import GpuView

_THROTTLES = (
    ("power limit", "SwPowerCap"),
    ("heat", "SwThermalSlowdown"),
    ("heat", "HwThermalSlowdown"),
    ("power brake", "HwPowerBrakeSlowdown"),
    ("hardware", "HwSlowdown"),
    ("sync boost", "SyncBoost"),
    ("fixed clocks", "ApplicationsClocksSetting"),
    ("display", "DisplayClockSetting"),
)
"""What holds the clocks of a GPU down, in words, and what NVML calls it."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one round of NVML calls gave, and when it was over."""

    at_s: float
    gpus: tuple[GpuView, ...]
    note: str


class GpuReader:
    """The last reading of every GPU; `view` never waits."""

    def __init__(self, period_s: float, deadline_s: float, history: Callable[[], Readings], nvml: Any = pynvml) -> None:
        self._period_s = period_s
        self._deadline_s = deadline_s
        self._history = history
        self._nvml = nvml
        self._stop = threading.Event()
        self._histories: dict[int, Readings] = {}
        self._last = _Reading(time.monotonic(), (), "No reading of the GPU yet.")
        self.first = threading.Event()
        """Set once the first round is over."""

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._main, name="gpus", daemon=True).start()

    def stop(self) -> None:
        """Read no more; a call that hangs is left to itself."""
        self._stop.set()

    def view(self) -> tuple[tuple[GpuView, ...], str]:
        """Return the GPUs and, if there is none to show, why."""
        last = self._last
        age_s = time.monotonic() - last.at_s
        if age_s <= self._deadline_s + self._period_s:
            return last.gpus, last.note
        fault = f"The driver has not answered for {age_s:.0f} s."
        return tuple(_blind(gpu, fault) for gpu in last.gpus), "" if last.gpus else fault

    def memory_bytes(self) -> tuple[int, ...]:
        """Return the total memory of each GPU whose memory can be read."""
        return tuple(gpu.memory_total_bytes for gpu in self._last.gpus if gpu.memory_total_bytes)

    def names(self) -> tuple[str, ...]:
        """Return the name of each GPU."""
        return tuple(gpu.name for gpu in self._last.gpus)

    def _main(self) -> None:
        try:
            self._nvml.nvmlInit()
        except self._nvml.NVMLError as error:
            self._publish((), f"No GPU: {error}.", forever=True)
            return
        while not self._stop.is_set():
            self._publish(*self._read())
            self._stop.wait(self._period_s)
        with suppress(self._nvml.NVMLError):
            self._nvml.nvmlShutdown()

    def _publish(self, gpus: tuple[GpuView, ...], note: str, *, forever: bool = False) -> None:
        self._last = _Reading(float("inf") if forever else time.monotonic(), gpus, note)
        self.first.set()

    def _read(self) -> tuple[tuple[GpuView, ...], str]:
        try:
            count = self._nvml.nvmlDeviceGetCount()
        except self._nvml.NVMLError:
            count = 0
        if not count:
            return (), "NVML finds no GPU."
        return tuple(self._read_one(index) for index in range(count)), ""

    def _read_one(self, index: int) -> GpuView:
        """Return a GPU with its fault, if it cannot be asked at all or is lost."""
        try:
            return self._read_device(index, self._nvml.nvmlDeviceGetHandleByIndex(index))
        except self._nvml.NVMLError as error:
            known = next((gpu for gpu in self._last.gpus if gpu.index == index), None)
            gpu = _blind(known or GpuView(index, "", None, None, None, None, None, None, None), str(error))
            return replace(gpu, lost=_is_loss(self._nvml, error))

    def _read_device(self, index: int, device: Any) -> GpuView:
        nvml = self._nvml
        name = self._ask(nvml.nvmlDeviceGetName, device) or ""
        uuid = self._ask(nvml.nvmlDeviceGetUUID, device) or ""
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, device)
        rates = self._ask(nvml.nvmlDeviceGetUtilizationRates, device)
        encoder = self._ask(nvml.nvmlDeviceGetEncoderUtilization, device)
        decoder = self._ask(nvml.nvmlDeviceGetDecoderUtilization, device)
        temperature = self._ask(nvml.nvmlDeviceGetTemperature, device, nvml.NVML_TEMPERATURE_GPU)
        power_mw = self._ask(nvml.nvmlDeviceGetPowerUsage, device)
        utilisation = None if rates is None else rates.gpu / 100
        history = self._histories.setdefault(index, self._history())
        history.add(time.monotonic(), utilisation or 0.0)
        return GpuView(
            index=index,
            name=_text(name),
            utilisation=utilisation,
            memory_used_bytes=None if memory is None else int(memory.used),
            memory_total_bytes=None if memory is None else int(memory.total),
            encoder=None if encoder is None else encoder[0] / 100,
            decoder=None if decoder is None else decoder[0] / 100,
            temperature_c=None if temperature is None else float(temperature),
            power_w=None if power_mw is None else power_mw / 1000,
            throttle=self._throttle(device),
            history=history.view(),
            clock_mhz=self._ask(nvml.nvmlDeviceGetClockInfo, device, nvml.NVML_CLOCK_SM),
            uuid=_text(uuid),
            mig=mig_instances(nvml, index),
        )

    def _throttle(self, device: Any) -> str | None:
        """Return what holds the clocks down, empty if nothing does, None if the driver does not tell."""
        reasons = self._ask(self._nvml.nvmlDeviceGetCurrentClocksThrottleReasons, device)
        if reasons is None:
            return None
        held = (words for words, name in _THROTTLES if reasons & getattr(self._nvml, f"nvmlClocksThrottleReason{name}"))
        return ", ".join(dict.fromkeys(held))

    def _ask(self, call: Callable[..., Any], *args: Any) -> Any:
        """Return what one call gives, None if this sensor cannot be read. Raises NVMLError if the GPU is lost."""
        try:
            return call(*args)
        except self._nvml.NVMLError as error:
            if _is_loss(self._nvml, error):
                raise
            return None


def mig_instances(nvml: Any, index: int) -> tuple[str, ...]:
    """Return the UUIDs of the MIG instances of a GPU, none where it is not divided or cannot be."""
    found: list[str] = []
    with suppress(nvml.NVMLError):
        device = nvml.nvmlDeviceGetHandleByIndex(index)
        if nvml.nvmlDeviceGetMigMode(device)[0]:
            for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(device)):
                with suppress(nvml.NVMLError):  # a place that no instance takes
                    instance = nvml.nvmlDeviceGetMigDeviceHandleByIndex(device, number)
                    found.append(_text(nvml.nvmlDeviceGetUUID(instance)))
    return tuple(found)


def _is_loss(nvml: Any, error: Exception) -> bool:
    return bool(getattr(error, "value", None) == nvml.NVML_ERROR_GPU_IS_LOST)


def _text(told: str | bytes) -> str:
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)


def _blind(gpu: GpuView, fault: str) -> GpuView:
    return replace(
        gpu,
        utilisation=None,
        memory_used_bytes=None,
        encoder=None,
        decoder=None,
        temperature_c=None,
        power_w=None,
        throttle=None,
        clock_mhz=None,
        fault=fault,
    )
