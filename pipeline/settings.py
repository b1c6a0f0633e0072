"""All settings together, presets laid over them, and the built-in presets and models."""

import difflib
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field

from pipeline.analysis.settings import AnalysisSettings, ClassifySettings
from pipeline.errors import SettingsError
from pipeline.model import RunKind, Stage
from pipeline.section import ModelKey, Section
from pipeline.section import Preset as Preset
from pipeline.sections import ConsoleSettings, EngineSettings, HostSettings, LogSettings, ModelSettings
from pipeline.stage_sections import (
    CropSettings,
    DecodeSettings,
    DedupeSettings,
    EmbedSettings,
    FramesSettings,
    ProbeSettings,
    ScenesSettings,
    SpeechSettings,
    TextSettings,
    WriteSettings,
)
from pipeline.transcode.settings import TRANSCODE_PRESETS, TranscodeSettings


class PipelineSettings(Section):
    """What the stages and the engine read: the part of the settings that a preset may change and a run records."""

    engine: EngineSettings = EngineSettings()
    probe: ProbeSettings = ProbeSettings()
    decode: DecodeSettings = DecodeSettings()
    crop: CropSettings = CropSettings()
    scenes: ScenesSettings = ScenesSettings()
    frames: FramesSettings = FramesSettings()
    dedupe: DedupeSettings = DedupeSettings()
    embed: EmbedSettings = EmbedSettings()
    text: TextSettings = TextSettings()
    speech: SpeechSettings = SpeechSettings()
    write: WriteSettings = WriteSettings()
    transcode: TranscodeSettings = TranscodeSettings()
    host: HostSettings = HostSettings()
    models: dict[ModelKey, ModelSettings] = Field(default_factory=dict, description="The model catalogue by key.")

    @property
    def model_keys(self) -> tuple[str, ...]:
        """The models that an extract run needs, each once."""
        vectors = self.embed.models if self.embed.enabled else ()
        return tuple(dict.fromkeys((*vectors, *((self.speech.model,) if self.speech.enabled else ()))))

    def asks_for(self, stage: Stage) -> bool:
        """Whether a stage is to be done, where the kind of run has it."""
        switched = {
            Stage.CROP: self.crop.enabled,
            Stage.SCENES: self.scenes.enabled,
            Stage.DEDUPE: self.dedupe.enabled,
            Stage.EMBED: self.embed.enabled and bool(self.embed.models),
            Stage.TEXT: self.text.enabled,
            Stage.SPEECH: self.speech.enabled,
        }
        return switched.get(stage, True)


def _by_action(keys: object) -> object:
    """Join the tables that TOML makes of `group.verb`, and take one key for a list of one; the console knows keys."""
    if not isinstance(keys, Mapping):
        return keys
    joined: dict[str, object] = {}
    for name, value in keys.items():
        if isinstance(value, Mapping):
            joined |= {f"{name}.{rest}": below for rest, below in value.items()}
        else:
            joined[name] = value
    return {
        name: [str(key) for key in (value if isinstance(value, (list, tuple)) else [value])]
        for name, value in joined.items()
    }


class Settings(PipelineSettings):
    """Everything a configuration file can hold."""

    state_dir: str = Field("", description="Folder of the ledger; empty = the platform's state folder.")
    classify: ClassifySettings = ClassifySettings()
    analysis: AnalysisSettings = AnalysisSettings()
    console: ConsoleSettings = ConsoleSettings()
    log: LogSettings = LogSettings()
    presets: dict[str, Preset] = Field(default_factory=dict, description="Presets by name.")
    keys: Annotated[dict[str, tuple[str, ...]], BeforeValidator(_by_action)] = Field(
        default_factory=dict, description="Keys of the console by action."
    )


PRESETS: dict[str, Preset] = {
    "standard": Preset(
        description="Adaptive scenes, up to three sharp frames of each, near-duplicates dropped, CLIP vectors."
    ),
    "quick": Preset(
        description="Keyframes only, so most of the video is never decoded, and CLIP vectors.",
        settings={"scenes": {"enabled": False}, "frames": {"method": "keyframes"}},
    ),
    "scenes": Preset(
        description="Like standard but without vectors; needs no model.",
        settings={"embed": {"enabled": False}},
    ),
    "everything": Preset(
        description="Like standard, and the text that the pictures show, read once a second, and what is said.",
        settings={"text": {"enabled": True}, "speech": {"enabled": True}},
    ),
    **{
        name: Preset(description=sentence, kind=RunKind.TRANSCODE, settings={"transcode": values})
        for name, (sentence, values) in TRANSCODE_PRESETS.items()
    },
}
"""The built-in presets of all kinds; a configuration file may add others or replace these."""

