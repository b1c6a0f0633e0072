"""What `vconsole classify` left in an output folder, for those who only show it: read line by line, and no numpy."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress

from pipeline.analysis.classes import LINES, Head, beside, head_in
from pipeline.analysis.stamps import Stamp, stamp_of
from pipeline.job_facts import ClassFacts, ClassScene, ClassShare
from pipeline.outputs.paths import FEATURES, features_name

_SCENES = b',"scenes":'
"""Where the part of a line begins that tells of the scenes; no text in a line can hold it, its quotes are escaped."""
_UNREADABLE = (ValueError, TypeError, LookupError)


def classes_stamp(out: bytes) -> Stamp | None:
    """Return the stamp of the classes of a folder, None if there are none. Raises OSError."""
    with suppress(FileNotFoundError):
        return stamp_of(beside(out, LINES))
    return None


def read_labels(out: bytes) -> dict[bytes, str]:
    """Return the class of each video of a folder that has one, by the path of its feature file below the folder.

    One whose feature file is not what was classified has none. Raises OSError, and ValueError if they are damaged.
    """
    try:
        return dict(_labels(out))
    except _UNREADABLE as error:
        raise ValueError(f"the classes in {os.fsdecode(out)} cannot be read: {error}") from error


def class_facts(out: bytes, relative: bytes) -> ClassFacts | None:
    """Return the classes of one video and of its scenes; None if nobody told any of the feature file that is there."""
    name = os.fsdecode(features_name(relative)[len(FEATURES) + 1 :])
    begins = json.dumps({"features": name}, separators=(",", ":"))[:-1].encode("ascii") + b","
    with suppress(OSError, *_UNREADABLE), open(beside(out, LINES), "rb") as file:
        head = head_in(file)
        line = next((line for line in file if line.startswith(begins)), None)
        if head is None or line is None:
            return None
        video = json.loads(line)
        if "problem" not in video and tuple(video["stamp"]) == stamp_of(os.path.join(out, features_name(relative))):
            return _facts(head, video["video"], video["scenes"])
    return None


def _labels(out: bytes) -> Iterator[tuple[bytes, str]]:
    names: dict[str, str] = {}
    with open(beside(out, LINES), "rb") as file:
        head = head_in(file)
        for line in file if head else ():
            whole, found, _ = line.partition(_SCENES)
            if not found or head is None:
                continue
            video = json.loads(whole + b"}")
            path = os.path.join(FEATURES, os.fsencode(video["features"]))
            label, _ = head.named(video["video"])
            with suppress(OSError):
                if label and stamp_of(os.path.join(out, path)) == tuple(video["stamp"]):
                    yield path, names.setdefault(label, label)


def _facts(head: Head, shares: list[float] | None, scenes: list[tuple[float, float, list[float] | None]]) -> ClassFacts:
    ranked = sorted(zip(head.classes, shares or (), strict=False), key=lambda one: -one[1])
    return ClassFacts(
        label=head.named(shares)[0],
        shares=tuple(ClassShare(*one) for one in ranked),
        scenes=tuple(ClassScene(start_s, end_s, *head.named(among)) for start_s, end_s, among in scenes),
        method=head.method,
        model=head.model,
    )
