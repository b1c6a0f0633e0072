"""The command line: what can be typed, and which module does it. Light: the work is imported when it is asked for."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeAlias, cast

from pipeline.errors import VconsoleError
from pipeline.text import visible
from vconsole.exits import Exit
from vconsole.output import tolerate, write_json

COMMANDS = {
    "extract": "vconsole.extract:run",
    "resume": "vconsole.resume:run",
    "verify": "vconsole.verify:run",
    "runs": "vconsole.runs:run",
    "models": "vconsole.models:run",
    "doctor": "vconsole.doctor:run",
    "demo": "vconsole.demo:run",
    None: "vconsole.console:run",
}
"""Subcommand -> the function that carries it out; it takes the parsed arguments and returns the exit code."""

TOP = """\
Turn folders of videos into features: scenes, keyframes, hashes and embeddings, one HDF5 file a video.
Without a command the console opens."""

TOP_EXAMPLES = """\
examples:
  vconsole                                     open the console
  vconsole extract ~/videos --out ~/features   extract a folder, all in it included
  vconsole resume                              go on with what was interrupted
  vconsole doctor                              try whether all works on this machine
  vconsole demo                                see it work on small videos made for it

exit codes: 0 all well; 1 finished, some videos failed; 2 bad usage, settings or a missing model, before any work;
130 interrupted. Settings: defaults < configuration file < preset < environment < command line."""

EXTRACT_EXAMPLES = """\
examples:
  vconsole extract ~/videos --out ~/features
  vconsole extract a.mp4 b.mkv ~/more --out out --preset quick
  vconsole extract ~/videos --out out --preset scenes --workers 4      no model needed
  vconsole extract ~/videos --out out --model clip-vit-l-14 --device cuda:0
  vconsole extract ~/videos --out out --set scenes.detector=content --set scenes.threshold=30
  vconsole extract ~/videos --out out --dry-run                        say what would be done, do nothing
  vconsole extract ~/videos --out out --json > events.jsonl

What is whole already is not done again. Ctrl+C once stops the workers and keeps what is done; twice ends at once."""


VERIFY_EXAMPLES = """\
examples:
  vconsole verify out                 quick, by looks
  vconsole verify out --deep          every byte
  vconsole verify out --deep --redo   and do again what is damaged

Without --deep it finds what is missing or too many, what is no plain file, every file or set of pictures whose size is
another, feature files whose time is another and whose checksum differs, and reports that are not those of the last run.
With --deep every checksum is compared and every dataset read: any output that was cut, flipped or replaced is found,
whatever its size and time say. On a terminal it then asks whether to do the damaged ones again; they are done with the
settings they were made with, and a damaged file stays until the new one takes its place. Files without a row are left
for the next run of their video to adopt.

exit codes: 0 all whole, or whole again; 1 something is wrong; 2 nothing could be done; 130 interrupted."""

DOCTOR_EXAMPLES = """\
examples:
  vconsole doctor                      try everything; half a minute
  vconsole doctor --out /data/out      and the disk of an output folder (else that of the last run)
  vconsole doctor --json | jq 'select(.verdict != "ok")'

Libraries are imported, codecs and GPU engines encode and decode a few frames, disks write and read a file of 64 MiB
that has no name. Each is tried in a process of its own, so that one that crashes or hangs is one line of the report.
Nothing is changed and nothing is left behind. A configuration that cannot be used is a fault; the defaults are taken.

