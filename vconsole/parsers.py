"""What can be typed: the whole command line, and the commands that start no run."""

import argparse
import os
import sys

from vconsole.analysis_parsers import add_analysis, add_classify, add_templates
from vconsole.benchmark_parser import add_benchmark
from vconsole.parser_parts import Commands, Parser, add_json, add_settings, command_parser, texts
from vconsole.run_parsers import add_extract, add_resume, add_transcode

TOP = """\
Turn folders of videos into features: scenes, keyframes, hashes and embeddings, one HDF5 file a video; or transcode
them into files that are easy to read.
Without a command the console opens."""

TOP_EXAMPLES = """\
examples:
  vconsole                                       open the console
  vconsole extract ~/videos --out ~/features     extract a folder, all in it included
  vconsole transcode ~/videos --out ~/standard   make them files that everything reads
  vconsole transcode --check ~/videos            only say which would give trouble, and why
  vconsole resume                                go on with what was interrupted
  vconsole classify ~/features --labels cat dog  what is in them, from the stored vectors
  vconsole analysis ~/features                   what they are, all together
  vconsole doctor                                try whether all works on this machine
  vconsole benchmark --extractors tiny-shapes    measure how quick it is here
  vconsole demo                                  see it work on small videos made for it

exit codes: 0 all well; 1 finished, some videos failed; 2 bad usage, settings or a missing model, before any work;
130 interrupted. Settings: defaults < configuration file < preset < environment < command line."""

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


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = Parser(prog="vconsole", **texts(TOP, TOP_EXAMPLES))
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and leave")
    add_settings(parser, before="before_")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=Parser)
    add_extract(commands)
    add_transcode(commands)
    add_resume(commands)
    _add_verify(commands)
    add_classify(commands)
    add_templates(commands)
    add_analysis(commands)
    _add_export(commands)
    add_benchmark(commands)
    _add_runs(commands)
    _add_models(commands)
    _add_doctor(commands)
    _add_demo(commands)
    return parser


def _add_verify(commands: Commands) -> None:
    parser = command_parser(
        commands,
        "verify",
        "Check the outputs in a folder against the ledger, and offer to do damaged ones again.",
        VERIFY_EXAMPLES,
    )
    parser.add_argument("out", metavar="OUT", help="an output folder")
    parser.add_argument("--deep", action="store_true", help="read everything; finds a single flipped bit")
    parser.add_argument("--redo", action="store_true", help="do again what is damaged, without asking")
    add_json(parser)
    add_settings(parser)


def _add_export(commands: Commands) -> None:
    parser = command_parser(
        commands,
        "export",
        "Write what is said in the videos of an output folder as subtitles.",
        "examples:\n  vconsole export out --to subtitles\n  vconsole export out --to subtitles --format srt vtt",
    )
    parser.add_argument("out", metavar="OUT", help="an output folder of extract")
    parser.add_argument("--to", required=True, metavar="DIR", help="where to write; a/b.mp4 becomes DIR/a/b.mp4.srt")
    parser.add_argument("--format", nargs="+", choices=("srt", "vtt"), default=["srt"], help="default: srt")
    add_json(parser)


def _add_runs(commands: Commands) -> None:
    parser = command_parser(
        commands,
        "runs",
        "List the runs in the ledger, newest first.",
        "examples:\n  vconsole runs\n  vconsole runs --json | jq 'select(.failed > 0)'",
    )
    add_json(parser, ends="")
    add_settings(parser)


def _add_models(commands: Commands) -> None:
    parser = command_parser(
        commands,
        "models",
        "List the models, fetch the weights of one, check them; only fetch ever downloads.",
        "examples:\n  vconsole models list\n  vconsole models fetch clip-vit-b-32",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)
    listing = command_parser(
        actions,
        "list",
        "List the models and whether their weights are here.",
        "examples:\n  vconsole models list\n  vconsole models list --json   for programs\n"
        "  vconsole models list | cat    the places, too",
    )
    fetching = command_parser(
        actions,
        "fetch",
        "Download the weights of one model and check them.",
        "examples:\n  vconsole models fetch clip-vit-b-32\n"
        "  vconsole extract ~/videos --out out --model clip-vit-b-32   then use it",
    )
    fetching.add_argument("key", metavar="KEY", help="a model of `vconsole models list`")
    verifying = command_parser(
        actions,
        "verify",
        "Read the weights that are here as a whole: checksum, format, nothing but weights.",
        "examples:\n  vconsole models verify\n  vconsole models verify clip-vit-b-32 --json",
    )
    locating = command_parser(
        actions,
        "where",
        "Tell where the weights are, or would be looked for.",
        "examples:\n  vconsole models where\n  vconsole models where clip-vit-b-32",
    )
    for action in (verifying, locating):
        action.add_argument("key", metavar="KEY", nargs="?", help="a model; all without it")
    for action in (listing, fetching, verifying, locating):
        add_json(action, ends="")
        add_settings(action)


def _add_doctor(commands: Commands) -> None:
    parser = command_parser(
        commands, "doctor", "Try whether all works on this machine, and say what to do if not.", DOCTOR_EXAMPLES
    )
    parser.add_argument("--out", default="", metavar="DIR", help="an output folder to look at; it may not exist yet")
    add_json(parser)
    add_settings(parser)


def _add_demo(commands: Commands) -> None:
    parser = command_parser(
        commands,
        "demo",
        "Make small videos, extract them and show what came out.",
        "examples:\n  vconsole demo\n  vconsole demo --dir /tmp/demo\n\n"
        "Your configuration is not read. The demo's model, tiny-shapes, knows coloured shapes and nothing else.",
    )
    parser.add_argument("--dir", default="demo", metavar="DIR", help="where to work (default: ./demo)")


class _Version(argparse.Action):
    """Show the version; the package's data is read only when someone asks."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"vconsole {version('vconsole')}{os.linesep}")
        parser.exit()
