"""A classifier from examples: feature files in a folder for each class."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.analysis.classifier import Classifier, nearest, packed, probe, unpacked
from pipeline.analysis.folder import Folder
from pipeline.analysis.reader import Answer, Work
from pipeline.analysis.readers import Item, read_all
from pipeline.analysis.settings import ClassifySettings
from pipeline.analysis.stamps import stamp_of
from pipeline.analysis.stored import read_vectors
from pipeline.errors import SettingsError
from pipeline.stages.embed import pooled
from pipeline.text import plural, visible


def classes_of(folder: Folder) -> dict[bytes, list[bytes]]:
    """Return the names of the feature files of each class: those in the folder of that name. Raises SettingsError."""
    found: dict[bytes, list[bytes]] = {}
    for name in folder.names:
        label, slash, _ = name.partition(b"/")
        if not slash:
            raise SettingsError(
                f"the example {visible(name)} lies in no folder of a class",
                remedy="Extract a folder that holds a folder of example videos for each class.",
            )
        found.setdefault(label, []).append(name)
    if len(found) < 2:
        raise SettingsError("the examples are of one class only", remedy="Give each class a folder of its own.")
    return found


def identity(folder: Folder, classify: ClassifySettings, key: str) -> list[object]:
    """Return all that a classifier by these examples depends on. Raises OSError."""
    stamps = [[visible(name), *stamp_of(folder.path(name))] for name in folder.names]
    return ["examples", classify.method, classify.temperature, key, stamps]


def by_examples(folder: Folder, classify: ClassifySettings, key: str, readers: int) -> Classifier:
    """Return the classifier that the vectors of the examples make. Raises SettingsError if an example is of no use."""
    classes = classes_of(folder)
    label_of = {folder.path(name): label for label, names in classes.items() for name in names}
    order = sorted(classes)
    found = sorted(
        ((item.path, answer) for item, answer in read_all("vectors", {"model": key}, map(Item, label_of), readers)),
        key=lambda pair: pair[0],
    )
    bad = [f"{visible(path)}: {answer['problem']}" for path, answer in found if "problem" in answer]
    if bad:
        raise SettingsError(f"{plural(len(bad), 'example')} cannot be used, the first is {bad[0]}")
    weights = {answer["weights_sha256"] for _, answer in found}
    if len(weights) > 1:
        raise SettingsError(f"the vectors of the examples come from different weights of {key}")
    vectors = np.stack([unpacked(answer["video"]) for _, answer in found])
    labels = np.array([order.index(label_of[path]) for path, _ in found], np.int64)
    names = [visible(label) for label in order]
    sha256 = weights.pop()
    if classify.method == "probe":
        return probe(names, vectors, labels, classify.temperature, key, sha256)
    return nearest(names, pooled(vectors, labels, len(names)), classify.temperature, key, sha256)


def reading(arguments: Mapping[str, Any]) -> Work:
    """Return what reads the vector of one example."""

    def work(path: bytes, _: Any) -> Answer:
        found = read_vectors(path, arguments["model"])
        if not found.video.any():
            raise LookupError("no frame of it was kept, so it has no vector")
        return {"video": packed(found.video), "weights_sha256": found.weights_sha256}

    return work
