"""`vconsole` without a command: opens the console, or says why it cannot."""

import argparse
import os
import sys

from pipeline.errors import SettingsError


def run(args: argparse.Namespace) -> int:
    """Open the console and return its exit code. Raises SettingsError where there is no terminal that can show it."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "") in {"", "dumb"}:
        raise SettingsError(
            "the console needs a terminal, and this is none",
            remedy="Without one: `vconsole extract INPUT... --out DIR`, `vconsole resume`, `vconsole runs`.",
        )
    from vconsole.app import run_console
    from vconsole.config import load, state_dir
    from vconsole.options import from_arguments

    settings = load(from_arguments(args))

    return run_console(settings, state_dir(settings))
