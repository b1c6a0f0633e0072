"""What a worker is told of an extract run and of each of its jobs."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.identity import Identity
from pipeline.settings import PipelineSettings


@dataclass(frozen=True, slots=True)
class RunContext:
    """What the jobs of a run share."""

    settings: PipelineSettings
    out: bytes
    fingerprints: Mapping[str, str]
    """Fingerprint of the weights by model key, and what reads text."""
    host_socket: str
    """Where the model host listens, empty if the run needs none."""
    out_device: int = 0
    """Device number of the output folder when the run began: nothing is written to another. 0 = any."""


@dataclass(frozen=True, slots=True)
class ExtractJob:
    """One video to do."""

    source: bytes
    """Absolute path."""
    relative: bytes
    """Path below its input root, with the root's prefix where there is one."""
    identity: Identity
    content_id: str
    decode_threads: int
    known_sha256: str
    """Checksum the ledger has of the output that is there, empty if it has none."""
    force: bool
    known_pictures_sha256: str = ""
    """Checksum the ledger has of the saved pictures that are there, empty if it has none."""
