"""The settings of a run as rows: those that differ from the defaults and the usual ones first, then all others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from pipeline.model import RunKind
from pipeline.settings import READ_BY, PipelineSettings
from pipeline.text import visible
from screens.widgets.outside import Cell, Line, Tone, cell

UNSET = "unset"

_USUAL = frozenset(
    {
        "engine.workers",
        "scenes.detector",
        "scenes.threshold",
        "frames.method",
        "frames.frames_per_scene",
        "frames.save",
        "dedupe.enabled",
        "embed.enabled",
        "embed.models",
        "host.device",
        "host.batch_size",
        *(
            f"transcode.{name}"
            for name in ("output_format", "video_codec", "audio_codec", "crf", "speed", "resolution")
        ),
        *(f"transcode.{name}" for name in ("crop", "hwaccel", "salvage")),
    }
)

_OF_THE_ENGINE = frozenset(
    f"engine.{name}"
    for name in (
        "grace_s",
        "runs_queued",
        "snapshot_hz",
        "sensor_s",
        "sensor_deadline_s",
        "events_kept",
        "history_kept",
        "rate_window_s",
    )
)
"""What the engine reads when it starts: no run can change it."""


@dataclass(frozen=True, slots=True)
class RunSetting:
    """One setting of a run."""

    key: str
    """section.key"""
    text: str
    default: str
    description: str
    changed: bool
    """Whether the operator gave it another value for this run."""

    @property
    def differs(self) -> bool:
        """Whether it is not at its default."""
        return self.text != self.default


def run_settings(
    kind: RunKind, preset: PipelineSettings, now: PipelineSettings, changes: Mapping[str, str]
) -> list[RunSetting]:
    """Return what a run of `kind` reads, as it is `now`, in an order that depends on the preset alone."""
    first: list[RunSetting] = []
    rest: list[RunSetting] = []
    for section in READ_BY[kind]:
        group, values = getattr(preset, section), getattr(now, section)
        if not isinstance(group, BaseModel):
            continue
        for name, field in type(group).model_fields.items():
            key = f"{section}.{name}"
            if key in _OF_THE_ENGINE:
                continue
            default = as_text(field.default)
            text = as_text(getattr(values, name))
            setting = RunSetting(key, text, default, field.description or "", key in changes)
            (first if key in _USUAL or as_text(getattr(group, name)) != default else rest).append(setting)
    return [*first, *rest]


def as_text(value: Any) -> str:
    """Return a value as an operator types it."""
    if value is None:
        return UNSET
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def setting_lines(settings: list[RunSetting], width: int) -> tuple[Line, ...]:
    """Return a row for each: name, value, and whether that is the default."""
    name_width = min(28, max(12, width // 2))
    return tuple(_row(setting, name_width, width) for setting in settings)


def _row(setting: RunSetting, name_width: int, width: int) -> Line:
    told = "changed" if setting.changed else "preset/file" if setting.differs else "default"
    room = max(6, width - name_width - len(told) - 2)
    tone: Tone = "accent" if setting.changed else "strong" if setting.differs else ""
    return (
        cell(setting.key, name_width),
        Cell(" "),
        cell(visible(setting.text), room, tone),
        Cell(f" {told}", "quiet"),
    )
