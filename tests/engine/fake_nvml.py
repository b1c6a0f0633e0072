"""A driver of GPUs that a test scripts: NVML as `GpuReader` calls it."""

from types import SimpleNamespace
from typing import Any

import pynvml


class FakeNvmlError(Exception):
    """What the fake driver raises."""


def unsupported(*_: object) -> None:
    raise FakeNvmlError("Not Supported")


def nvml(**changes: Any) -> Any:
    """A driver with one GPU; `changes` replace its calls."""
    calls: dict[str, Any] = {
        "NVMLError": FakeNvmlError,
        "NVML_TEMPERATURE_GPU": 0,
        "NVML_ERROR_GPU_IS_LOST": pynvml.NVML_ERROR_GPU_IS_LOST,
        "nvmlDeviceGetUUID": lambda device: f"GPU-{device}",
        "nvmlDeviceGetMigMode": unsupported,
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda device: b"Fake GPU",
        "nvmlDeviceGetMemoryInfo": lambda device: SimpleNamespace(used=10, total=100),
        "nvmlDeviceGetUtilizationRates": lambda device: SimpleNamespace(gpu=50),
        "nvmlDeviceGetEncoderUtilization": lambda device: (25, 0),
        "nvmlDeviceGetDecoderUtilization": lambda device: (75, 0),
        "nvmlDeviceGetClockInfo": lambda device, clock: 1980,
        "NVML_CLOCK_SM": pynvml.NVML_CLOCK_SM,
        "nvmlDeviceGetTemperature": lambda device, kind: 60,
        "nvmlDeviceGetPowerUsage": lambda device: 250_000,
        "nvmlDeviceGetCurrentClocksThrottleReasons": lambda device: 0,
        **{name: getattr(pynvml, name) for name in dir(pynvml) if name.startswith("nvmlClocksThrottleReason")},
    }
    return SimpleNamespace(**(calls | changes))
