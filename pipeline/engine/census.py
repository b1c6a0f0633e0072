"""Counts what a folder holds without opening anything: how many videos, how many bytes, how many hours."""

import os
import time
from collections.abc import Callable
from dataclasses import replace

from pipeline.engine.discover import walk
from pipeline.engine.past import Lengths
from pipeline.engine.sniff import is_media
from pipeline.forecast import Holding

MOST_ENTRIES = 500_000
MOST_S = 60.0
"""After so many entries, or seconds, a folder counts as too large to be counted."""
TELL_S = 0.25
"""How often the number so far is told."""


def count(path: bytes, lengths: Lengths, stop: Callable[[], bool], tell: Callable[[Holding], object]) -> Holding:
    """Return what a file or folder holds; `tell` is given the number so far, and `stop` ends it early.

    Only names and sizes are looked at, so a video without a video's name is not counted, and nothing is decoded.
    """
    found = Holding()
    begun = told = time.monotonic()
    for number, entry in enumerate(walk([path], b"", stop)):
        if entry.failure is not None:
            found = replace(found, problem=found.problem or entry.reason)
        elif not entry.reason and is_media(entry.relative or os.path.basename(path), b""):
            length_s, size = lengths.of(entry.identity), entry.identity.size_bytes
            found = replace(
                found,
                videos=found.videos + 1,
                source_bytes=found.source_bytes + size,
                known_s=found.known_s + length_s,
                known_bytes=found.known_bytes + (size if length_s else 0),
            )
        now = time.monotonic()
        if number >= MOST_ENTRIES or now - begun > MOST_S:
            return replace(_expected(found, lengths), over=True, capped=True)
        if now - told > TELL_S:
            told = now
            tell(_expected(found, lengths))
    return replace(_expected(found, lengths), over=True, capped=stop())


def _expected(found: Holding, lengths: Lengths) -> Holding:
    """Return the same with the hours: those known, and the rest by its bytes as the known ones, here or anywhere."""
    unknown = found.source_bytes - found.known_bytes
    rate = found.known_bytes / found.known_s if found.known_s else lengths.bytes_per_s
    if not unknown:
        return replace(found, expected_s=found.known_s)
    return replace(found, expected_s=found.known_s + unknown / rate if rate else None)
