"""`vconsole templates`: a JSON file for each stored video that tells its structure."""

import argparse
import sys

from pipeline.analysis.folder import folder_of
from pipeline.analysis.readers import reader_count
from pipeline.analysis.template import TEMPLATES, schema
from pipeline.analysis.templates import make_templates
from pipeline.errors import SettingsError
from pipeline.text import plural, visible
from vconsole.config import load
from vconsole.counting import counting
from vconsole.exits import Exit
from vconsole.options import absolute, from_arguments
from vconsole.output import say, say_problems, write_json


def run(args: argparse.Namespace) -> int:
    """Make the templates, tell how it went and return the exit code. Raises SettingsError."""
    if args.schema:
        sys.stdout.write(schema() + "\n")
        return Exit.OK
    if not args.folder:
        raise SettingsError("FOLDER is missing", remedy="Name the --out of an extract run.")
    settings, folder = load(from_arguments(args)), folder_of(absolute(args.folder))
    made, problems = 0, []
    with counting("templates", as_json=args.json) as told:
        for name, answer in make_templates(folder, reader_count(settings.engine.workers), told, force=args.force):
            made += bool(answer.get("made"))
            if "problem" in answer:
                problems.append((name, answer["problem"]))
    code = Exit.SOME_FAILED if problems else Exit.OK
    if args.json:
        figures = {"videos": len(folder.names), "made": made, "problems": len(problems)}
        write_json({"event": "summary", "exit_code": int(code), **figures}, sys.stdout)
        return code
    say_problems(sorted(problems))
    where = f"{visible(folder.out)}/{TEMPLATES.decode()}"
    say(f"{plural(made, 'template')} made, {len(folder.names) - made - len(problems):,} as they were: {where}")
    return code
