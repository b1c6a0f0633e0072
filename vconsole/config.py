"""What the program is set to: defaults < configuration file < preset < environment < command line."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipeline.errors import SettingsError
from pipeline.settings import MODELS, PRESETS, PipelineSettings, Preset, Settings
from pipeline.text import visible
from vconsole.expected import expected
from vconsole.layers import merge, read_environment, read_file, read_overrides
from vconsole.options import NO_OPTIONS, Entry, Options
from vconsole.places import config_path
from vconsole.schema import Key, locate

BUILT_IN = "built in"
"""Where an entry comes from that nobody wrote."""

MOST_ERRORS = 10
"""Wrong values that one message lists at most."""


def load(options: Options = NO_OPTIONS, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of this call of the program.

    `presets` of the result holds every preset, built-in ones included, each with what environment and command line lay
    over it: `pipeline.settings.with_preset` then gives the order of layers above. Raises SettingsError, naming file
    and key, for anything that is unknown or out of bounds.
    """
    environ = os.environ if environ is None else environ
    path = config_path(options, environ)
    from_file = read_file(path) if path else []
    from_environment, from_options = over_file(options, environ, from_file)
    return combine(from_file, [*from_environment, *from_options])


def over_file(
    options: Options, environ: Mapping[str, str], from_file: Sequence[Entry]
) -> tuple[list[Entry], list[Entry]]:
    """Return what environment and command line say; `from_file` tells which models and presets there are."""
    names = [*MODELS, *PRESETS, *(entry.key[1] for entry in from_file if len(entry.key) > 1)]
    return read_environment(environ, names), [*options.entries, *read_overrides(options.overrides)]


def combine(from_file: Sequence[Entry], over: Sequence[Entry]) -> Settings:
    """Return the settings, as `load` does, of the file's entries and those that win over it. Raises SettingsError."""
    entries = _with_catalogue([*from_file, *over])
    settings = _validated(Settings, entries)
    presets = _presets(settings, over)
    for name, preset in presets.items():
        _check_preset(name, preset, entries)
    return settings.model_copy(update={"presets": presets})


def problem(entry: Entry) -> str:
    """Return what is wrong with one value, in words such as `must be true or false`; empty if nothing is."""
    try:
        Settings.model_validate(merge(_with_catalogue([entry])))
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        told = [_told(detail["type"], detail["msg"], entry.key) for detail in details if _key_of(detail) == entry.key]
        return " or ".join(dict.fromkeys(told))
    return ""


def with_changes(base: PipelineSettings, changes: Mapping[str, str]) -> PipelineSettings:
    """Return `base` with other values, given as section.key -> text; an empty text stands for the default.

    Raises SettingsError with a line for each value that will not do.
    """
    values = base.model_dump()
    for dotted in changes:
        section, _, name = dotted.partition(".")
        values.get(section, {}).pop(name, None)
    entries = read_overrides([f"{dotted}={text}" for dotted, text in changes.items() if text.strip()])
    for section, table in merge(entries).items():
        values[section] = {**values[section], **table}
    try:
        return PipelineSettings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error, ())) from None


def _with_catalogue(entries: list[Entry]) -> list[Entry]:
    """Put the built-in description under each catalogue entry that `entries` change.

    A local file in place of a built-in model's weights drops the tag and the checksum of those.
    """
    ours: list[Entry] = []
    for key in {entry.key[1] for entry in entries if entry.key[0] == "models" and len(entry.key) > 2}:
        if key in MODELS:
            own_path = any(entry.key == ("models", key, "path") and entry.value for entry in entries)
            dropped = {"weights", "sha256", "size_mb"} if own_path else set()
            values = MODELS[key].model_dump(exclude_defaults=True, exclude=dropped)
            ours.extend(Entry(("models", key, name), value, BUILT_IN) for name, value in values.items())
    return [*ours, *entries]


def _presets(settings: Settings, over: Iterable[Entry]) -> dict[str, Preset]:
    tables = {key: value for key, value in merge(over).items() if key in PipelineSettings.model_fields}
    return {
        name: preset.model_copy(update={"settings": _laid_over(preset.settings, tables)})
        for name, preset in {**PRESETS, **settings.presets}.items()
    }


def _laid_over(under: Mapping[str, Mapping[str, object]], over: Mapping[str, Any]) -> dict[str, dict[str, object]]:
    sections = [*under, *(section for section in over if section not in under)]
    return {section: {**under.get(section, {}), **over.get(section, {})} for section in sections if section != "models"}


def _check_preset(name: str, preset: Preset, entries: Sequence[Entry]) -> None:
    """Refuse a preset with a wrong value even where it is not the one in use."""
    prefix = ("presets", name, "settings")
    own = [Entry(entry.key[3:], entry.value, entry.where) for entry in entries if entry.key[:3] == prefix]
    try:
        PipelineSettings.model_validate(preset.settings)
    except ValidationError as error:
        raise SettingsError(_explain(error, own, ".".join(prefix) + "."), remedy="See sample_config.toml.") from None


def _validated(schema: type[Settings], entries: Sequence[Entry]) -> Settings:
    try:
        return schema.model_validate(merge(entries))
    except ValidationError as error:
        raise SettingsError(_explain(error, entries), remedy="See sample_config.toml.") from None


def _explain(error: ValidationError, entries: Sequence[Entry], prefix: str = "") -> str:
    """Return a line for each wrong value: where it was set, its key, the value, and what would do."""
    reasons: dict[Key, list[str]] = {}
    for detail in error.errors(include_url=False, include_context=False):
        key = _key_of(detail)
        reasons.setdefault(key, []).append(_told(detail["type"], detail["msg"], key))
    return "\n".join(_reason(key, told, entries, prefix) for key, told in list(reasons.items())[:MOST_ERRORS])


def _told(kind: str, message: str, key: Key) -> str:
    if kind == "missing":
        return "missing, and there is no default"
    field = locate(key).field
    if kind == "string_pattern_mismatch":
        return f"not understood ({field.description})" if field else "not a name: letters, digits, dots and dashes do"
    return f"must be {expected(field)}" if field else message.removeprefix("Input ")


def _key_of(detail: ErrorDetails) -> Key:
    return _known_part(tuple(str(part) for part in detail["loc"]))


def _known_part(loc: Key) -> Key:
    """Return `loc` without what pydantic adds for the parts of a union or a list."""
    for length in range(len(loc), 0, -1):
        try:
            node = locate(loc[:length])
        except SettingsError:
            continue
        if node.field is None or length == len(loc) or locate(loc[:length]).field is not None:
            return loc[:length]
    return loc


def _reason(key: Key, told: Sequence[str], entries: Sequence[Entry], prefix: str) -> str:
    dotted = prefix + ".".join(key)
    said = [entry for entry in entries if entry.key == key] or [
        entry for entry in entries if entry.key[: len(key) - 1] == key[:-1] and entry.where != BUILT_IN
    ]
    where = f"{said[-1].where}: " if said else ""
    value = f" = {said[-1].value!r}" if said and said[-1].key == key else ""
    return visible(f"{where}{dotted}{value}") + f": {' or '.join(dict.fromkeys(told))}"
