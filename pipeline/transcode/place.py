"""Where an output goes: what is there already, and whether it may be written there."""

import os
from contextlib import suppress
from dataclasses import dataclass

from pipeline.errors import JobError
from pipeline.identity import device_of, sha256_of
from pipeline.model import FailureClass, Stage
from pipeline.progress import Tick, no_tick
from pipeline.transcode.facts import MediaFacts
from pipeline.transcode.inspect import inspect

SALVAGED = " salvage"
"""How the mark of an output ends for which something may have been left out."""


@dataclass(frozen=True, slots=True)
class Place:
    """The final path of an output, in the output folder `out`, which is on the volume `device` (0 = any)."""

    path: bytes
    out: bytes
    device: int

    def adopted(self, mark: str, known_sha256: str, tick: Tick = no_tick) -> MediaFacts | None:
        """Return the facts of a whole output that is there already: by the checksum of the ledger, or where that has
        none by its mark, once all of it was decoded."""
        with suppress(JobError, OSError):
            if not os.path.isfile(self.path):
                return None
            if known_sha256:
                return inspect(self.path, tick=tick) if sha256_of(self.path, tick) == known_sha256 else None
            if inspect(self.path, tick=tick).mark in (mark, mark + SALVAGED):
                found = inspect(self.path, decode=True, tick=tick)
                return found if found.decoded and found.decoded.whole else None
        return None

    def check(self, source: bytes, known_sha256: str, tick: Tick = no_tick) -> None:
        """Refuse to write where the source is, or over a file that is none of ours. Raises JobError, OSError."""
        try:
            there = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return
        if os.path.samestat(there, os.stat(source)):
            sentence = "The output would take the place of its source; choose another output folder."
            raise JobError(FailureClass.SETTINGS, sentence, stage=Stage.TRANSCODE)
        mark = known_sha256
        with suppress(JobError, OSError):
            mark = mark or inspect(self.path, tick=tick).mark
        if not mark:
            sentence = (
                "A file that vconsole did not write has the name of its output: move it, or choose another folder."
            )
            raise JobError(FailureClass.SETTINGS, sentence, stage=Stage.TRANSCODE)

    def check_volume(self) -> None:
        """Refuse an output folder that is no longer where it was: a volume that is gone leaves its mount point."""
        if self.device and device_of(self.out) != self.device:
            raise JobError(FailureClass.IO, "The volume of the output folder is gone.", stage=Stage.TRANSCODE)
