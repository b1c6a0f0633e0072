"""The one decode of a video: every frame is scored, the best are kept and handed on while decoding goes on."""

from collections.abc import Callable

from pipeline.media.result import KeptFrame, KnownFrames, LostSpan, SceneSpan, Sweep
from pipeline.settings import PipelineSettings
from pipeline.stages.probe import Probe

__all__ = ["KeptFrame", "KnownFrames", "LostSpan", "SceneSpan", "Sweep", "sweep"]


def sweep(
    path: bytes,
    probe: Probe,
    crop_xywh: tuple[int, int, int, int],
    settings: PipelineSettings,
    *,
    decode_threads: int,
    on_frame: Callable[[KeptFrame], None],
    progress: Callable[[float, int], None],
    known: KnownFrames | None = None,
) -> Sweep:
    """Decode the video at `path` (absolute) once and return what was found.

    `on_frame` and `progress` are called in this thread. Raises JobError, and whatever those two raise; nothing
    is left open or running then.
    """
    raise NotImplementedError(path, probe, crop_xywh, settings, decode_threads, on_frame, progress, known)
