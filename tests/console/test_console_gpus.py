"""Drivers of GPUs that are absent, mismatched, losing a card, lacking a sensor or hanging (case 22): what is shown.

The engine and the console are the real ones; only NVML is scripted. The console answers keys in each case.
"""

import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from console_script import LARGE, picture, until
from textual.pilot import Pilot

from pipeline.engine import Engine, telemetry
from pipeline.engine.gpus import GpuReader
from pipeline.settings import Settings
from screens.dialogs import Page
from vconsole.app import ConsoleApp
from vconsole.house import Building, House, ports_over
from vconsole.looks import looks
from vconsole.settings_file import SettingsFile

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

from fake_nvml import FakeNvmlError, nvml, unsupported

SETTINGS = Settings.model_validate(
    {
        "engine": {"sensor_s": 0.1, "sensor_deadline_s": 0.3, "workers": 1},
        "console": {"refresh_hz": 10},
    }
)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What a driver that hangs waits for; set in the end, so that its thread ends."""
    event = threading.Event()
    yield event
    event.set()


@asynccontextmanager
async def console_over(
    driver: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> "AsyncIterator[tuple[ConsoleApp, Pilot[int]]]":
    """Open the console over an engine whose GPUs are read through `driver`."""
    monkeypatch.setattr(telemetry, "GpuReader", partial(GpuReader, nvml=driver))
    engine = Engine(SETTINGS, state_dir=folder)
    engine.start()
    ports = ports_over(engine, SETTINGS, folder, SettingsFile(current=SETTINGS))
    app = ConsoleApp(Building(House(engine, SETTINGS, ports, {})), SETTINGS.console.theme, looks(None))
    try:
        async with app.run_test(size=LARGE) as pilot:
            yield app, pilot
            await pilot.press("question_mark")
            await until(pilot, lambda: isinstance(app.screen, Page))
    finally:
        engine.close(now=True)


def failing(words: str) -> Callable[..., None]:
    """Return a call that the driver refuses with `words`."""

    def call(*_: object) -> None:
        raise FakeNvmlError(words)

    return call


@pytest.mark.parametrize("words", ["NVML Shared Library Not Found", "Driver/library version mismatch"])
async def test_without_a_driver_that_answers_the_reason_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    async with console_over(nvml(nvmlInit=failing(words)), tmp_path, monkeypatch) as (app, pilot):
        await until(pilot, lambda: "No GPU: " in picture(app) and words.split()[-1] in picture(app))
        assert "CPU  " in picture(app)


async def test_a_card_that_is_lost_turns_red_and_the_other_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = threading.Event()

    def handle(index: int) -> int:
        if index == 1 and lost.is_set():
            raise FakeNvmlError("GPU is lost")
        return index

    driver = nvml(nvmlDeviceGetCount=lambda: 2, nvmlDeviceGetHandleByIndex=handle)
    async with console_over(driver, tmp_path, monkeypatch) as (app, pilot):
        await until(pilot, lambda: "GPU 1  Fake GPU" in picture(app))
        lost.set()
        await until(pilot, lambda: "✗ GPU is lost" in picture(app))
        assert "GPU 0  Fake GPU" in picture(app)
        assert picture(app).count("60 °C") == 1


async def test_a_sensor_that_a_card_does_not_have_is_a_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = nvml(nvmlDeviceGetPowerUsage=unsupported, nvmlDeviceGetEncoderUtilization=unsupported)
    async with console_over(driver, tmp_path, monkeypatch) as (app, pilot):
        await until(pilot, lambda: "decoder 75%   encoder –" in picture(app))
        assert "60 °C" in picture(app)
        assert "250 W" not in picture(app)


async def test_a_driver_that_hangs_blanks_its_cards_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: threading.Event
) -> None:
    hangs = threading.Event()

    def temperature(*_: object) -> int:
        if hangs.is_set():
            release.wait()
        return 60

    driver = nvml(nvmlDeviceGetTemperature=temperature)
    async with console_over(driver, tmp_path, monkeypatch) as (app, pilot):
        await until(pilot, lambda: "60 °C" in picture(app))
        hangs.set()
        await until(pilot, lambda: "✗ The driver has not answered for" in picture(app))
        assert "60 °C" not in picture(app)
        await pilot.press("z")
        await until(pilot, lambda: "╭─ [2] stages" not in picture(app))
        release.set()
        hangs.clear()
        await pilot.press("z")
        await until(pilot, lambda: "60 °C" in picture(app))


async def test_a_driver_that_hangs_from_the_first_call_keeps_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: threading.Event
) -> None:
    async with console_over(nvml(nvmlInit=release.wait), tmp_path, monkeypatch) as (app, pilot):
        await until(pilot, lambda: "The driver has not answered for" in picture(app))
