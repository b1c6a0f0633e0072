"""`vconsole transcode`: turns the command line into a checked run and carries it out without a screen."""

import argparse

from pipeline.commands import StartRun
from pipeline.errors import SettingsError
from pipeline.model import RunKind
from pipeline.settings import DEFAULT_PRESETS, Settings, with_preset
from vconsole.config import load
from vconsole.extract import started
from vconsole.options import absolute, from_arguments


def run(args: argparse.Namespace) -> int:
    """Transcode, or with --dry-run or --check only say what there is to say, and return the exit code.

    Raises SettingsError or LedgerError before any work.
    """
    settings = load(from_arguments(args))
    if args.check:
        from vconsole.transcode_check import check_inputs

        preset = args.preset or DEFAULT_PRESETS[RunKind.TRANSCODE]
        inputs = tuple(absolute(path) for path in args.inputs)
        return check_inputs(inputs, with_preset(settings, preset, RunKind.TRANSCODE), as_json=args.json)
    return started(start_run(args, settings), settings, args)


def start_run(args: argparse.Namespace, settings: Settings) -> StartRun:
    """Return the command that `args` ask for. Raises SettingsError for an unknown preset or no output folder."""
    if not args.out:
        raise SettingsError("no output folder was given", remedy="Name one with --out, or only look with --check.")
    preset = args.preset or DEFAULT_PRESETS[RunKind.TRANSCODE]
    return StartRun(
        kind=RunKind.TRANSCODE,
        inputs=tuple(absolute(path) for path in args.inputs),
        out=absolute(args.out),
        preset=preset,
        settings=with_preset(settings, preset, RunKind.TRANSCODE),
        force=args.force,
    )
