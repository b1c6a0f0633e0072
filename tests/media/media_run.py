"""Running a sweep in a test and keeping what it handed on."""

import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.media.engines import Engines
from pipeline.media.result import KeptFrame, Picture, Sweep
from pipeline.media.sweep import sweep
from pipeline.settings import PipelineSettings
from pipeline.stages.probe import Probe, probe

Box = tuple[int, int, int, int]
CUTS = [0, 60, 120, 180, 240, 300]


@dataclass
class Swept:
    """A sweep with the pictures it handed on."""

    probe: Probe
    result: Sweep
    pictures: dict[int, Picture]
    calls: list[tuple[float, int]]

    @property
    def cuts(self) -> list[int]:
        return [scene.start_frame for scene in self.result.scenes]


def run_sweep(
    path: Path,
    settings: PipelineSettings | None = None,
    *,
    threads: int = 2,
    crop: Box | None = None,
    known: Sweep | None = None,
    engines: Engines | None = None,
) -> Swept:
    settings = settings or PipelineSettings()
    found = probe(os.fsencode(path), settings.probe)
    pictures: dict[int, Picture] = {}
    calls: list[tuple[float, int]] = []

    def on_frame(frame: KeptFrame) -> None:
        pictures[frame.frame_index] = frame.picture()

    result = sweep(
        os.fsencode(path),
        found,
        crop or (0, 0, found.width, found.height),
        settings,
        decode_threads=threads,
        on_frame=on_frame,
        progress=lambda done_s, frames: calls.append((done_s, frames)),
        known=known,
        engines=engines,
    )
    return Swept(found, result, pictures, calls)
