"""`vconsole analysis`: what the stored videos of a folder or a run are, all together."""

import argparse
import json
import os
import sys
from collections import Counter
from dataclasses import replace

from pipeline.analysis.analyse import analyse
from pipeline.analysis.folder import ENDING, Folder, folder_of
from pipeline.analysis.readers import reader_count
from pipeline.analysis.stored import held_models
from pipeline.analysis.write import write_analysis
from pipeline.analysis_report import Analysis
from pipeline.engine.reader import LedgerReader
from pipeline.errors import SettingsError
from pipeline.model import RunKind
from pipeline.outputs.paths import safe_name
from pipeline.settings import Settings
from pipeline.text import clock, plural, visible
from vconsole.config import load
from vconsole.counting import counting
from vconsole.exits import Exit
from vconsole.options import absolute, from_arguments
from vconsole.output import say, say_problems, write_json
from vconsole.places import state_dir


def run(args: argparse.Namespace) -> int:
    """Analyse, write the reports, tell the essence and return the exit code. Raises SettingsError, LedgerError."""
    if args.schema:
        sys.stdout.write(json.dumps(Analysis.model_json_schema(), indent=1) + "\n")
        return Exit.OK
    settings = load(from_arguments(args))
    folder = _folder(args, settings)
    vectors = next(iter(held_models(folder)), "")
    with counting("read", as_json=args.json) as told:
        readers = reader_count(settings.engine.workers)
        analysis, rows, group_of = analyse(folder, vectors, settings.analysis, readers, told)
    analysis = analysis.model_copy(update={"run": args.run})
    paths = write_analysis(folder.out, analysis, rows, group_of)
    code = Exit.SOME_FAILED if analysis.problems else Exit.OK
    if args.json:
        figures = {"videos": analysis.videos, "problems": len(analysis.problems), "groups": len(analysis.groups)}
        files = [os.fsdecode(path) for path in paths]
        write_json({"event": "summary", "exit_code": int(code), **figures, "files": files}, sys.stdout)
        return code
    say_problems([(one.features, one.problem) for one in analysis.problems])
    _tell(analysis)
    for path in paths:
        say(visible(path))
    return code


def _folder(args: argparse.Namespace, settings: Settings) -> Folder:
    """Return the feature files that were named: those of a folder, or those of a run."""
    if bool(args.folder) == bool(args.run):
        raise SettingsError("name either FOLDER or --run N", remedy="`vconsole runs` lists the runs.")
    if args.folder:
        return folder_of(absolute(args.folder))
    with LedgerReader.read_only(state_dir(settings)) as ledger:
        record = ledger.run(args.run)
        if record is not None and record.kind is RunKind.CLASSIFY:
            return folder_of(record.inputs[0])
        if record is None or record.kind is not RunKind.EXTRACT:
            raise SettingsError(f"there is no extract run {args.run}", remedy="`vconsole runs` lists the runs.")
        asked = {safe_name(job.relative, ENDING) for job in ledger.jobs(args.run)}
    folder = folder_of(record.out)
    names = tuple(name for name in folder.names if name in asked)
    if not names:
        raise SettingsError(f"run {args.run} has no feature files", remedy="`vconsole runs` lists the runs.")
    return replace(folder, names=names)


def _tell(analysis: Analysis) -> None:
    said = Counter({one.name or "(no class)": one.videos for one in analysis.classes})
    for name, videos in said.most_common(20):
        say(f"{videos:>8,}  {visible(name)}")
    say(
        f"{plural(analysis.videos, 'video')}, {clock(analysis.duration_s.total)} together; "
        f"{analysis.cuts_per_min.p50:.3g} cuts a minute in the median; "
        f"{plural(len(analysis.groups), 'group')} of near-duplicates"
    )
