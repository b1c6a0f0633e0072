"""What a feature file tells of a video but for its vectors: scenes, kept frames, on-screen lines, speech."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.analysis.stored import columns
from pipeline.outputs.features import Group

Interval = tuple[float, float, str]
"""Start and end in seconds, and a text."""


@dataclass(frozen=True, slots=True)
class Outline:
    """One video."""

    source: bytes
    source_display: str
    content_id: str
    duration_s: float
    width: int
    height: int
    fps: float
    video_codec: str
    audio_codec: str
    partial: bool
    scenes: tuple[tuple[float, float], ...]
    frame_time_s: NDArray[np.float64]
    frame_index: NDArray[np.int64]
    frame_scene: NDArray[np.int32]
    sharpness: NDArray[np.float32]
    dhash: NDArray[np.uint64]
    lines: tuple[Interval, ...] | None
    """On-screen text over time; None where it was not read."""
    speech: tuple[Interval, ...] | None
    """Segments of speech; None where it was not listened to."""
    language: str


def outline_of(file: Group) -> Outline:
    """Return what an open feature file tells. Raises KeyError, ValueError, TypeError where it is not whole."""
    attrs, frames = file.attrs, file["frames"]
    return Outline(
        source=attrs["source"].tobytes(),
        source_display=str(attrs["source_display"]),
        content_id=str(attrs["content_id"]),
        duration_s=float(attrs["duration_s"]),
        width=int(attrs["width"]),
        height=int(attrs["height"]),
        fps=float(attrs["fps"]),
        video_codec=str(attrs["video_codec"]),
        audio_codec=str(attrs["audio_codec"]),
        partial="lost" in file or "speech_lost" in file or int(attrs["frames_lost"]) > 0,
        scenes=tuple(zip(*columns(file, "scenes", "start_s", "end_s"), strict=True)),
        frame_time_s=frames["time_s"][()],
        frame_index=frames["frame_index"][()],
        frame_scene=frames["scene"][()],
        sharpness=frames["sharpness"][()],
        dhash=frames["dhash"][()],
        lines=_intervals(file, "lines"),
        speech=_intervals(file, "speech"),
        language=str(file["speech"].attrs.get("language", "")) if "speech" in file else "",
    )


def _intervals(file: Group, group: str) -> tuple[Interval, ...] | None:
    if group not in file:
        return None
    return tuple(zip(*columns(file, group, "start_s", "end_s", "text"), strict=True))
