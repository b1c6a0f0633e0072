"""What an analysis needs of one feature file, small enough to be held for each of many."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from pipeline.analysis.classifier import packed
from pipeline.analysis.outline import Interval, outline_of
from pipeline.analysis.reader import Answer, Work
from pipeline.analysis.stored import vectors_of
from pipeline.outputs.features import opened

MOST_FRAMES = 256
"""Frames of a video whose hashes are compared, spread evenly."""
MOST_TEXTS = 2000
"""Different lines, and different words, of one video that count."""
LEAST_LETTERS = 4
LINE_CHARS = 200
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def reading(arguments: Mapping[str, Any]) -> Work:
    """Return what reads the facts of one feature file."""
    key = arguments["vectors"]

    def work(path: bytes, _: Any) -> Answer:
        with opened(path) as file:
            seen = outline_of(file)
            held = key in file.get("embeddings", {})
            vector = packed(vectors_of(file, key, len(seen.scenes))[1]) if held else ""
        chosen = np.linspace(0, len(seen.dhash) - 1, min(len(seen.dhash), MOST_FRAMES)).astype(int)
        return {
            "source": seen.source_display,
            "duration_s": seen.duration_s,
            "size": f"{seen.width}x{seen.height}",
            "codec": seen.video_codec,
            "partial": seen.partial,
            "scenes": len(seen.scenes),
            "language": seen.language,
            "lines": None if seen.lines is None else shown(seen.lines),
            "words": None if seen.speech is None else spoken(text for _, _, text in seen.speech),
            "hashes": seen.dhash[chosen].tolist(),
            "vector": vector,
        }

    return work


def shown(lines: Iterable[Interval]) -> dict[str, float]:
    """Return how long each on-screen line is seen, however often; its case and spaces do not count."""
    seconds: Counter[str] = Counter()
    for start_s, end_s, text in lines:
        if plain := " ".join(text.casefold().split())[:LINE_CHARS]:
            seconds[plain] += end_s - start_s  # type: ignore[assignment]
    return dict(seconds.most_common(MOST_TEXTS))


def spoken(texts: Iterable[str]) -> dict[str, int]:
    """Return how often each word of some length is spoken, whatever its case."""
    words = (word for text in texts for word in _WORD.findall(text.casefold()))
    # Scripts that set no spaces give runs of letters; a run of two says as much there as four letters elsewhere.
    counted = Counter(word for word in words if len(word) >= (LEAST_LETTERS if word.isascii() else 2))
    return dict(counted.most_common(MOST_TEXTS))
