"""Copying a path: to the terminal's clipboard, and to a file for a terminal that takes none."""

from collections.abc import Callable
from typing import Any

from textual.app import App

from pipeline.text import visible
from screens.widgets.outside import tell

_TOLD = 100
"""Characters of the path that are told: the whole of a longer one would cover the screen."""


def copy(app: App[Any], keep: Callable[[str], str], what: str, path: str) -> None:
    """Copy a path and say what was done; a terminal never answers whether it took it, so a file holds it as well."""
    try:
        app.copy_to_clipboard(path)
        told = f"The {what} was sent to the terminal's clipboard: {visible(path, _TOLD)}."
    except UnicodeEncodeError:
        told = f"The {what} is not UTF-8, which no clipboard takes: {visible(path, _TOLD)}."
    tell(app, f"{told} {keep(path)}")
