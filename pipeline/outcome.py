"""How a job ended, in the words that go to the engine."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.errors import JobError
from pipeline.model import JobState
from pipeline.outputs.feature_writer import Written
from pipeline.outputs.format import Features
from pipeline.outputs.manifest import MEDIA_PROBED, MEDIA_RESULTS
from pipeline.outputs.saved import PicturesSum
from pipeline.stages.probe import Probe
from pipeline.text import plural

MAX_LOST_TOLD = 100
"""Lost parts told to the engine; the feature file has them all."""
NO_PICTURES = PicturesSum()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: `done`, `partial`, `failed` or `skipped`, with the result that its ledger row keeps."""

    state: JobState
    result: dict[str, Any] = field(default_factory=dict)
    failure: JobError | None = None


def finished(
    features: Features,
    written: Written,
    *,
    output: str,
    seconds: Mapping[str, float],
    pictures: str = "none",
    saved: PicturesSum = NO_PICTURES,
    adopted: bool = False,
) -> Outcome:
    """Return the outcome of a job whose feature file is whole: `partial` if the video lost something.

    `pictures` is the kind in which its kept frames were saved, `saved` what those pictures are.
    """
    info = features.info
    result = {
        "content_id": info.content_id,
        "output": output,
        "output_bytes": written.size_bytes,
        "output_sha256": written.sha256,
        "output_mtime_ns": written.mtime_ns,
        "stage_keys": dict(info.stage_keys),
        "adopted": adopted,
        "scenes": len(features.scenes["start_s"]),
        "frames": len(features.frames["time_s"]),
        "duration_s": info.duration_s,
        "width": info.width,
        "height": info.height,
        "fps": info.fps,
        "video_codec": info.video_codec,
        "audio_codec": info.audio_codec,
        "container": info.probe["container"],
        "seconds": {name: round(value, 6) for name, value in seconds.items()},
        "bytes_written": 0 if adopted else written.size_bytes + saved.size_bytes,
        "lost_s": features.lost_s,
        "lost_frames": info.frames_lost,
        "lost": _lost(features),
        "cut_off": info.probe["cut_off"],
        "pictures": "" if pictures == "none" else pictures,
        "pictures_bytes": saved.size_bytes,
        "pictures_sha256": saved.sha256,
        "probe": dict(info.probe),
    }
    result |= _words(features)
    if features.partial:
        result["reason"] = loss_sentence(features.lost_s, info.frames_lost)
    return Outcome(JobState.PARTIAL if features.partial else JobState.DONE, result)


def failed(content_id: str, failure: JobError, found: Probe | None) -> Outcome:
    """Return the outcome of a job that failed, with what was known of its video by then."""
    seen = failure.seen
    if found is not None:
        facts = asdict(found)
        seen = {name: facts[name] for name in MEDIA_RESULTS} | {"probe": {name: facts[name] for name in MEDIA_PROBED}}
    return Outcome(JobState.FAILED, {"content_id": content_id} | seen, failure)


def loss_sentence(seconds: float, frames: int) -> str:
    """Return what was lost of a video, e.g. `2.5 s (60 frames) could not be read`."""
    counted = plural(frames, "frame")
    if seconds < 0.05:
        return f"{counted} could not be read"
    return f"{seconds:.1f} s{f' ({counted})' if frames else ''} could not be read"


def _words(features: Features) -> dict[str, Any]:
    """Return what is told of on-screen text and of speech, as far as they were asked for."""
    told: dict[str, Any] = {}
    if features.text is not None:
        told["text_lines"] = len(features.text.lines["text"])
        if features.text.until_s is not None:
            told["text_until_s"] = features.text.until_s
    if features.speech is not None:
        told["speech_segments"] = len(features.speech.segments["text"])
        told["speech_language"] = features.speech.language
    return told


def _lost(features: Features) -> list[list[Any]]:
    names = ("start_s", "end_s", "reason")
    rows = [row for lost in features.losses for row in zip(*(lost[name].tolist() for name in names), strict=True)]
    return [list(row) for row in sorted(rows)[:MAX_LOST_TOLD]]
