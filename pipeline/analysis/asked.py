"""A classification as a run of the ledger: the command that asks for it, what it is to do, and its videos as jobs."""

import os
from collections.abc import Iterator
from typing import Any

from pipeline.analysis import examples, prompts
from pipeline.analysis.classes import TABLE, Classes, Head, beside
from pipeline.analysis.classify import Order
from pipeline.analysis.readers import reader_count
from pipeline.analysis.settings import ClassifySettings
from pipeline.analysis.stored import Folder, folder_of, held_models
from pipeline.commands import StartRun
from pipeline.engine.records import NewJob
from pipeline.errors import SettingsError
from pipeline.model import FailureClass, JobState, RunKind
from pipeline.settings import PipelineSettings


class ClassifyRun(PipelineSettings):
    """What a classification reads, and its run records."""

    classify: ClassifySettings = ClassifySettings()
    examples: str = ""
    """Folder of the examples, empty = by words."""


def command_of(out: bytes, wanted: ClassifyRun, *, force: bool) -> StartRun:
    """Return the command that asks for the classes of a folder; the run's output is their table, not the folder."""
    method = wanted.classify.method if wanted.examples else "words"
    return StartRun(RunKind.CLASSIFY, (out,), beside(out, TABLE), method, wanted, force)


def order_of(folder: Folder, wanted: ClassifyRun, *, force: bool) -> Order:
    """Return what is to be done. Raises SettingsError, MissingWeightsError."""
    classify, readers = wanted.classify, reader_count(wanted.engine.workers)
    if wanted.examples:
        if classify.labels:
            raise SettingsError("--labels and --examples are two ways to tell classes", remedy="Give one of them.")
        shown = folder_of(os.fsencode(wanted.examples))
        key = classify.vectors or next(iter(held_models(shown)), "")
        if not key:
            raise SettingsError("the examples hold no vectors", remedy="Extract them with a model.")
        return Order(
            folder, classify.method, key, examples.identity(shown, classify, key),
            lambda: examples.by_examples(shown, classify, key, readers), classify.min_probability, readers, force,
        )  # fmt: skip
    prompts.words_of(classify.labels)
    key = prompts.text_model(wanted, classify.vectors, held_models(folder))
    return Order(
        folder, "words", key, prompts.identity(wanted, classify, key),
        lambda: prompts.by_words(wanted, classify, key), classify.min_probability, readers, force,
    )  # fmt: skip


def jobs_of(folder: Folder, found: Classes | None) -> Iterator[NewJob]:
    """Yield a job for each video: done with its class, failed with what is wrong, or to be done."""
    for name in folder.names:
        video = found.video(os.fsdecode(name)) if found else None
        source = folder.path(name)
        if found is None or video is None:
            yield NewJob(source, name, JobState.QUEUED)
        elif "problem" in video:
            yield NewJob(source, name, JobState.FAILED, reason=video["problem"], failure=FailureClass.CORRUPT)
        else:
            yield NewJob(source, name, JobState.DONE, result=_result(found.head, video["video"]))


def _result(head: Head, shares: list[float] | None) -> dict[str, Any]:
    label, probability = head.named(shares)
    return {"label": label, "probability": probability}
