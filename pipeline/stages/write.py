"""Stage write: puts what the other stages found into the feature file."""

import dataclasses
import datetime
import functools
import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import JobError
from pipeline.media.result import LostSpan, Sweep
from pipeline.model import FailureClass, Stage
from pipeline.outputs.atomic import disk_error
from pipeline.outputs.feature_writer import Written, write_features
from pipeline.outputs.features import FeatureError
from pipeline.outputs.format import (
    MEAN,
    TABLES,
    Embedding,
    FeatureInfo,
    Features,
    Provenance,
    ScreenText,
    Speech,
    Table,
    table,
)
from pipeline.settings import PipelineSettings
from pipeline.stages import embed
from pipeline.stages.keys import settings_hash
from pipeline.stages.probe import Probe
from pipeline.stages.speech import FoundSpeech
from pipeline.stages.text import FoundText
from pipeline.text import visible

SCENE_COLUMNS = ("start_s", "end_s", "start_frame", "end_frame")
FRAME_COLUMNS = ("time_s", "frame_index", "scene", "dhash", "sharpness")


@dataclass(frozen=True, slots=True)
class Source:
    """Which video it is."""

    relative: bytes
    size_bytes: int
    content_id: str


def features_of(
    source: Source,
    probe: Probe,
    crop_xywh: tuple[int, int, int, int],
    sweep: Sweep,
    embeddings: Mapping[str, Embedding],
    settings: PipelineSettings,
    keys: Mapping[str, str],
    text: ScreenText | None = None,
) -> Features:
    """Return what the feature file of a video holds; `embeddings` by model key, for the frames of `sweep`."""
    scenes = table("scenes", {name: [getattr(span, name) for span in sweep.scenes] for name in SCENE_COLUMNS})
    frames = table("frames", {name: [getattr(frame, name) for frame in sweep.frames] for name in FRAME_COLUMNS})
    return Features(
        info=_info(source, probe, crop_xywh, sweep, settings, keys),
        scenes=scenes,
        frames=frames,
        sampling=sweep.sampling,
        embeddings=dict(embeddings),
        lost=_lost(sweep),
        text=text,
    )


def renewed(
    had: Features,
    embeddings: Mapping[str, Embedding],
    text: ScreenText | None,
    settings: PipelineSettings,
    keys: Mapping[str, str],
) -> Features:
    """Return `had` with these embeddings, this text, and the stage keys of the present settings."""
    info = dataclasses.replace(
        had.info,
        created_utc=_now(),
        vconsole_version=version(),
        settings_hash=settings_hash(settings),
        stage_keys=dict(keys),
    )
    return dataclasses.replace(had, info=info, embeddings=dict(embeddings), text=text)


def stored(found: embed.Embedding) -> Embedding:
    """Return what the embed stage found as the feature file has it."""
    spec = found.spec
    pooling = "model" if spec.pool_frames else MEAN
    provenance = Provenance(spec.model, spec.weights, spec.weights_sha256, spec.precision, spec.device, pooling)
    return Embedding(found.frames, provenance, found.scenes, found.video)


def stored_text(found: FoundText) -> ScreenText:
    """Return what the text stage found as the feature file has it."""
    rows = found.pieces
    pieces: dict[str, list[Any]] = {
        "time_s": [row.time_s for row in rows],
        "frame_index": [row.frame_index for row in rows],
        "text": [row.piece.text for row in rows],
        "confidence": [row.piece.confidence for row in rows],
        "box": [row.piece.box for row in rows],
    }
    lines = {name: [getattr(line, name) for line in found.lines] for name in TABLES["lines"]}
    return ScreenText(table("text", pieces), table("lines", lines), found.engine, found.until_s)


def stored_speech(found: FoundSpeech) -> Speech:
    """Return what the speech stage found as the feature file has it."""
    columns = {name: [getattr(row, name) for row in found.segments] for name in TABLES["speech"]}
    lost = _spans("speech_lost", found.lost) if found.lost else None
    return Speech(table("speech", columns), found.language, found.model, found.weights, found.detector, lost)


def with_means(had: Embedding, features: Features, wanted: bool) -> Embedding:
    """Return vectors of an earlier output with those of scenes and video, or without them if not `wanted`.

    Those that a model made itself must be there (`has_means`): no mean is the same.
    """
    if not wanted:
        return dataclasses.replace(had, scenes=None, video=None)
    if had.provenance.pooling != MEAN:
        return had
    scene = features.frames["scene"].astype(np.int64)
    return dataclasses.replace(
        had,
        scenes=embed.pooled(had.vectors, scene, len(features.scenes["start_s"])),
        video=embed.pooled(had.vectors, np.zeros_like(scene), 1),
    )


def has_means(had: Embedding) -> bool:
    """Whether the vectors of scenes and video are there or can be made of those of the frames."""
    return had.provenance.pooling == MEAN or had.scenes is not None


def write(path: bytes, features: Features, settings: PipelineSettings) -> Written:
    """Write the feature file. Raises JobError: disk_full or io, and protocol if what was found cannot be true."""
    try:
        return write_features(
            path, features, compression=settings.write.compression, deep_verify=settings.write.deep_verify
        )
    except FeatureError as error:
        raise JobError(
            FailureClass.PROTOCOL,
            "What the stages found contradicts itself, so no feature file was written.",
            stage=Stage.WRITE,
            detail=str(error),
        ) from error
    except OSError as error:
        raise disk_error(error, "write", path) from error


def _info(
    source: Source,
    probe: Probe,
    crop_xywh: tuple[int, int, int, int],
    sweep: Sweep,
    settings: PipelineSettings,
    keys: Mapping[str, str],
) -> FeatureInfo:
    return FeatureInfo(
        source=source.relative,
        source_display=visible(source.relative),
        source_bytes=source.size_bytes,
        content_id=source.content_id,
        duration_s=sweep.duration_s,
        width=probe.width,
        height=probe.height,
        fps=sweep.fps,
        video_codec=probe.video_codec,
        audio_codec=probe.audio_codec,
        crop_xywh=crop_xywh,
        rotation_deg=probe.rotation_deg,
        frames_decoded=sweep.frames_decoded,
        frames_lost=sweep.frames_lost,
        created_utc=_now(),
        vconsole_version=version(),
        settings_hash=settings_hash(settings),
        stage_keys=dict(keys),
        probe=_told(probe, sweep),
    )


def _told(probe: Probe, sweep: Sweep) -> dict[str, Any]:
    """Return the facts about the video; the probe's wall time is none, and would make equal outputs differ."""
    facts = dataclasses.asdict(probe)
    facts |= {name: getattr(sweep, name) for name in ("variable_rate", "cut_off", "false_times")}
    del facts["seconds"]
    return facts


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@functools.cache
def version() -> str:
    """Return the version of the installed program, `unknown` where it runs uninstalled."""
    try:
        return importlib.metadata.version("vconsole")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _lost(sweep: Sweep) -> Table | None:
    return _spans("lost", sweep.lost) if sweep.lost else None


def _spans(name: str, lost: Sequence[LostSpan]) -> Table:
    spans = sorted(lost, key=lambda span: span.start_s)
    return table(
        name,
        {
            "start_s": [span.start_s for span in spans],
            "end_s": [span.end_s for span in spans],
            "reason": [visible(span.reason) for span in spans],
        },
    )
