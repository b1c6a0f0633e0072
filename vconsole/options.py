"""What is said about settings before they are read: by the command line, and one entry each by whoever says it."""

import argparse
import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting as it was written: `where` is the file, the variable or the option that says so."""

    key: tuple[str, ...]
    """Its place, e.g. ("scenes", "threshold")."""
    value: object
    where: str

    @property
    def label(self) -> str:
        """How a message names this entry."""
        return f"{self.where}: {'.'.join(self.key)}"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says about settings; options of their own are laid under `--set`."""

    config: str = ""
    """Path of the configuration file; empty = the variable VCONSOLE_CONFIG, else the user's own."""
    overrides: tuple[str, ...] = ()
    """`section.key=value`, in the order given."""
    entries: tuple[Entry, ...] = ()
    """Settings that have an option of their own, e.g. --workers."""


NO_OPTIONS = Options()
"""What a call of the program without options says."""


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
    for name in ("labels", "method", "vectors"):
        if args.command == "classify" and (value := getattr(args, name)):
            entries.append(Entry(("classify", name), tuple(value) if name == "labels" else value, f"--{name}"))
    if args.command == "transcode":
        entries += _transcode_options(args)
    return entries


def _transcode_options(args: argparse.Namespace) -> list[Entry]:
    """Return what the options say that are called as settings of a transcode are."""
    from pipeline.transcode.settings import TranscodeSettings  # the console needs no schema before its first picture
    from vconsole.layers import text_entry

    entries = []
    for name in TranscodeSettings.model_fields:
        value = getattr(args, name, None)
        where = f"--{name.replace('_', '-')}"
        if name == "report_file" and value:
            entries.append(Entry(("transcode", name), os.fsdecode(absolute(value)), where))
        elif value is not None:
            key = ("transcode", name)
            entries.append(Entry(key, value, where) if isinstance(value, bool) else text_entry(key, value, where))
    return entries


def absolute(path: str) -> bytes:
    """Return the absolute path as bytes, without `..`; links stay as they were named, so that names stay the user's."""
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100 - Path.resolve would follow links
