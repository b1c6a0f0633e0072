"""The engines that read text (`pipeline.reading`) as a model of the host: a batch is read side by side."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np

from pipeline.models.families.interface import Usage
from pipeline.models.text import Page, Pieces, TextSpec
from pipeline.reading.engines import RAPIDOCR, reader
from pipeline.sections import HostSettings
from pipeline.stage_sections import TextSettings

AT_ONCE = 8
"""Most pictures that rapidocr reads side by side: each takes some hundred MB, and further cores help with each."""
ROUNDS = 4
"""Pictures of a batch for each of those: one that shows little does not wait for one that shows much."""


class ReadingModel:
    """A loaded engine."""

    def __init__(self, engine: str, settings: TextSettings, host: HostSettings) -> None:
        """Load what `choose` named. Raises DeviceError if the device is not there, and whatever its libraries raise."""
        threads = host.threads or len(os.sched_getaffinity(0))
        self._device: Any = None
        at_once = min(AT_ONCE, threads)
        if not engine.startswith(RAPIDOCR):
            from pipeline.models.network import choose_device

            self._device, at_once = choose_device(host), 1
        device = str(self._device or "cpu")
        self._reader = reader(engine, settings, threads // at_once, device)
        self._pool = ThreadPoolExecutor(at_once, "reading")
        # On the CPU easyocr quantises its networks.
        precision = "int8" if self._device and device == "cpu" else "fp32"
        self.spec = TextSpec(engine, engine, precision, device, ROUNDS * at_once)
        self._reader.read(_sample())  # The libraries load a part of themselves, and find an unfit device, only now.

    def read(self, pages: Sequence[Page]) -> list[Pieces]:
        """Return the text in each picture. Raises what the engine raises on one of them."""
        return list(self._pool.map(lambda page: tuple(self._reader.read(page.picture)), pages))

    def usage(self) -> Usage:
        """Return what torch holds of the GPU's memory, 0 on the CPU."""
        if self._device is None:
            return Usage()
        from pipeline.models.network import memory_share

        return Usage(memory_share(self._device))

    def release_memory(self) -> None:
        """Give memory that is only cached back to the device."""
        if self._device is not None:
            from pipeline.models.network import release_memory

            release_memory(self._device)


def _sample() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a picture with a word on it."""
    picture = np.zeros((64, 192, 3), np.uint8)
    cv2.putText(picture, "Text", (16, 48), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (255, 255, 255), 3)
    return picture
