"""`vconsole classify`: classes of stored videos by words or by examples."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pipeline.analysis.asked import ClassifyRun, command_of
from pipeline.analysis.classes import LINES, TABLE, Classes, begun_classes, beside
from pipeline.analysis.classify import Order, classify
from pipeline.analysis.folder import folder_of
from pipeline.analysis.order import order_of
from pipeline.commands import StartRun
from pipeline.engine.apart import Ended, recorded
from pipeline.engine.beside import leaving_word
from pipeline.engine.classification import jobs_of
from pipeline.engine.records import RunRecord
from pipeline.engine.redo import as_command
from pipeline.errors import EngineRunningError, SettingsError
from pipeline.model import RunState
from pipeline.settings import Settings
from pipeline.text import plural, visible
from vconsole.config import load
from vconsole.counting import counting
from vconsole.exits import Exit
from vconsole.options import absolute, from_arguments
from vconsole.output import say, say_problems, write_json
from vconsole.places import state_dir


def run(args: argparse.Namespace) -> int:
    """Classify, tell how it went and return the exit code. Raises SettingsError, MissingWeightsError, JobError."""
    settings = load(from_arguments(args))
    shown = os.fsdecode(absolute(args.examples)) if args.examples else ""
    values = settings.model_dump(include=set(ClassifyRun.model_fields))
    wanted = ClassifyRun.model_validate({**values, "examples": shown})
    command = command_of(absolute(args.folder), wanted, force=args.force)
    return _carried_out(command, wanted, settings, as_json=args.json)


def go_on(record: RunRecord, settings: Settings, *, as_json: bool) -> int:
    """Go on with a classification that was interrupted, as `run` does. Raises SettingsError too if it cannot be."""
    try:
        command = as_command(record)
    except ValueError as error:
        raise SettingsError(f"run {record.run_id} has settings of another version: {error}") from error
    assert isinstance(command.settings, ClassifyRun)
    return _carried_out(command, command.settings, settings, record.run_id, as_json=as_json)


def _carried_out(command: StartRun, wanted: ClassifyRun, settings: Settings, run_id: int = 0, *, as_json: bool) -> int:
    order = order_of(folder_of(command.inputs[0]), wanted, force=command.force)
    with _recorded(command, settings, run_id) as ended, counting("classified", as_json=as_json) as told:
        try:
            found = classify(order, told)
        except BaseException:
            ended(RunState.INTERRUPTED, list(jobs_of(order.folder, begun_classes(order.folder.out))))
            raise
        ended(RunState.DONE, list(jobs_of(order.folder, found)))
    return _summed_up(order, found, as_json=as_json)


@contextmanager
def _recorded(command: StartRun, settings: Settings, run_id: int) -> Iterator[Ended]:
    """Have it recorded as a run; beside an engine, which holds the ledger, that one records it."""
    with ExitStack() as held:
        try:
            ended = held.enter_context(recorded(state_dir(settings), command, run_id))
        except EngineRunningError as error:
            sys.stderr.write(visible(f"{error} It records this as a run once it is over.") + "\n")
            ended = held.enter_context(leaving_word(state_dir(settings), command, run_id))
        yield ended


def _summed_up(order: Order, found: Classes, *, as_json: bool) -> int:
    counts, problems = _counted(found)
    code = Exit.SOME_FAILED if problems else Exit.OK
    paths = [beside(order.folder.out, name) for name in (TABLE, LINES)]
    if as_json:
        told_of = {"videos": len(found.lines), "classes": dict(counts), "problems": len(problems)}
        write_json(
            {"event": "summary", "exit_code": int(code), **told_of, "files": [os.fsdecode(path) for path in paths]},
            sys.stdout,
        )
        return code
    for label, count in counts.most_common():
        say(f"{count:>8,}  {label or '(no class)'}")
    say_problems(problems)
    say(f"{plural(len(found.lines), 'video')} by {order.method}, vectors of {order.model}: {visible(paths[0])}")
    return code


def _counted(found: Classes) -> tuple[Counter[str], list[tuple[str, str]]]:
    counts: Counter[str] = Counter()
    problems = []
    for name, video in found.videos():
        if "problem" in video:
            problems.append((visible(name), video["problem"]))
        else:
            counts[found.head.named(video["video"])[0]] += 1
    return counts, problems
