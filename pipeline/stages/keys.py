"""What each stage result depends on, as a short hash: same key and whole file means not done again."""

import hashlib
import json
from collections.abc import Mapping

from pydantic import BaseModel

from pipeline.model import Stage
from pipeline.settings import PipelineSettings
from pipeline.transcode.settings import NOT_IN_RESULT
from pipeline.transcode.settings import VERSION as TRANSCODE_VERSION

VERSIONS: dict[Stage, str] = {
    Stage.PROBE: "1",
    Stage.CROP: "1",
    Stage.SCENES: "2",
    Stage.FRAMES: "1",
    Stage.DEDUPE: "1",
    Stage.EMBED: "1",
    Stage.TEXT: "1",
    Stage.SPEECH: "1",
    Stage.WRITE: "1",
}
"""Raise a stage's version when its results change: everything that depends on it is then done again."""

UPSTREAM: dict[Stage, tuple[Stage, ...]] = {
    Stage.PROBE: (),
    Stage.CROP: (Stage.PROBE,),
    Stage.SCENES: (Stage.CROP,),
    Stage.FRAMES: (Stage.SCENES,),
    Stage.DEDUPE: (Stage.FRAMES,),
    Stage.EMBED: (Stage.DEDUPE,),
    Stage.TEXT: (Stage.PROBE,),
    Stage.SPEECH: (Stage.PROBE,),
    Stage.WRITE: (Stage.DEDUPE,),
}
"""The stages whose results a stage works on; `write` works on every `embed:<key>` too."""

SETTINGS: dict[Stage, tuple[str, ...]] = {
    Stage.PROBE: (),
    Stage.CROP: ("crop",),
    Stage.SCENES: ("scenes", "probe.max_frames"),
    Stage.FRAMES: (
        "frames.method",
        "frames.frames_per_scene",
        "frames.interval_s",
        "frames.uniform_frames",
        "frames.min_coverage",
        "frames.candidates_per_s",
        "frames.min_luma",
        "frames.min_entropy_bits",
        "frames.hold_mb",
    ),
    Stage.DEDUPE: ("dedupe",),
    Stage.EMBED: ("embed.augment", "host.precision"),
    Stage.TEXT: (
        "text.languages",
        "text.interval_s",
        "text.unchanged",
        "text.longest_px",
        "text.min_confidence",
        "text.max_pieces",
        "probe.max_frames",
    ),
    Stage.SPEECH: (
        "speech.language",
        "speech.stream",
        "speech.voice_threshold",
        "speech.min_silence_s",
        "speech.pad_s",
        "speech.beam_size",
        "probe.max_frames",
        "host.precision",
    ),
    Stage.WRITE: ("write.compression", "embed.scene_vectors", "frames.save", "frames.save_quality"),
}
"""The settings a stage result depends on: whole sections, or single keys.

Guards and bounds (`probe.max_pixels`, `engine.*`, `host.*` but for the precision) are not among them: they decide
whether there is a result, not what is in it. `frames.hold_mb` is: with less memory fewer candidates are weighed.
"""

TEXT_ENGINE = ":text"
"""Where the engine that reads text stands among the fingerprints; no model's key holds a colon."""
KEY_CHARS = 20


def stage_keys(settings: PipelineSettings, content_id: str, fingerprints: Mapping[str, str]) -> dict[str, str]:
    """Return the key of each stage result: `probe` to `dedupe`, then `embed:<model>`, `text` and `speech` where asked
    for, and `write`.

    `fingerprints` maps each key of `settings.model_keys` to the fingerprint of its weights, and `TEXT_ENGINE` to what
    reads text; it is not looked at when these are off. Raises KeyError for one without a fingerprint.
    """
    keys: dict[str, str] = {}
    for stage in (Stage.PROBE, Stage.CROP, Stage.SCENES, Stage.FRAMES, Stage.DEDUPE):
        keys[str(stage)] = _key(stage, settings, keys, content_id)
    if settings.embed.enabled:
        for model in settings.embed.models:
            keys[embed_key(model)] = _key(Stage.EMBED, settings, keys, fingerprints[model])
    if settings.text.enabled:
        keys[str(Stage.TEXT)] = _key(Stage.TEXT, settings, keys, fingerprints[TEXT_ENGINE])
    if settings.speech.enabled:
        keys[str(Stage.SPEECH)] = _key(Stage.SPEECH, settings, keys, fingerprints[settings.speech.model])
    vectors = {name: key for name, key in keys.items() if name.startswith(embed_key(""))}
    keys[str(Stage.WRITE)] = _key(Stage.WRITE, settings, keys, vectors)
    return keys


def transcode_keys(settings: PipelineSettings, content_id: str) -> dict[str, str]:
    """Return the key of a transcode: what is in the output depends on nothing else."""
    wanted = settings.transcode.model_dump(mode="json", exclude=set(NOT_IN_RESULT))
    crop = settings.crop.model_dump(mode="json") if settings.transcode.crop == "auto" else {}
    return {str(Stage.TRANSCODE): _hash([str(Stage.TRANSCODE), TRANSCODE_VERSION, wanted, crop, content_id])}


def embed_key(model: str) -> str:
    """Return the name under which the vectors of `model` stand among the stage keys."""
    return f"{Stage.EMBED}:{model}"


def settings_hash(settings: PipelineSettings) -> str:
    """Return a short hash of every setting that any stage result depends on, for people who compare files."""
    parts = {path: _value(settings, path) for paths in SETTINGS.values() for path in paths}
    return _hash([parts, sorted(settings.embed.models) if settings.embed.enabled else []])


def _key(stage: Stage, settings: PipelineSettings, upstream: Mapping[str, str], extra: object) -> str:
    return _hash(
        [
            str(stage),
            VERSIONS[stage],
            [upstream[str(name)] for name in UPSTREAM[stage]],
            {path: _value(settings, path) for path in SETTINGS[stage]},
            extra,
        ]
    )


def _value(settings: PipelineSettings, path: str) -> object:
    """Return the setting at `path`; of a section that is switched off nothing but that it is off."""
    value: object = settings
    for part in path.split("."):
        value = getattr(value, part)
    if isinstance(value, BaseModel):
        return {"enabled": False} if getattr(value, "enabled", True) is False else value.model_dump(mode="json")
    return value


def _hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode("ascii"), digest_size=KEY_CHARS // 2).hexdigest()
