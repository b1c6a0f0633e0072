"""What the parsed command line says about settings."""

import argparse
import os

from vconsole.config import Options
from vconsole.layers import Entry


def from_arguments(args: argparse.Namespace) -> Options:
    """Return the options of `args`; those behind the command win over those before it."""
    return Options(
        config=getattr(args, "config", None) or getattr(args, "before_config", None) or "",
        overrides=(*getattr(args, "before_overrides", ()), *getattr(args, "overrides", ())),
        entries=tuple(_own_options(args)),
    )


def _own_options(args: argparse.Namespace) -> list[Entry]:
    entries = []
    if models := getattr(args, "model", None):
        entries.append(Entry(("embed", "models"), tuple(models), "--model"))
        entries.append(Entry(("embed", "enabled"), True, "--model"))
    if workers := getattr(args, "workers", None):
        entries.append(Entry(("engine", "workers"), workers, "--workers"))
    if device := getattr(args, "device", None):
        entries.append(Entry(("host", "device"), device, "--device"))
    return entries


def absolute(path: str) -> bytes:
    """Return the absolute path as bytes, without `..`; links stay as they were named, so that names stay the user's."""
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100 - Path.resolve would follow links
