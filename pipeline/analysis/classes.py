"""The classes of videos as files: `classes.csv` for people, `classes.jsonl` for programs, and the journal of a call.

A line of `classes.jsonl` is a video: `features` (its feature file below the folder), `stamp`, `source`, `video` (the
probabilities of the classes, null where no frame was kept), `scenes` (start, end, probabilities), or a `problem`. The
first line is the head: format, version, what told the classes and their names.
"""

import csv
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, BinaryIO

from pipeline.errors import SettingsError
from pipeline.outputs.atomic import atomic_file
from pipeline.outputs.cells import plain_cell

FORMAT, FORMAT_VERSION = "vconsole-classes", 1
TABLE, LINES, JOURNAL = b"classes.csv", b"classes.jsonl", b".classes.journal"
FLUSH_EVERY = 64
COLUMNS = ("source", "features", "scene", "start_s", "end_s", "class", "probability", "problem")
"""Before a column for each class; a row without a scene speaks of the whole video."""


@dataclass(frozen=True, slots=True)
class Head:
    """What all lines share."""

    key: str
    """Hash of all that told the classes."""
    method: str
    """words, centroid or probe."""
    model: str
    classes: tuple[str, ...]
    min_probability: float = 0.0
    """Probability below which no class is named."""

    def line(self) -> bytes:
        """Return the head as a line."""
        return _line({"format": FORMAT, "version": FORMAT_VERSION, **asdict(self)})

    def named(self, shares: list[float] | None) -> tuple[str, float]:
        """Return the class with the most probability, and that; an empty name where it is none or too small."""
        if not shares:
            return "", 0.0
        best = max(range(len(shares)), key=shares.__getitem__)
        return self.classes[best] if shares[best] >= self.min_probability else "", shares[best]

    def label(self, shares: list[float] | None) -> dict[str, Any] | None:
        """Return the class with its probability, None where there is none."""
        name, probability = self.named(shares)
        return {"name": name, "probability": probability} if name else None


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of the videos of a folder."""

    head: Head
    lines: Mapping[str, bytes]
    """A line for each video by the name of its feature file: held as text, which is a tenth of its objects."""

    def video(self, name: str) -> dict[str, Any] | None:
        """Return one video, None if it is not among them."""
        line = self.lines.get(name)
        return json.loads(line) if line else None

    def videos(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each video in the order of the names."""
        for name in sorted(self.lines):
            yield name, json.loads(self.lines[name])


def beside(out: bytes, name: bytes) -> bytes:
    """Return the path of one of the files in a folder."""
    return os.path.join(out, name)


def line_of(name: str, stamp: Sequence[int], answer: Mapping[str, Any]) -> bytes:
    """Return the line of a video."""
    return _line({"features": name, "stamp": stamp, **answer})


def head_in(file: BinaryIO) -> Head | None:
    """Return the head that a file begins with, None if it was cut off. Raises ValueError, TypeError, KeyError."""
    first = file.readline()
    if not first.endswith(b"\n"):
        return None
    head = json.loads(first)
    if (head.pop("format", ""), head.pop("version", 0)) != (FORMAT, FORMAT_VERSION):
        raise ValueError("another format")
    return Head(**head | {"classes": tuple(head["classes"])})


def read_classes(out: bytes) -> Classes | None:
    """Return the classes that lie in a folder, None if there are none. Raises SettingsError if they cannot be read."""
    try:
        return _read(os.path.join(out, LINES))
    except (ValueError, TypeError, KeyError) as error:
        raise SettingsError(
            f"{os.fsdecode(os.path.join(out, LINES))} is not what this program wrote",
            remedy="Remove it, or classify again with --force.",
        ) from error


def write_classes(out: bytes, classes: Classes) -> None:
    """Write both files, each whole or not at all. Raises OSError."""
    with atomic_file(os.path.join(out, LINES)) as part, open(part, "wb") as file:
        file.write(classes.head.line())
        file.writelines(classes.lines[name] for name in sorted(classes.lines))
    with (
        atomic_file(os.path.join(out, TABLE)) as part,
        open(part, "w", encoding="utf-8", newline="", errors="backslashreplace") as text,
    ):
        table = csv.writer(text)
        table.writerow([*COLUMNS, *(plain_cell(f"p: {name}") for name in classes.head.classes)])
        for name, video in classes.videos():
            table.writerows(_rows(classes.head, name, video))


def begun_classes(out: bytes) -> Classes | None:
    """Return what a call that was ended early had done; None if there is nothing."""
    with suppress(ValueError, TypeError, KeyError):
        return _read(os.path.join(out, JOURNAL))
    return None


class Journal:
    """What a call has done so far, a line at once, so that one that is killed is gone on with; one call holds it."""

    def __init__(self, out: bytes) -> None:
        self._path = os.path.join(out, JOURNAL)
        self._since_flush = 0

    def __enter__(self) -> "Journal":
        """Raises OSError, and SettingsError if another call is at work in the folder."""
        self._file = open(self._path, "a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise SettingsError("another vconsole is classifying this folder", remedy="Wait for it.") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        """Close it; it goes when the call has done all."""
        if kind is None:
            os.unlink(self._path)
        self._file.close()

    def begin(self, classes: Classes) -> None:
        """Begin anew with what is known already."""
        self._file.truncate(0)
        self._file.write(classes.head.line())
        self._file.writelines(classes.lines.values())
        self._file.flush()

    def add(self, line: bytes) -> None:
        """Note one more video."""
        self._file.write(line)
        self._since_flush = (self._since_flush + 1) % FLUSH_EVERY
        if not self._since_flush:
            self._file.flush()


def _read(path: bytes) -> Classes | None:
    """Return what a file holds; a last line that was cut off is left out. Raises ValueError, TypeError, KeyError."""
    with suppress(FileNotFoundError), open(path, "rb") as file:
        head = head_in(file)
        if head is None:
            return None
        return Classes(head, {json.loads(line)["features"]: line for line in file if line.endswith(b"\n")})
    return None


def _rows(head: Head, name: str, video: Mapping[str, Any]) -> Iterator[Iterable[object]]:
    source, name, problem = plain_cell(video.get("source", "")), plain_cell(name), plain_cell(video.get("problem", ""))
    blank = [""] * len(head.classes)
    if problem:
        yield (source, name, "", "", "", "", "", problem, *blank)
        return
    whole = (0.0, video["scenes"][-1][1] if video["scenes"] else 0.0, video["video"])
    for scene, (start_s, end_s, shares) in enumerate((whole, *video["scenes"])):
        label, share = head.named(shares)
        number = scene - 1 if scene else ""
        yield (source, name, number, start_s, end_s, plain_cell(label), share if shares else "", "", *(shares or blank))


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"
