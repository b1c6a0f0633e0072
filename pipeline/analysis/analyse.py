"""The analysis of the videos of a folder: what each of them says, put together."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np

from pipeline.analysis.classes import Classes, read_classes
from pipeline.analysis.classifier import unpacked
from pipeline.analysis.folder import Folder
from pipeline.analysis.near import Found, Hashes, Vectors, groups, near_duplicates
from pipeline.analysis.reader import Answer
from pipeline.analysis.readers import Item, read_all
from pipeline.analysis.settings import AnalysisSettings
from pipeline.analysis.stamps import stamp_of
from pipeline.analysis.tally import Tally
from pipeline.analysis_report import Analysis, Bin, ClassCount, Duplicate, Problem, Spread
from pipeline.text import visible

BINS = 20
MOST_KINDS = 30
"""Sizes, codecs and languages told at most."""


@dataclass(frozen=True, slots=True)
class Row:
    """One video in the table of an analysis."""

    source: str
    duration_s: float
    scenes: int
    size: str
    codec: str
    partial: bool
    language: str
    label: str
    probability: float | None
    scene_labels: tuple[str, ...]

    @property
    def cuts_per_min(self) -> float:
        """How often it is cut; a video without length counts as uncut."""
        return 60 * (self.scenes - 1) / self.duration_s if self.duration_s > 0 else 0.0


@dataclass(slots=True)
class _Gathered:
    """What was read of all videos so far; of each only what must be held."""

    rows: dict[str, Row]
    vectors: dict[str, Vectors]
    hashes: dict[str, Hashes]
    problems: list[Problem]
    lines: Tally
    words: Tally
    with_text: int = 0
    with_speech: int = 0


def analyse(
    folder: Folder, vectors: str, settings: AnalysisSettings, readers: int, told: Callable[[int, int], None]
) -> tuple[Analysis, list[Row], list[int]]:
    """Return the analysis, a row for each video, and beside each row the group of near-duplicates it is in, from 1.

    `vectors` is the key of the model whose vectors tell near-duplicates. Raises OSError, VconsoleError.
    """
    classes = read_classes(folder.out)
    gathered = _Gathered({}, {}, {}, [], Tally(), Tally())
    items = [Item(folder.path(name), os.fsdecode(name)) for name in folder.names]
    for done, (item, answer) in enumerate(read_all("facts", {"vectors": vectors}, items, readers), 1):
        _gather(gathered, item, answer, classes)
        told(done, len(items))
    names = sorted(gathered.rows)
    rows = [gathered.rows[name] for name in names]
    found = near_duplicates(_stacked(gathered, names), [gathered.hashes[name] for name in names], settings)
    sets = groups(found.pairs)
    member_of = {place: number for number, group in enumerate(sets, 1) for place in group}
    analysis = _analysis(folder, vectors, gathered, rows, found, sets, settings.most_frequent)
    return analysis, rows, [member_of.get(place, 0) for place in range(len(rows))]


def _gather(gathered: _Gathered, item: Item, answer: Answer, classes: Classes | None) -> None:
    name = item.extra
    if "problem" in answer:
        gathered.problems.append(Problem(features=visible(name), problem=answer["problem"]))
        return
    video = classes.video(name) if classes else None
    label, probability = "", None
    scene_labels: tuple[str, ...] = ()
    if classes and video and "problem" not in video and tuple(video["stamp"]) == stamp_of(item.path):
        label, probability = classes.head.named(video["video"])
        scene_labels = tuple(classes.head.named(shares)[0] for _, _, shares in video["scenes"])
    known = {
        field: answer[field] for field in ("source", "duration_s", "scenes", "size", "codec", "partial", "language")
    }
    gathered.rows[name] = Row(**known, label=label, probability=probability, scene_labels=scene_labels)
    gathered.hashes[name] = np.array(answer["hashes"], np.uint64)
    if answer["vector"]:
        gathered.vectors[name] = unpacked(answer["vector"])
    if answer["lines"] is not None:
        gathered.with_text += 1
        gathered.lines.add(answer["lines"])
    if answer["words"] is not None:
        gathered.with_speech += 1
        gathered.words.add(answer["words"])


def _stacked(gathered: _Gathered, names: Sequence[str]) -> Vectors:
    """Return the vectors of the videos, (N, D); zeros for one without, or of another length than most."""
    lengths = Counter(len(vector) for vector in gathered.vectors.values())
    width = lengths.most_common(1)[0][0] if lengths else 1
    stacked = np.zeros((len(names), width), np.float32)
    for place, name in enumerate(names):
        vector = gathered.vectors.get(name)
        if vector is not None and len(vector) == width:
            stacked[place] = vector
    return stacked


def _analysis(
    folder: Folder, vectors: str, gathered: _Gathered, rows: list[Row], found: Found, sets: list[list[int]], most: int
) -> Analysis:
    durations, cuts = [row.duration_s for row in rows], [row.cuts_per_min for row in rows]
    return Analysis(
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        folder=visible(folder.out),
        videos=len(rows),
        partial=sum(row.partial for row in rows),
        duration_s=_spread(durations),
        durations=_histogram(durations),
        scenes=_spread([row.scenes for row in rows]),
        cuts_per_min=_spread(cuts),
        cuts=_histogram(cuts),
        resolutions=dict(Counter(row.size for row in rows).most_common(MOST_KINDS)),
        codecs=dict(Counter(row.codec for row in rows).most_common(MOST_KINDS)),
        languages=dict(Counter(row.language for row in rows if row.language).most_common(MOST_KINDS)),
        classes=_classes(rows),
        with_text=gathered.with_text,
        with_speech=gathered.with_speech,
        lines=gathered.lines.most_frequent(most),
        words=gathered.words.most_frequent(most),
        vectors=vectors if gathered.vectors else "",
        duplicates=tuple(
            Duplicate(
                one=rows[pair.one].source,
                other=rows[pair.other].source,
                similarity=None if pair.similarity is None else round(pair.similarity, 4),
                hash_share=pair.hash_share,
            )
            for pair in found.pairs
        ),
        duplicates_complete=found.complete,
        groups=tuple(tuple(rows[place].source for place in group) for group in sets),
        problems=tuple(sorted(gathered.problems, key=lambda one: one.features)),
    )


def _classes(rows: Sequence[Row]) -> tuple[ClassCount, ...]:
    """Return the classes, that of the most videos first; none where no video has one."""
    if all(row.probability is None for row in rows):
        return ()
    videos = Counter(row.label for row in rows)
    scenes = Counter(label for row in rows for label in row.scene_labels)
    seconds: dict[str, float] = {}
    for row in rows:
        seconds[row.label] = seconds.get(row.label, 0.0) + row.duration_s
    names = sorted({*videos, *scenes}, key=lambda name: (-videos[name], name))
    return tuple(
        ClassCount(name=name, videos=videos[name], seconds=round(seconds.get(name, 0.0), 3), scenes=scenes[name])
        for name in names
    )


def _spread(values: Sequence[float]) -> Spread:
    if not values:
        return Spread(total=0, mean=0, p10=0, p50=0, p90=0, max=0)
    p10, p50, p90 = (round(float(value), 4) for value in np.percentile(values, (10, 50, 90)))
    total = float(np.sum(values))
    return Spread(
        total=round(total, 3), mean=round(total / len(values), 4), p10=p10, p50=p50, p90=p90,
        max=round(float(np.max(values)), 4),
    )  # fmt: skip


def _histogram(values: Sequence[float]) -> tuple[Bin, ...]:
    """Return bins of one width up to the 99th percentile; the last one reaches to the end."""
    if not values:
        return ()
    high = float(np.percentile(values, 99)) or 1.0
    counts, edges = np.histogram(np.minimum(values, high), bins=BINS, range=(0.0, high))
    edges[-1] = max(values)
    return tuple(
        Bin(low=round(low, 4), high=round(up, 4), videos=int(count))
        for (low, up), count in zip(pairwise(edges.tolist()), counts, strict=True)
    )
