"""What a worker is told of an extract run and of each of its jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.identity import Identity
from pipeline.settings import PipelineSettings


@dataclass(frozen=True, slots=True)
class RunContext:
    """What the jobs of a run share."""

    settings: PipelineSettings
    out: bytes
    fingerprints: Mapping[str, str]
    """Fingerprint of the weights by model key, and what reads text."""
    host_sockets: Sequence[str] = ()
    """Where the model hosts listen, none if the run needs none."""
    out_device: int = 0
    """Device number of the output folder when the run began: nothing is written to another. 0 = any."""
    state_dir: str = ""
    """The state folder, where measurements of the machine are kept."""


@dataclass(frozen=True, slots=True)
class Division:
    """How a long video is done in chunks."""

    cuts: tuple[int, ...] = ()
    """Times of the keyframes at which it is cut, in ticks."""
    crop_xywh: tuple[int, int, int, int] = (0, 0, 0, 0)
    borders_s: tuple[float, ...] = ()
    """Where the chunks begin, and where the last ends, in presentation seconds."""
    whole: str = ""
    """Why it is done in one piece after all, empty if it is not."""
    chunk: int | None = None
    """The chunk to do; None = all are over, and their results are put together."""
    missing: Mapping[int, str] = field(default_factory=dict)
    """The chunks that could not be done, and why."""

    def name(self, chunk: int) -> str:
        """Return what a chunk is called."""
        return f"part {chunk + 1} of {len(self.cuts) + 1}"

    def missing_told(self, chunk: int) -> str:
        """Return the sentence that says that a chunk is missing, and why."""
        return f"{self.name(chunk)} is missing: {self.missing[chunk]}"


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
    may_divide: bool = False
    """Whether a long video may be answered with the chunks to do it in."""
    division: Division | None = None
    host: int = 0
    """The number of the model host that it goes to, as long as that is there."""
