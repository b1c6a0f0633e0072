"""Settings as they were written: entries that know their key and where they come from, and how layers are merged."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import SettingsError
from pipeline.text import visible
from vconsole.options import Entry
from vconsole.places import CONFIG_VARIABLE
from vconsole.schema import Key, locate

PREFIX = "VCONSOLE_"
"""What the name of an environment variable that sets something begins with."""

OLDER_NAMES: dict[str, Key] = {
    "PIPELINE_MAX_PARALLEL_JOBS": ("engine", "workers"),
    "VP_MAX_WORKERS": ("engine", "workers"),
    "VP_BATCH_SIZE": ("host", "batch_size"),
    "VP_SCENE_THRESH": ("scenes", "threshold"),
    "VP_CROP_PROBES": ("crop", "probes"),
    "VP_CROP_CLIP_SECS": ("crop", "clip_s"),
    "CUDA_MEMORY_FRACTION": ("host", "memory_fraction"),
}
"""Environment variables of earlier tools that are still understood; of two for one setting the later here wins."""

OLDER_DETECTOR = ("VP_SCENE_THRESH", ("scenes", "detector"), "content")
"""The earlier tools had one detector, so their threshold is a number of that detector's scale and chooses it too."""


def read_file(path: Path) -> list[Entry]:
    """Return the entries of a TOML file. Raises SettingsError if it cannot be read or names an unknown key."""
    try:
        return read_toml(path.read_bytes(), path)
    except OSError as error:
        raise SettingsError(
            f"{visible(str(path))}: cannot be read: {error.strerror}", remedy="Name another with --config."
        ) from error


def read_toml(content: bytes, path: Path) -> list[Entry]:
    """Return the entries of what the file at `path` holds. Raises SettingsError as `read_file` does."""
    shown = visible(str(path))
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except ValueError as error:
        raise SettingsError(f"{shown}: not TOML: {visible(str(error))}", remedy="See sample_config.toml.") from error
    return _checked(Entry(key, value, shown) for key, value in _flatten(table))


def _flatten(table: Mapping[str, Any], key: Key = ()) -> Iterator[tuple[Key, object]]:
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _flatten(value, (*key, name))
        else:
            yield (*key, name), value


def _checked(entries: Iterable[Entry]) -> list[Entry]:
    found = list(entries)
    for entry in found:
        try:
            node = locate(entry.key)
        except SettingsError as error:
            raise SettingsError(f"{entry.where}: {visible(str(error))}", remedy="See sample_config.toml.") from None
        if node.field is None and entry.value != {}:
            below = node.children()
            hint = f", e.g. {'.'.join((*entry.key, below[0]))}" if below else ""
            raise SettingsError(f"{visible(entry.label)} is a section; set what is in it{hint}")
    return found


def read_environment(environ: Mapping[str, str], names: Sequence[str]) -> list[Entry]:
    """Return the entries of the environment, older names first so that the new ones win over them.

    `names` are the models and presets known so far: a variable cannot hold a dash, so MODELS__TINY_SHAPES__PATH is
    taken for models.tiny-shapes.path. An empty variable counts as unset. Raises SettingsError for an unknown key.
    """
    entries = [text_entry(key, environ[name], name) for name, key in OLDER_NAMES.items() if environ.get(name)]
    older, key, detector = OLDER_DETECTOR
    if environ.get(older) and not environ.get(_variable_name(OLDER_NAMES[older])):
        entries.append(Entry(key, detector, older))
    for name in sorted(environ):
        if name.startswith(PREFIX) and name != CONFIG_VARIABLE and environ[name]:
            entries.append(text_entry(_variable_key(name, names), environ[name], name))
    return _checked(entries)


def _variable_name(key: Key) -> str:
    return PREFIX + "__".join(key).upper()


def _variable_key(name: str, names: Sequence[str]) -> Key:
    parts = name.removeprefix(PREFIX).lower().split("__")
    if len(parts) > 2:
        known = {other.lower().replace("-", "_"): other for other in names}
        parts[1] = known.get(parts[1], parts[1])
    return tuple(parts)


def read_overrides(overrides: Sequence[str]) -> list[Entry]:
    """Return the entries of `--set section.key=value` options. Raises SettingsError for one that is not like that."""
    entries = []
    for text in overrides:
        dotted, equals, value = text.partition("=")
        if not equals or not dotted.strip():
            raise SettingsError(f"--set {visible(text)}: not of the form section.key=value")
        key = tuple(part.strip() for part in dotted.split("."))
        entries.append(text_entry(key, value.strip(), "--set"))
    return _checked(entries)


def text_entry(key: Key, text: str, where: str) -> Entry:
    """Take `text` as a TOML value, or as it stands where it is none or the setting holds text."""
    try:
        table = tomllib.loads(f"value = {text}")
    except ValueError:
        return Entry(key, text, where)
    if set(table) != {"value"} or (not isinstance(table["value"], str) and _holds_text(key)):
        return Entry(key, text, where)
    return Entry(key, table["value"], where)


def _holds_text(key: Key) -> bool:
    try:
        return locate(key).is_text
    except SettingsError:
        return False


def merge(entries: Iterable[Entry]) -> dict[str, Any]:
    """Return the entries as nested tables; of two for one key the later wins."""
    tables: dict[str, Any] = {}
    for entry in entries:
        table = tables
        for name in entry.key[:-1]:
            table = table.setdefault(name, {})
        if entry.value == {}:
            table.setdefault(entry.key[-1], {})
        else:
            table[entry.key[-1]] = entry.value
    return tables
