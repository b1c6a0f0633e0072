"""What is known of the sample videos that `pipeline.media.samples` makes; light, so that the console may read it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

TRUTH = ".truth.json"
"""How the file that says what is in a folder of samples ends; it stands beside that folder, for it is no input."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene of a sample: what it shows, and when, in frames and seconds, half-open."""

    caption: str
    start_frame: int
    end_frame: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One file that was made: `crop_xywh` and `rotation_deg` are what extraction should find."""

    name: str
    kind: str
    """video | picture | broken"""
    width: int = 0
    height: int = 0
    """Size of the coded picture, before rotation."""
    rotation_deg: int = 0
    crop_xywh: tuple[int, int, int, int] = (0, 0, 0, 0)
    scenes: tuple[Scene, ...] = ()


def truth_path(folder: Path) -> Path:
    """Return where the truth about the samples in `folder` is."""
    return folder.with_name(folder.name + TRUTH)


def read_truth(folder: Path) -> tuple[Sample, ...]:
    """Return what is known about `folder`. Raises OSError or ValueError."""
    entries = json.loads(truth_path(folder).read_text())
    return tuple(
        Sample(
            **{**entry, "crop_xywh": tuple(entry["crop_xywh"]), "scenes": tuple(Scene(**s) for s in entry["scenes"])}
        )
        for entry in entries
    )


def write_truth(folder: Path, samples: Sequence[Sample]) -> None:
    """Write the truth about `folder`; it comes last, so that samples that have it are complete. Raises OSError."""
    part = truth_path(folder).with_suffix(".new")
    part.write_text(json.dumps([asdict(sample) for sample in samples], indent=1))
    part.replace(truth_path(folder))
