"""Looks at the weights of one model, or of what reads text: whether they are here, and are what they should be."""

from typing import Any

from pipeline.engine.preflight import check_checkpoint
from pipeline.errors import MissingWeightsError, SettingsError
from pipeline.health import Check, Grade
from pipeline.models.registry import catalogue, locate, require
from pipeline.reading.engines import choose
from pipeline.settings import PipelineSettings
from pipeline.stage_sections import TextSettings

GROUP = "models"


def weights(key: str, models: dict[str, Any]) -> list[Check]:
    """Return whether the model `key` of the catalogue `models` could be loaded; reads all of its file."""
    settings = PipelineSettings.model_validate({"models": models})
    try:
        require([key], settings)
        status = locate(key, catalogue(settings)[key])
        check_checkpoint(status)
    except MissingWeightsError as error:
        return [Check(GROUP, key, Grade.WARNING, str(error), error.remedy)]
    except SettingsError as error:
        return [Check(GROUP, key, Grade.FAULT, str(error), error.remedy)]
    if not status.needed:
        return [Check(GROUP, key, Grade.OK, "needs no weights")]
    checked = "checksum right" if status.expected_sha256 else "no checksum known"
    return [Check(GROUP, key, Grade.OK, f"{status.size_bytes / 1e6:.0f} MB, {checked}, {status.path}")]


def text(wanted: dict[str, Any]) -> list[Check]:
    """Return which engine would read text by the settings `wanted`, or what is missing for it."""
    settings = TextSettings.model_validate(wanted)
    try:
        engine = choose(settings)
    except SettingsError as error:
        return [Check(GROUP, "text", Grade.WARNING, str(error), error.remedy)]
    return [Check(GROUP, "text", Grade.OK, f"{engine} reads {', '.join(settings.languages)}")]
