"""`vconsole` without a command: opens the console, or says why it cannot."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import SettingsError
from pipeline.text import visible

_WITHOUT = "Without one: `vconsole extract INPUT... --out DIR`, `vconsole resume`, `vconsole runs`."


def run(args: argparse.Namespace) -> int:
    """Open the console and return its exit code. Raises SettingsError where there is no terminal that can show it."""
    kind = os.environ.get("TERM", "")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise SettingsError("the console needs a terminal, and this is none", remedy=_WITHOUT)
    if kind in {"", "dumb"}:
        raise SettingsError(f"a terminal that says TERM={kind} cannot show the console", remedy=_WITHOUT)
    from vconsole.app import run_console
    from vconsole.config import config_path, load, state_dir, themes_dir
    from vconsole.keymap import checked
    from vconsole.options import from_arguments
    from vconsole.settings_file import SettingsFile

    options = from_arguments(args)
    settings = load(options)
    checked(settings.keys, _said_in(config_path(options, os.environ)))
    return run_console(settings, state_dir(settings), SettingsFile(options, current=settings), themes_dir())


def _said_in(path: Path | None) -> Callable[[str], str]:
    """Return what names the configuration file before the name of an action, where the file says its key."""
    from vconsole.layers import read_file

    said = {".".join(entry.key[1:]) for entry in read_file(path) if entry.key[0] == "keys"} if path else set()
    return lambda action: f"{visible(str(path))}: " if action in said else ""
