"""Themes as data: one TOML file each, and the stylesheet that all screens share."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

_FOLDER = Path(__file__).parent

STYLESHEET = _FOLDER / "console.tcss"
"""What every screen has in common: the tones of text, scrollbars, toasts."""


@dataclass(frozen=True)
class ThemeData:
    """The colours of one theme, by the names that the stylesheets use."""

    name: str
    dark: bool
    colours: dict[str, str]
    """primary, secondary, accent, success, warning, error, foreground, background, surface, panel, boost"""
    variables: dict[str, str] = field(default_factory=dict)
    """Further variables of the stylesheets."""
    ansi: bool = False
    """Whether it keeps to the terminal's own 16 colours."""


def read(path: Path) -> ThemeData:
    """Read one theme from its file.

    Raises OSError, tomllib.TOMLDecodeError, or TypeError where the file says other things than a theme does.
    """
    with path.open("rb") as file:
        return ThemeData(name=path.stem, **tomllib.load(file))


def built_in() -> tuple[ThemeData, ...]:
    """Return the themes that come with the program, the default first."""
    order = ("vconsole-dark", "vconsole-light", "high-contrast", "ansi")
    return tuple(read(_FOLDER / f"{name}.toml") for name in order)
