"""The command line: which module does what was typed. Light: the work is imported when it is asked for."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import cast

from pipeline.errors import VconsoleError
from pipeline.text import visible
from vconsole.exits import Exit
from vconsole.output import tolerate, write_json
from vconsole.parsers import build_parser

COMMANDS = {
    "extract": "vconsole.extract:run",
    "transcode": "vconsole.transcode:run",
    "resume": "vconsole.resume:run",
    "verify": "vconsole.verify:run",
    "classify": "vconsole.classify:run",
    "templates": "vconsole.templates:run",
    "analysis": "vconsole.analysis:run",
    "export": "vconsole.export:run",
    "benchmark": "vconsole.benchmark:run",
    "runs": "vconsole.runs:run",
    "models": "vconsole.models:run",
    "doctor": "vconsole.doctor:run",
    "demo": "vconsole.demo:run",
    None: "vconsole.console:run",
}
"""Subcommand -> the function that carries it out; it takes the parsed arguments and returns the exit code."""


def run(argv: Sequence[str]) -> int:
    """Carry out the command line `argv` and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        tolerate(stream)
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else Exit.UNUSABLE
    try:
        return _command(args.command)(args)
    except VconsoleError as error:
        _complain(error, as_json=getattr(args, "json", False))
        return Exit.UNUSABLE
    except (KeyboardInterrupt, BrokenPipeError):
        return Exit.INTERRUPTED
    finally:
        _let_go_of_output()


def _let_go_of_output() -> None:
    """Point an output that nobody reads any more at nothing, else the interpreter complains of it when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _command(name: str | None) -> Callable[[argparse.Namespace], int]:
    module, _, function = COMMANDS[name].partition(":")
    return cast("Callable[[argparse.Namespace], int]", getattr(importlib.import_module(module), function))


def _complain(error: VconsoleError, *, as_json: bool) -> None:
    lines = [visible(line) for line in str(error).splitlines()] or [type(error).__name__]
    told = [*lines, *([visible(error.remedy)] if error.remedy else [])]
    sys.stderr.write("vconsole: " + "\n          ".join(told) + "\n")
    if as_json:
        summary = {"event": "summary", "exit_code": int(Exit.UNUSABLE), "error": str(error), "remedy": error.remedy}
        write_json(summary, sys.stdout)
