"""`vconsole extract`: turns the command line into a checked run and carries it out without a screen."""

import argparse
import difflib
import sys
from pathlib import Path

from pipeline.commands import ResumeRun, StartRun
from pipeline.engine import Engine
from pipeline.engine.plan import check
from pipeline.errors import SettingsError
from pipeline.model import RunKind
from pipeline.models.registry import catalogue
from pipeline.settings import DEFAULT_PRESETS, PipelineSettings, Settings, with_preset
from vconsole.config import load
from vconsole.headless import drive
from vconsole.options import absolute, from_arguments
from vconsole.places import state_dir
from vconsole.progress import choose
from vconsole.summary import Summary


def run(args: argparse.Namespace) -> int:
    """Extract, or with --dry-run say what would be done, and return the exit code.

    Raises SettingsError, MissingWeightsError or LedgerError before any work.
    """
    settings = load(from_arguments(args))
    return started(start_run(args, settings), settings, args)


def started(command: StartRun, settings: Settings, args: argparse.Namespace) -> int:
    """Check and carry out a command, or with --dry-run say what it would do, and return the exit code."""
    check(command)
    if args.dry_run:
        from vconsole.dry_run import show

        return show(command, state_dir(settings), as_json=args.json)
    return carry_out(command, settings, state_dir(settings), as_json=args.json).exit_code


def start_run(args: argparse.Namespace, settings: Settings) -> StartRun:
    """Return the command that `args` ask for. Raises SettingsError for an unknown preset or model."""
    preset = args.preset or DEFAULT_PRESETS[RunKind.EXTRACT]
    chosen = with_preset(settings, preset, RunKind.EXTRACT)
    _check_models(chosen)
    return StartRun(
        kind=RunKind.EXTRACT,
        inputs=tuple(absolute(path) for path in args.inputs),
        out=absolute(args.out),
        preset=preset,
        settings=chosen,
        force=args.force,
    )


def carry_out(command: StartRun | ResumeRun, settings: Settings, folder: Path, *, as_json: bool) -> Summary:
    """Run an engine for one command and return how it ended. Raises LedgerError if it cannot start."""
    engine = Engine(settings, state_dir=folder)
    face = choose(as_json=as_json, stream=sys.stdout)
    return drive(engine, command, face, grace_s=settings.engine.grace_s)


def _check_models(settings: PipelineSettings) -> None:
    """Refuse a model that nobody described, naming those with a name like it."""
    known = catalogue(settings)
    for key in settings.model_keys:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=3, cutoff=0.4) or sorted(known)
            raise SettingsError(
                f"no model is called {key!r}",
                remedy=f"Did you mean {' or '.join(near)}? `vconsole models list` shows all.",
            )
