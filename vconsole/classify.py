"""`vconsole classify`: classes of stored videos by words or by examples."""

import argparse
import os
import sys
from collections import Counter

from pipeline.analysis import examples, prompts
from pipeline.analysis.classes import LINES, TABLE, Classes, beside
from pipeline.analysis.classify import Order, classify
from pipeline.analysis.readers import reader_count
from pipeline.analysis.stored import folder_of, held_models
from pipeline.errors import SettingsError
from pipeline.settings import Settings
from pipeline.text import plural, visible
from vconsole.config import load
from vconsole.counting import counting
from vconsole.exits import Exit
from vconsole.options import absolute, from_arguments
from vconsole.output import say, say_problems, write_json


def run(args: argparse.Namespace) -> int:
    """Classify, tell how it went and return the exit code. Raises SettingsError, MissingWeightsError, JobError."""
    settings = load(from_arguments(args))
    order = _order(args, settings)
    with counting("classified", as_json=args.json) as told:
        found = classify(order, told)
    counts, problems = _counted(found)
    code = Exit.SOME_FAILED if problems else Exit.OK
    paths = [beside(order.folder.out, name) for name in (TABLE, LINES)]
    if args.json:
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


def _order(args: argparse.Namespace, settings: Settings) -> Order:
    """Return what is to be done. Raises SettingsError, MissingWeightsError."""
    folder, wanted = folder_of(absolute(args.folder)), settings.classify
    readers = reader_count(settings.engine.workers)
    if args.examples:
        if args.labels:
            raise SettingsError("--labels and --examples are two ways to tell classes", remedy="Give one of them.")
        shown = folder_of(absolute(args.examples))
        key = wanted.vectors or next(iter(held_models(shown)), "")
        if not key:
            raise SettingsError("the examples hold no vectors", remedy="Extract them with a model.")
        return Order(
            folder, wanted.method, key, examples.identity(shown, wanted, key),
            lambda: examples.by_examples(shown, wanted, key, readers), wanted.min_probability, readers, args.force,
        )  # fmt: skip
    prompts.words_of(wanted.labels)
    key = prompts.text_model(settings, wanted.vectors, held_models(folder))
    return Order(
        folder, "words", key, prompts.identity(settings, wanted, key),
        lambda: prompts.by_words(settings, wanted, key), wanted.min_probability, readers, args.force,
    )  # fmt: skip


def _counted(found: Classes) -> tuple[Counter[str], list[tuple[str, str]]]:
    counts: Counter[str] = Counter()
    problems = []
    for name, video in found.videos():
        if "problem" in video:
            problems.append((visible(name), video["problem"]))
        else:
            counts[found.head.named(video["video"])[0]] += 1
    return counts, problems
