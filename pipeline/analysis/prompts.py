"""A classifier from words: the text tower of a model embeds the prompts of each class once."""

from collections.abc import Sequence

import numpy as np

from pipeline.analysis.classifier import Classifier, nearest
from pipeline.analysis.settings import ClassifySettings
from pipeline.errors import SettingsError
from pipeline.models.families import KNOW_TEXTS
from pipeline.models.registry import catalogue, fingerprint, require
from pipeline.models.words import encode_words
from pipeline.settings import PipelineSettings
from pipeline.stages.embed import pooled


def words_of(labels: Sequence[str]) -> dict[str, list[str]]:
    """Return the words of each class by its name, of labels `WORDS` or `NAME = WORDS`. Raises SettingsError."""
    found: dict[str, list[str]] = {}
    for label in labels:
        name, equals, words = (part.strip() for part in label.partition("="))
        if not name or (equals and not words):
            raise SettingsError(f"classify.labels: {label!r} is neither WORDS nor NAME = WORDS")
        found.setdefault(name, []).append(words or name)
    if len(found) < 2:
        raise SettingsError(
            "classify.labels names fewer than two classes",
            remedy='Name them: --labels "a dog" "a cat", or classify.labels in the settings; or use --examples DIR.',
        )
    return found


def text_model(settings: PipelineSettings, wanted: str, held: Sequence[str]) -> str:
    """Return the model that knows texts: `wanted`, else the first of those whose vectors the videos hold.

    Raises SettingsError, MissingWeightsError.
    """
    models = catalogue(settings)
    knowing = [key for key in held if key in models and models[key].family in KNOW_TEXTS]
    if not wanted and not knowing:
        raise SettingsError(
            f"the videos hold no vectors of a model that knows words (they hold: {', '.join(held) or 'none'})",
            remedy="Extract with a CLIP, see `vconsole models list`, or classify by --examples.",
        )
    key = wanted or knowing[0]
    if key not in models:
        raise SettingsError(f"classify.vectors names {key!r}, and there is no such model")
    if models[key].family not in KNOW_TEXTS:
        raise SettingsError(f"the model {key} knows no words", remedy="Name a CLIP, or classify by --examples.")
    require([key], settings)
    return key


def identity(settings: PipelineSettings, classify: ClassifySettings, key: str) -> list[object]:
    """Return all that a classifier by words depends on. Raises MissingWeightsError."""
    model = fingerprint(key, catalogue(settings)[key])
    return ["words", classify.labels, classify.prompts, classify.temperature, key, model]


def by_words(settings: PipelineSettings, classify: ClassifySettings, key: str) -> Classifier:
    """Return the classifier, after a model host has embedded the prompts. Raises JobError if it cannot."""
    words = words_of(classify.labels)
    sentences = {
        name: [prompt.format(one) for one in some for prompt in classify.prompts] for name, some in words.items()
    }
    flat = [sentence for some in sentences.values() for sentence in some]
    rows, sha256 = encode_words(flat, key, {key: catalogue(settings)[key]}, settings.host)
    places = np.repeat(np.arange(len(sentences)), [len(some) for some in sentences.values()])
    centres = pooled(rows, places, len(sentences))
    return nearest(tuple(sentences), centres, classify.temperature, key, sha256)
