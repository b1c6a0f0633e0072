"""Where an output goes: what is there already, and whether it may be written there."""

import os
from contextlib import suppress

from pipeline.errors import JobError
from pipeline.identity import sha256_of
from pipeline.media.open import open_media
from pipeline.model import FailureClass, Stage
from pipeline.progress import Tick, no_tick
from pipeline.transcode.facts import MediaFacts
from pipeline.transcode.inspect import inspect
from pipeline.transcode.settings import SUFFIXES
from pipeline.transcode.words import mark_in

_MOST_PIXELS = 1 << 30
SALVAGED = " salvage"
"""How the mark of an output ends for which something may have been left out."""


def adoptable(path: bytes, mark: str, known_sha256: str, tick: Tick = no_tick) -> MediaFacts | None:
    """Return the facts of a whole output that is there already: by the checksum of the ledger, or where that has
    none by its mark, once all of it was decoded."""
    with suppress(JobError, OSError):
        if not os.path.isfile(path):
            return None
        if known_sha256:
            return inspect(path, tick=tick) if sha256_of(path, tick) == known_sha256 else None
        if inspect(path, tick=tick).mark in (mark, mark + SALVAGED):
            found = inspect(path, decode=True, tick=tick)
            return found if found.decoded and found.decoded.whole else None
    return None


def made_before(path: bytes) -> list[bytes]:
    """Return the outputs of ours that stand beside `path` under its name in another format."""
    stem = os.path.splitext(path)[0]
    others = (stem + suffix for suffix in SUFFIXES.values() if stem + suffix != path)
    return [other for other in others if os.path.isfile(other) and _mark(other)]


def _mark(path: bytes) -> str:
    """Return the mark of a file that we made, empty of any other."""
    with suppress(JobError, OSError), open_media(path, Stage.TRANSCODE, _MOST_PIXELS) as container:
        return mark_in(container.metadata)
    return ""


def check_place(path: bytes, source: bytes, known_sha256: str) -> None:
    """Refuse to write where the source is, or over a file that is none of ours. Raises JobError, OSError."""
    try:
        there = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    if os.path.samestat(there, os.stat(source)):
        sentence = "The output would take the place of its source; choose another output folder."
        raise JobError(FailureClass.SETTINGS, sentence, stage=Stage.TRANSCODE)
    if not (known_sha256 or _mark(path)):
        sentence = "A file that vconsole did not write has the name of its output: move it, or choose another folder."
        raise JobError(FailureClass.SETTINGS, sentence, stage=Stage.TRANSCODE)
