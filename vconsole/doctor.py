"""`vconsole doctor`: examines this machine and says of each thing whether it works, and what to do if not."""

import argparse
import io
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

from pipeline.doctor.examination import Examination
from pipeline.doctor.plan import plan
from pipeline.engine.folder import state_folder
from pipeline.errors import SettingsError
from pipeline.health import Check, Grade, Health
from pipeline.settings import Settings
from pipeline.text import plural, visible
from vconsole.config import load
from vconsole.exits import Exit
from vconsole.options import absolute, from_arguments
from vconsole.output import write_json
from vconsole.places import state_dir
from vconsole.terminal import terminal

NAME = 21
"""Cells of a check's name."""


def run(args: argparse.Namespace) -> int:
    """Examine the machine, say what is found as it comes, and return the exit code: 1 if there is a fault."""
    configuration, settings = _settings(args)
    folder = state_dir(settings) if configuration.verdict is Grade.OK else state_folder("")
    out = absolute(args.out) if args.out else b""
    examination = examination_of(settings, folder, out, (configuration,))
    health, told = Health(), 0
    try:
        for health in examination.steps():
            for line in _tell(health.checks[told:], health.checks[told - 1].group if told else "", as_json=args.json):
                sys.stdout.write(line + "\n")
            sys.stdout.flush()
            told = len(health.checks)
    finally:
        examination.close()
    code = Exit.SOME_FAILED if health.count(Grade.FAULT) else Exit.OK
    if args.json:
        counts = {str(verdict): health.count(verdict) for verdict in Grade}
        write_json({"event": "summary", "exit_code": int(code), **counts, "elapsed_s": health.elapsed_s}, sys.stdout)
    else:
        sys.stdout.write(f"\n{summary(health)}\n")
    return code


def examination_of(settings: Settings, folder: Path, out: bytes = b"", known: tuple[Check, ...] = ()) -> Examination:
    """Return an examination of this machine with these settings; it knows the terminal before it begins."""
    return Examination(partial(plan, settings, folder, out), (*_terminal(), *known))


def summary(health: Health) -> str:
    """Return what an examination found, in one line."""
    ok, warnings, faults = (health.count(verdict) for verdict in Grade)
    return f"{ok} ok, {plural(warnings, 'warning')}, {plural(faults, 'fault')}; {health.elapsed_s:.0f} s"


def _settings(args: argparse.Namespace) -> tuple[Check, Settings]:
    """Return the settings, or the defaults where they cannot be used: the machine can be examined all the same."""
    from vconsole.keymap import checked

    try:
        settings = load(from_arguments(args))
        checked(settings.keys)
    except SettingsError as error:
        return Check("program", "configuration", Grade.FAULT, str(error), error.remedy), Settings()
    return Check("program", "configuration", Grade.OK, "understood"), settings


def _terminal() -> tuple[Check, ...]:
    """Look at the terminal that the program was started in."""
    from rich.console import Console

    output = sys.__stdout__
    size = os.get_terminal_size(output.fileno()) if output is not None and output.isatty() else None
    colours = Console(file=io.StringIO(), force_terminal=True).color_system or ""
    return terminal(os.environ, size, colours, output.encoding if output is not None else "")


def _tell(checks: tuple[Check, ...], group: str, *, as_json: bool) -> Iterator[str]:
    """Yield the lines of new checks; `group` is that of the check before them."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for check in checks:
        if as_json:
            write_json({"event": "check", **asdict(check)}, sys.stdout)
            continue
        if check.group != group:
            yield f"\n{visible(check.group)}" if group else visible(check.group)
        group = check.group
        head = f"  {check.verdict:<8} {visible(check.name):<{NAME}} "
        yield from _wrapped(head, check.found, width)
        if check.fix:
            yield from _wrapped(" " * 11 + "fix: ", check.fix, width)


def _wrapped(head: str, text: str, width: int) -> list[str]:
    """Return `head` and a text, broken to fit a terminal; in a pipe on one line."""
    text = visible(" ".join(text.split("\n")))
    if not width:
        return [head + text]
    indent = " " * min(len(head), width // 2)
    return textwrap.wrap(text, max(20, width - 1), initial_indent=head, subsequent_indent=indent) or [head]
