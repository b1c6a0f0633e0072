"""What an output that is already there is still good for."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.identity import sha256_of
from pipeline.media.result import KeptFrame, LostSpan, SceneSpan, Sweep
from pipeline.model import Stage
from pipeline.outputs.feature_writer import Written
from pipeline.outputs.features import FeatureError, read_features
from pipeline.outputs.format import Features, ScreenText, Speech, problems
from pipeline.outputs.saved import is_plain_file
from pipeline.stages.keys import embed_key

MEDIA_STAGES = (Stage.PROBE, Stage.CROP, Stage.SCENES, Stage.FRAMES, Stage.DEDUPE)
"""The stages whose results all come from the one decode: if one key differs, the video is decoded anew."""


@dataclass(frozen=True, slots=True)
class Reuse:
    """A whole output with something in it that is still wanted."""

    features: Features
    written: Written
    same: bool
    """Whether everything in it is as wanted."""
    frames: bool
    """Whether its scenes and frames are as wanted."""
    models: tuple[str, ...]
    """Models whose vectors in it are as wanted; none without the frames that they belong to."""
    text: ScreenText | None
    """Its text, if that is as wanted."""
    speech: Speech | None
    """What is said in it, if that is as wanted."""


def find_reuse(path: bytes, content_id: str, known_sha256: str, keys: Mapping[str, str]) -> Reuse | None:
    """Return what the feature file at `path` is still good for, None if for nothing.

    A link is no output of ours. A file is trusted if its checksum is the one the ledger has, or, where the ledger has
    none, if every dataset in it reads well. `keys` are the stage keys that are wanted. Raises OSError if the disk
    fails.
    """
    try:
        status = os.stat(path)
        if not is_plain_file(path):
            return None
        checksum = sha256_of(path)
        if known_sha256 and checksum != known_sha256:
            return None
        features = read_features(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, FeatureError):
        return None
    if any(problems(features)) or features.info.content_id != content_id:
        return None
    had = features.info.stage_keys
    frames = all(had.get(str(stage)) == keys[str(stage)] for stage in MEDIA_STAGES)
    models = tuple(
        model
        for model in features.embeddings
        if frames and had.get(embed_key(model)) == keys.get(embed_key(model), "-")
    )
    text = features.text if had.get(Stage.TEXT) == keys.get(Stage.TEXT, "-") else None
    speech = features.speech if had.get(Stage.SPEECH) == keys.get(Stage.SPEECH, "-") else None
    if not frames and text is None and speech is None:
        return None
    written = Written(status.st_size, checksum, status.st_mtime_ns)
    return Reuse(features, written, dict(had) == dict(keys), frames, models, text, speech)


def known_frames(features: Features) -> Sweep:
    """Return what a sweep found that a feature file tells of, so that the same pictures can be decoded again."""
    scenes, frames, info, lost = features.scenes, features.frames, features.info, features.lost
    return Sweep(
        scenes=tuple(SceneSpan(*row) for row in _rows(scenes, "start_s", "end_s", "start_frame", "end_frame")),
        frames=tuple(KeptFrame(*row) for row in _rows(frames, "time_s", "frame_index", "scene", "dhash", "sharpness")),
        sampling=features.sampling,
        frames_decoded=info.frames_decoded,
        frames_lost=info.frames_lost,
        lost=tuple(LostSpan(*row) for row in _rows(lost, "start_s", "end_s", "reason")) if lost else (),
        duration_s=info.duration_s,
        fps=info.fps,
        seconds={},
        bytes_read=0,
        variable_rate=bool(info.probe["variable_rate"]),
        cut_off=bool(info.probe["cut_off"]),
        false_times=int(info.probe.get("false_times", 0)),
    )


def _rows(columns: Mapping[str, Any], *names: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table as plain Python values."""
    return zip(*(columns[name].tolist() for name in names), strict=True)