DEFAULT_PRESETS: dict[RunKind, str] = {RunKind.EXTRACT: "standard", RunKind.TRANSCODE: "standardize"}
"""The preset of a run of each kind that names none."""

MODELS: dict[str, ModelSettings] = {
    "clip-vit-b-32": ModelSettings(architecture="ViT-B-32", weights="laion2b_s34b_b79k", size_mb=605, licence="MIT"),
    "clip-vit-b-16": ModelSettings(architecture="ViT-B-16", weights="laion2b_s34b_b88k", size_mb=599, licence="MIT"),
    "clip-vit-l-14": ModelSettings(architecture="ViT-L-14", weights="laion2b_s32b_b82k", size_mb=1710, licence="MIT"),
    "siglip2-b-16": ModelSettings(architecture="ViT-B-16-SigLIP2", weights="webli", size_mb=1500, licence="Apache-2.0"),
    "dinov2-s-14": ModelSettings(
        family="timm", architecture="vit_small_patch14_dinov2", weights="lvd142m", size_mb=88, licence="Apache-2.0"
    ),
    "dinov2-b-14": ModelSettings(
        family="timm", architecture="vit_base_patch14_dinov2", weights="lvd142m", size_mb=346, licence="Apache-2.0"
    ),
    **{
        f"whisper-{size}": ModelSettings(family="whisper", architecture=size, size_mb=megabytes, licence="MIT")
        for size, megabytes in {
            "tiny": 76,
            "base": 145,
            "small": 484,
            "medium": 1528,
            "large-v3": 3087,
            "large-v3-turbo": 1618,
        }.items()
    },
    "perceptual": ModelSettings(family="perceptual", architecture="perceptual", licence="Apache-2.0"),
    "tiny-shapes": ModelSettings(architecture="tiny-shapes", path="builtin:tiny-shapes", licence="Apache-2.0"),
}
"""The built-in model catalogue; `tiny-shapes` is a toy for the demo and the tests and nothing more."""


READ_AT_START: frozenset[tuple[str, ...]] = frozenset(
    {
        ("state_dir",),
        ("engine", "grace_s"),
        ("engine", "events_kept"),
        ("engine", "history_kept"),
        ("engine", "runs_queued"),
        ("engine", "sensor_deadline_s"),
        ("engine", "sensor_s"),
        ("engine", "snapshot_hz"),
        ("console", "refresh_hz"),
        ("log", "dir"),
        ("log", "file_mb"),
        ("log", "files"),
    }
)
"""Settings that are read once, when the program starts; what else a run reads is that of its beginning."""


READ_BY: dict[RunKind, tuple[str, ...]] = {
    RunKind.EXTRACT: tuple(name for name in PipelineSettings.model_fields if name != "transcode"),
    RunKind.TRANSCODE: ("engine", "probe", "decode", "crop", "transcode"),
}
"""The sections that a run of each kind reads."""


def presets_of(presets: Mapping[str, Preset], kind: RunKind) -> dict[str, Preset]:
    """Return those of `presets` that a run of `kind` can have."""
    return {name: preset for name, preset in presets.items() if preset.kind is kind}


def with_preset(settings: Settings, name: str, kind: RunKind | None = None) -> PipelineSettings:
    """Return what a run with the preset `name` reads: its settings laid over `settings`.

    `settings.presets` wins over the built-in presets of the same name; `vconsole.config.load` puts there what
    environment and command line lay over each preset. Raises SettingsError if there is no such preset, or none for
    runs of `kind` where one is given.
    """
    presets = {**PRESETS, **settings.presets}
    if kind is not None and name in presets and presets[name].kind is not kind:
        offered = ", ".join(presets_of(presets, kind))
        raise SettingsError(
            f"the preset {name!r} is one of {presets[name].kind} runs", remedy=f"{kind} runs have: {offered}."
        )
    if name not in presets:
        near = difflib.get_close_matches(name, presets, n=3) or sorted(presets)
        raise SettingsError(f"no preset is called {name!r}", remedy=f"Did you mean {' or '.join(near)}?")
    values = settings.model_dump(include=set(PipelineSettings.model_fields))
    for section, changes in presets[name].settings.items():
        values[section] = {**values.get(section, {}), **changes}
    return PipelineSettings.model_validate(values)
