"""Gauges never block and never invent: what cannot be read is None, with a reason."""

import threading
from functools import partial
from pathlib import Path
from typing import Any

import pynvml
import pytest
from fake_nvml import nvml, unsupported
from waiting import until

from pipeline.engine import Engine, telemetry
from pipeline.engine.gpus import GpuReader
from pipeline.engine.readings import Readings
from pipeline.engine.telemetry import Telemetry
from pipeline.machine import MachineView
from pipeline.settings import Settings


def read(driver: Any, deadline_s: float = 10.0) -> GpuReader:
    reader = GpuReader(0.01, deadline_s, lambda: Readings(0.01, 5), driver)
    reader.start()
    assert reader.first.wait(10)
    reader.stop()
    return reader


def test_every_field_is_read() -> None:
    (gpu,), note = read(nvml()).view()
    assert (gpu.name, gpu.utilisation, gpu.memory_used_bytes, gpu.memory_total_bytes) == ("Fake GPU", 0.5, 10, 100)
    assert (gpu.encoder, gpu.decoder, gpu.temperature_c, gpu.power_w) == (0.25, 0.75, 60.0, 250.0)
    assert gpu.clock_mhz == 1980
    assert (gpu.fault, note) == ("", "")


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ("nvmlDeviceGetMemoryInfo", "memory_used_bytes"),
        ("nvmlDeviceGetUtilizationRates", "utilisation"),
        ("nvmlDeviceGetEncoderUtilization", "encoder"),
        ("nvmlDeviceGetPowerUsage", "power_w"),
        ("nvmlDeviceGetTemperature", "temperature_c"),
        ("nvmlDeviceGetDecoderUtilization", "decoder"),
        ("nvmlDeviceGetCurrentClocksThrottleReasons", "throttle"),
        ("nvmlDeviceGetClockInfo", "clock_mhz"),
    ],
)
def test_a_sensor_that_is_not_there_is_none_and_the_others_stay(call: str, field: str) -> None:
    (gpu,), _ = read(nvml(**{call: unsupported})).view()
    assert getattr(gpu, field) is None
    assert sum(value is None for value in (gpu.utilisation, gpu.power_w, gpu.temperature_c, gpu.encoder)) <= 1


def test_a_driver_that_takes_its_time_at_the_start_does_not_end_the_other_gauges(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    answers = threading.Event()
    driver = nvml(nvmlInit=lambda: answers.wait(10))

    def looked(self: Telemetry) -> MachineView:
        read.append(self)
        if len(read) == 2:  # the first was told to the engine, which still waits for the driver
            answers.set()
        return MachineView(memory_total_bytes=len(read))

    monkeypatch.setattr(telemetry, "GpuReader", partial(GpuReader, nvml=driver))
    monkeypatch.setattr(Telemetry, "_read", looked)
    engine = Engine(Settings.model_validate({"engine": {"sensor_s": 0.1}}), state_dir=state)
    engine.start()
    try:
        until(lambda: engine.latest().machine.memory_total_bytes > 2)
    finally:
        engine.close(now=True)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), ""),
        (("GpuIdle",), ""),
        (("SwPowerCap", "GpuIdle"), "power limit"),
        (("SwThermalSlowdown", "HwThermalSlowdown"), "heat"),
    ],
)
def test_what_holds_the_clocks_down_is_told_in_words(names: tuple[str, ...], words: str) -> None:
    reasons = sum(getattr(pynvml, f"nvmlClocksThrottleReason{name}") for name in names)
    (gpu,), _ = read(nvml(nvmlDeviceGetCurrentClocksThrottleReasons=lambda device: reasons)).view()
    assert gpu.throttle == words


def test_readings_are_means_of_equal_spans() -> None:
    readings = Readings(5.0, 2)
    for second, value in enumerate((0.25, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)):
        readings.add(float(second), value)
    assert readings.view() == (0.25, 0.3)


def test_without_nvml_the_reason_is_told() -> None:
    gpus, note = read(nvml(nvmlInit=unsupported)).view()
    assert gpus == () and "Not Supported" in note


def test_a_lost_gpu_is_shown_as_lost() -> None:
    (gpu,), _ = read(nvml(nvmlDeviceGetHandleByIndex=unsupported)).view()
    assert gpu.fault == "Not Supported" and gpu.utilisation is None


def test_a_call_that_hangs_blanks_the_gauges_and_blocks_nobody() -> None:
    hang, release = threading.Event(), threading.Event()

    def power(_: object) -> int:
        if hang.is_set():
            release.wait(30)
        return 1000

    reader = GpuReader(0.01, 0.05, lambda: Readings(0.01, 5), nvml(nvmlDeviceGetPowerUsage=power))
    reader.start()
    assert reader.first.wait(10)
    hang.set()
    until(lambda: reader.view()[0][0].fault)
    assert reader.view()[0][0].power_w is None
    release.set()
    reader.stop()
