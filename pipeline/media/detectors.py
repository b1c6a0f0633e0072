"""What we take of PySceneDetect, without what each worker would wait for and never use.

Its import starts the ffmpeg program to see whether it is there, and loads progress bars, which bring asyncio and ssl.
"""

import subprocess
import sys
from typing import NoReturn


def _no_program(*_: object) -> NoReturn:
    raise FileNotFoundError


_call, subprocess.call = subprocess.call, _no_program  # type: ignore[assignment]
_bars_away = "tqdm" not in sys.modules
if _bars_away:
    sys.modules["tqdm"] = None  # type: ignore[assignment]
try:
    from scenedetect import AdaptiveDetector, ContentDetector, HashDetector, ThresholdDetector
    from scenedetect.common import FrameTimecode, Timecode, framerate_to_fraction
    from scenedetect.detector import SceneDetector
    from scenedetect.scene_manager import compute_downscale_factor
finally:
    subprocess.call = _call
    if _bars_away:
        del sys.modules["tqdm"]

__all__ = [
    "AdaptiveDetector",
    "ContentDetector",
    "FrameTimecode",
    "HashDetector",
    "SceneDetector",
    "ThresholdDetector",
    "Timecode",
    "compute_downscale_factor",
    "framerate_to_fraction",
]
