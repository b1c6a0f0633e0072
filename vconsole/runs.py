"""`vconsole runs`: lists what the ledger knows, newest first."""

import argparse
import sys
import time
from dataclasses import asdict, replace

from pipeline.engine.folder import is_held
from pipeline.engine.reader import LedgerReader
from pipeline.engine.store import LEDGER_NAME
from pipeline.model import RunKind, RunState
from pipeline.snapshot import RunSummary
from pipeline.text import plural, visible
from vconsole.config import load
from vconsole.events import ENDED
from vconsole.exits import Exit
from vconsole.options import from_arguments
from vconsole.output import write_json
from vconsole.places import state_dir


def run(args: argparse.Namespace) -> int:
    """Print the run history and return the exit code. Raises LedgerError if the ledger cannot be read."""
    folder = state_dir(load(from_arguments(args)))
    summaries: tuple[RunSummary, ...] = ()
    if (folder / LEDGER_NAME).exists():
        with LedgerReader.read_only(folder) as ledger:
            held, summaries = is_held(folder), ledger.summaries()
        summaries = tuple(summary if held else _without_engine(summary) for summary in summaries)
    for summary in summaries:
        if args.json:
            write_json({"event": "run", **asdict(summary)}, sys.stdout)
        else:
            sys.stdout.write(_line(summary) + "\n")
    if not summaries and not args.json:
        sys.stdout.write("No runs yet. `vconsole extract INPUT... --out DIR` makes the first.\n")
    return Exit.OK


def _without_engine(summary: RunSummary) -> RunSummary:
    """Return the run as it is where no engine works on it: one that was killed left the ledger saying that it runs."""
    return summary if summary.state in ENDED else replace(summary, state=RunState.INTERRUPTED)


def _line(summary: RunSummary) -> str:
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(summary.created_s))
    failed = f"{summary.failed} failed" if summary.failed else ""
    what = "subject" if summary.kind is RunKind.BENCHMARK else "video"
    return (
        f"{summary.run_id:>5}  {at}  {summary.kind:<9} {summary.state:<12} {visible(summary.preset, 16):<16} "
        f"{plural(summary.total, what):>14}  {failed:<10}  {visible(summary.out)}"
    )
