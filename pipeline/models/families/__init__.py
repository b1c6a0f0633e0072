"""The model families by their name in the settings: one file each against one small interface, imported at need.

Whoever only lists models must not wait for numpy.
"""

import functools
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.models.families.interface import Family

HUB_PREFIX = "hf-hub:"
FOLDER_PREFIX = "local-dir:"
PACKAGED = Path(__file__).parent.parent / "tiny_shapes" / "tiny-shapes.json"
"""The architecture of the toy that is part of the program; its weights lie beside it."""

_CLASSES = {
    "open_clip": "OpenClip",
    "timm": "Timm",
    "clip4clip": "Clip4Clip",
    "perceptual": "Perceptual",
    "whisper": "Whisper",
}
"""A family is a file of this folder, and this class in it."""
KNOW_TEXTS = frozenset({"open_clip", "clip4clip"})
"""Families whose models know texts."""
HEARING = frozenset({"whisper"})
"""The families that transcribe speech; all others make vectors of pictures."""


@functools.cache
def family(name: str) -> "Family":
    """Return the family that the settings call `name`."""
    made: Family = getattr(importlib.import_module(f"{__name__}.{name}"), _CLASSES[name])()
    return made
