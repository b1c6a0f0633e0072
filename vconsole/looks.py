"""The themes there are: those of the program, and the operator's own, which may be broken but break nothing."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.color import Color, ColorParseError
from textual.theme import Theme

import themes
from vconsole.options import Options
from vconsole.places import config_path

MOST_BYTES = 64 * 1024
"""How large a theme file may be."""

MOST_THEMES = 100
"""How many files of the operator's folder are read."""


@dataclass(frozen=True)
class Looks:
    """All themes by name, the default first, and a sentence for each file that is none."""

    themes: Mapping[str, Theme]
    problems: tuple[str, ...] = ()


class _BrokenError(ValueError):
    """A file is no theme; the message says why."""


def wanted_theme(options: Options, environ: Mapping[str, str]) -> str:
    """Return the theme that is asked for, empty if none is, by a look that takes no time.

    What cannot be understood is told by whoever reads the settings whole.
    """
    said = [text.partition("=") for text in options.overrides]
    on_command_line = [value.strip() for key, _, value in said if key.strip() == "console.theme"]
    if on_command_line or (name := environ.get("VCONSOLE_CONSOLE__THEME", "")):
        return on_command_line[-1] if on_command_line else name
    path = config_path(options, environ)
    try:
        console = tomllib.loads(path.read_text("utf-8")).get("console", {}) if path else {}
    except (OSError, ValueError):
        return ""
    return str(console.get("theme", "")) if isinstance(console, dict) else ""


def looks(folder: Path | None) -> Looks:
    """Return the built-in themes and those of `folder`, of which one may replace a built-in one of its name."""
    built_in = {data.name: data for data in themes.built_in()}
    found = {name: _theme(data) for name, data in built_in.items()}
    problems = []
    for path in _files(folder):
        try:
            found[path.stem] = _theme(_own(path, built_in))
        except _BrokenError as broken:
            problems.append(f"The theme {path} is left out: {broken}.")
    return Looks(found, tuple(problems))


def _files(folder: Path | None) -> list[Path]:
    try:
        return sorted(folder.glob("[!.]*.toml"))[:MOST_THEMES] if folder else []
    except OSError:
        return []


def _own(path: Path, built_in: Mapping[str, themes.ThemeData]) -> themes.ThemeData:
    """Read one theme of the operator; what it leaves open is as in the built-in theme that is most like it."""
    table = _table(path)
    _known(table, ("dark", "ansi", "colours", "variables"), "")
    dark, ansi = table.get("dark", True), table.get("ansi", False)
    for name, value in (("dark", dark), ("ansi", ansi)):
        if not isinstance(value, bool):
            raise _BrokenError(f"{name} must be true or false")
    base = built_in["ansi" if ansi else "vconsole-dark" if dark else "vconsole-light"]
    known = {name for data in built_in.values() for name in data.variables}
    colours = {**base.colours, **_colours(table, "colours", set(base.colours))}
    variables = {**base.variables, **_colours(table, "variables", known)}
    return themes.ThemeData(path.stem, dark, colours, variables, ansi)


def _table(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():
            raise _BrokenError("it is no file")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise _BrokenError(f"it cannot be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise _BrokenError(f"it is larger than {MOST_BYTES // 1024} KiB")
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise _BrokenError(f"it is not TOML: {error}") from None


def _colours(table: Mapping[str, Any], section: str, known: set[str]) -> dict[str, str]:
    colours = table.get(section, {})
    if not isinstance(colours, dict):
        raise _BrokenError(f"{section} must be a table")
    _known(colours, known, f"{section}.")
    for name, value in colours.items():
        try:
            Color.parse(value if isinstance(value, str) else "")
        except ColorParseError:
            raise _BrokenError(f"{section}.{name} = {value!r} is no colour; write one as #6c9fc9") from None
    return colours


def _known(table: Mapping[str, Any], known: tuple[str, ...] | set[str], prefix: str) -> None:
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise _BrokenError(f"{prefix}{name} is unknown" + (f"; did you mean {prefix}{near[0]}?" if near else ""))


def _theme(data: themes.ThemeData) -> Theme:
    colours: dict[str, Any] = dict(data.colours)
    return Theme(name=data.name, dark=data.dark, ansi=data.ansi, variables=dict(data.variables), **colours)
