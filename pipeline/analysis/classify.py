"""Classes of the videos of a folder: read from stored vectors, kept as they come, gone on with after a crash."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.analysis.classes import Classes, Head, Journal, begun_classes, line_of, read_classes, write_classes
from pipeline.analysis.classifier import Classifier
from pipeline.analysis.folder import Folder
from pipeline.analysis.reader import Answer, Work
from pipeline.analysis.readers import Item, read_all
from pipeline.analysis.stamps import stamp_of
from pipeline.analysis.stored import read_vectors

VERSION = 1
"""Raise it when the same vectors give other probabilities: everything is then done again."""

Told = Callable[[int, int], None]
"""Called with how many videos are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be classified and by what."""

    folder: Folder
    method: str
    model: str
    identity: list[object]
    """All that the classifier depends on; what another one made is not taken over."""
    classifier: Callable[[], Classifier]
    """Makes it; asked only if there is something to do."""
    min_probability: float
    readers: int
    force: bool = False


def classify(order: Order, told: Told) -> Classes:
    """Classify every video of a folder, write `classes.csv` and `classes.jsonl`, and return what they hold.

    What an earlier call did with the same classifier, even one that was killed, is not done again.
    Raises OSError, VconsoleError.
    """
    folder = order.folder
    key = hashlib.blake2b(json.dumps([VERSION, *order.identity]).encode(), digest_size=10).hexdigest()
    with Journal(folder.out) as journal:
        before = [] if order.force else [begun_classes(folder.out), read_classes(folder.out)]
        usable = [one for one in before if one is not None and one.head.key == key]
        known = _still_true(folder, usable)
        left = [name for name in folder.names if os.fsdecode(name) not in known]
        classifier = order.classifier() if left else None
        names = classifier.names if classifier else usable[0].head.classes
        head = Head(key, order.method, order.model, names, order.min_probability)
        found = Classes(head, known)
        if classifier:
            journal.begin(found)
            told(len(known), len(folder.names))
            for name, line in _classified(order, classifier, left):
                journal.add(line)
                known[name] = line
                told(len(known), len(folder.names))
        write_classes(folder.out, found)
    return found


def classifying(arguments: Mapping[str, Any]) -> Work:
    """Return what classifies one feature file."""
    classifier = Classifier.from_message(arguments)

    def work(path: bytes, _: Any) -> Answer:
        vectors = read_vectors(path, classifier.model)
        if vectors.weights_sha256 != classifier.weights_sha256:
            raise LookupError(f"its vectors come from other weights of {classifier.model}")
        scenes = classifier.probabilities(vectors.scenes)
        return {
            "source": vectors.source,
            "video": classifier.probabilities(vectors.video[None])[0],
            "scenes": list(zip(vectors.start_s, vectors.end_s, scenes, strict=True)),
        }

    return work


def _still_true(folder: Folder, before: list[Classes]) -> dict[str, bytes]:
    """Return the lines of those videos whose feature files are still what they were; problems are looked at again."""
    known: dict[str, bytes] = {}
    names = {os.fsdecode(name): name for name in folder.names}
    for classes in reversed(before):
        for name, line in classes.lines.items():
            video = json.loads(line)
            if name in names and "problem" not in video and tuple(video["stamp"]) == stamp_of(folder.path(names[name])):
                known[name] = line
    return known


def _classified(order: Order, classifier: Classifier, names: list[bytes]) -> Iterator[tuple[str, bytes]]:
    folder = order.folder
    # The stamp is taken before the file is read: one that changes meanwhile is done again next time.
    items = [Item(folder.path(name), [os.fsdecode(name), *stamp_of(folder.path(name))]) for name in names]
    for item, answer in read_all("classify", classifier.to_message(), items, order.readers):
        name, *stamp = item.extra
        yield name, line_of(name, stamp, answer)