exit codes: 0 all well, or warnings only; 1 at least one fault; 2 bad usage; 130 interrupted."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaints cannot move the cursor, whatever an argument (a file name, say) holds."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave with exit code 2."""
        super().error(visible(message))


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


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = Parser(prog="vconsole", **_texts(TOP, TOP_EXAMPLES))
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and leave")
    _add_settings(parser, before="before_")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=Parser)
    _add_extract(commands)
    _add_resume(commands)
    _add_verify(commands)
    _add_runs(commands)
    _add_models(commands)
    _add_doctor(commands)
    _add_demo(commands)
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def _texts(says: str, more: str) -> dict[str, Any]:
    return {"description": says, "epilog": more, "formatter_class": argparse.RawDescriptionHelpFormatter}


def _command_parser(commands: Commands, name: str, says: str, more: str = "") -> Parser:
    """Return a parser for a subcommand; the first sentence of `says` stands in the list of commands."""
    return commands.add_parser(name, help=says[0].lower() + says[1:].rstrip("."), **_texts(says, more))


def _add_settings(parser: Parser, before: str = "") -> None:
    """Add what sets settings; `before` marks those that stand before the command, for those behind it win."""
    group = parser.add_argument_group("settings")
    group.add_argument(
        "--config",
        dest=f"{before}config",
        metavar="FILE",
        help="configuration file (default: VCONSOLE_CONFIG, else your own)",
    )
    group.add_argument(
        "--set",
        dest=f"{before}overrides",
        metavar="SECTION.KEY=VALUE",
        action="append",
        default=[],
        help="set one value, as in sample_config.toml; may be given more than once",
    )


def _add_json(parser: Parser, ends: str = ", the last one the summary") -> None:
    parser.add_argument("--json", action="store_true", help=f"one JSON object a line on stdout{ends}")


def _add_extract(commands: Commands) -> None:
    says = "Extract features from videos and pictures, one HDF5 file each; folders are searched through."
    parser = _command_parser(commands, "extract", says, EXTRACT_EXAMPLES)
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="a video, a picture or a folder")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the outputs; made if it is missing")
    parser.add_argument("--preset", metavar="NAME", help="standard (default), quick, scenes, or one of your own")
    parser.add_argument(
        "--model", metavar="KEY", action="append", help="model for the vectors, see `vconsole models list`; repeatable"
    )
    parser.add_argument("--workers", metavar="N|auto", help="worker processes")
    parser.add_argument("--device", metavar="DEVICE", help="device of the models: auto, cpu or cuda:N")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--force", action="store_true", help="do again what is whole already")
    _add_json(parser)
    _add_settings(parser)


def _add_resume(commands: Commands) -> None:
    parser = _command_parser(
        commands,
        "resume",
        "Go on with a run that was interrupted; it keeps the settings it began with.",
        "examples:\n  vconsole resume        the newest interrupted run\n"
        "  vconsole resume 12     run 12, see `vconsole runs`",
    )
    parser.add_argument("run", nargs="?", type=int, default=0, metavar="RUN", help="number of the run")
    _add_json(parser)
    _add_settings(parser)


def _add_verify(commands: Commands) -> None:
    parser = _command_parser(
        commands,
        "verify",
        "Check the outputs in a folder against the ledger, and offer to do damaged ones again.",
        VERIFY_EXAMPLES,
    )
    parser.add_argument("out", metavar="OUT", help="an output folder")
    parser.add_argument("--deep", action="store_true", help="read everything; finds a single flipped bit")
    parser.add_argument("--redo", action="store_true", help="do again what is damaged, without asking")
    _add_json(parser)
    _add_settings(parser)


def _add_runs(commands: Commands) -> None:
    parser = _command_parser(commands, "runs", "List the runs in the ledger, newest first.")
    _add_json(parser, ends="")
    _add_settings(parser)


def _add_models(commands: Commands) -> None:
    parser = _command_parser(
        commands,
        "models",
        "List the models, or fetch the weights of one; nothing else ever downloads.",
        "examples:\n  vconsole models list\n  vconsole models fetch clip-vit-b-32",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)
    listing = _command_parser(
        actions,
        "list",
        "List the models and whether their weights are here.",
        "examples:\n  vconsole models list\n  vconsole models list --json   for programs\n"
        "  vconsole models list | cat    the places, too",
    )
    fetching = _command_parser(
        actions,
        "fetch",
        "Download the weights of one model and check them.",
        "examples:\n  vconsole models fetch clip-vit-b-32\n"
        "  vconsole extract ~/videos --out out --model clip-vit-b-32   then use it",
    )
    fetching.add_argument("key", metavar="KEY", help="a model of `vconsole models list`")
    _add_json(listing, ends="")
    for action in (listing, fetching):
        _add_settings(action)


def _add_doctor(commands: Commands) -> None:
    parser = _command_parser(
        commands, "doctor", "Try whether all works on this machine, and say what to do if not.", DOCTOR_EXAMPLES
    )
    parser.add_argument("--out", default="", metavar="DIR", help="an output folder to look at; it may not exist yet")
    _add_json(parser)
    _add_settings(parser)


def _add_demo(commands: Commands) -> None:
    parser = _command_parser(
        commands,
        "demo",
        "Make small videos, extract them and show what came out.",
        "Your configuration is not read. The demo's model, tiny-shapes, knows coloured shapes and nothing else.",
    )
    parser.add_argument("--dir", default="demo", metavar="DIR", help="where to work (default: ./demo)")


class _Version(argparse.Action):
    """Show the version; the package's data is read only when someone asks."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"vconsole {version('vconsole')}{os.linesep}")
        parser.exit()
