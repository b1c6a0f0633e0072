"""What a classification is to do: checked before any video of it is read."""

import os

from pipeline.analysis import examples, prompts
from pipeline.analysis.asked import ClassifyRun
from pipeline.analysis.classify import Order
from pipeline.analysis.folder import Folder, folder_of
from pipeline.analysis.readers import reader_count
from pipeline.analysis.stored import held_models
from pipeline.errors import SettingsError


def order_of(folder: Folder, wanted: ClassifyRun, *, force: bool) -> Order:
    """Return what is to be done. Raises SettingsError, MissingWeightsError."""
    classify, readers = wanted.classify, reader_count(wanted.engine.workers)
    if wanted.examples:
        if classify.labels:
            raise SettingsError("words and examples are two ways to tell classes", remedy="Give one of them.")
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
