"""What a worker is told of a transcode run and of each of its jobs."""

from dataclasses import dataclass

from pipeline.identity import Identity
from pipeline.settings import PipelineSettings


@dataclass(frozen=True, slots=True)
class TranscodeContext:
    """What the jobs of a run share."""

    settings: PipelineSettings
    out: bytes
    out_device: int = 0
    """Device number of the output folder when the run began: nothing is written to another. 0 = any."""
    state_dir: str = ""
    """The state folder, where measurements of the machine are kept."""


@dataclass(frozen=True, slots=True)
class TranscodeJob:
    """One video to do."""

    source: bytes
    """Absolute path."""
    relative: bytes
    """Path below its input root, with the root's prefix where there is one."""
    output: bytes
    """Path of the output below the output folder."""
    identity: Identity
    content_id: str
    key: str
    """What the output depends on, in one word: it stands in the output, so that one that is known is not made again."""
    decode_threads: int
    encode_threads: int
    known_sha256: str = ""
    """Checksum the ledger has of the output that is there, empty if it has none."""
    force: bool = False
