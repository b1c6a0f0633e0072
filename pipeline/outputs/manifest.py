"""Manifest, failure list and run record: what a run did, as JSON that other programs read."""

import gzip
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.identity import sha256_of
from pipeline.model import BAD, JobState, RunKind
from pipeline.outputs import paths
from pipeline.outputs.atomic import atomic_file


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One input of a run as the ledger knows it; fields that do not apply to its state stay at their defaults."""

    source: bytes
    """Path relative to the input root, with the root's prefix where there are several."""
    status: JobState
    content_id: str = ""
    features: bytes = b""
    """Feature file relative to the output folder; empty if there is none."""
    scenes: int = 0
    frames: int = 0
    text_lines: int | None = None
    """Lines of on-screen text, None where they were not asked for."""
    text_until_s: float | None = None
    """From when on no text was read, because there was as much as `text.max_pieces` allows."""
    speech_segments: int | None = None
    """Spoken segments, None where they were not asked for."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds spent in each stage."""
    failure: str = ""
    """Failure class, if failed or quarantined."""
    stage: str = ""
    """The stage that failed."""
    message: str = ""
    remedy: str = ""
    detail: str = ""
    attempts: int = 0
    reason: str = ""
    """Why it was skipped."""
    duplicate_of: bytes = b""
    """The source with the same content, if that is why it was skipped."""
    lost_s: float = 0.0
    lost_frames: int = 0
    media: Mapping[str, Any] = field(default_factory=dict)
    """What kind of video it is, see `media_of`."""
    cut_off: bool = False
    """Whether `probe.max_frames` ended it before its end."""


MEDIA_RESULTS = ("duration_s", "width", "height", "fps", "video_codec", "audio_codec")
"""Facts about a video that stand in a worker's result itself."""

MEDIA_PROBED = (
    "container", "is_picture", "pixel_format", "bit_depth", "hdr", "colour_space", "full_range", "interlaced",
    "variable_rate", "rotation_deg", "audio_layout", "audio_rate_hz", "audio_streams", "subtitle_streams",
)  # fmt: skip
"""Facts about a video that stand in the `probe` of a worker's result."""


def media_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a worker's result says of the kind of video, empty if it says nothing."""
    probed: Mapping[str, Any] = result.get("probe") or {}
    facts = {name: result[name] for name in MEDIA_RESULTS if name in result}
    return facts | {name: probed[name] for name in MEDIA_PROBED if name in probed} if probed else {}


def write_manifest(out: bytes, rows: Iterable[ManifestRow]) -> None:
    """Write `manifest.jsonl.gz`, one line a row. Raises OSError; the file before stays whole then."""
    _write_lines(out, paths.MANIFEST, (json.dumps(_entry(row)) for row in rows), compressed=True)


def write_failures(out: bytes, rows: Iterable[ManifestRow]) -> None:
    """Write `failures.json`: a list with an object for each failed or quarantined row of `rows`. Raises OSError."""
    bad = (row for row in rows if row.status in BAD)
    _write_lines(out, paths.FAILURES, _as_array(json.dumps(_failure(row)) for row in bad), compressed=False)


def write_run(out: bytes, info: Mapping[str, Any]) -> None:
    """Write `run.json`: `info` and the sizes and checksums of the other reports and of itself. Raises OSError."""
    names = paths.LISTS[info.get("kind", RunKind.EXTRACT)]
    reports = {os.fsdecode(name): file_sum(os.path.join(out, name)) for name in names}
    _write_lines(out, paths.RUN, [sealed({**info, "reports": reports})], compressed=False)


def file_sum(path: bytes) -> dict[str, Any]:
    """Return size and checksum of a file as `run.json` states them, nothing if it is not there. Raises OSError."""
    if not os.path.isfile(path):
        return {}
    return {"bytes": os.stat(path).st_size, "sha256": sha256_of(path)}


def sealed(info: Mapping[str, Any]) -> str:
    """Return `info` as the text of `run.json`, with a checksum of the text that it would be without one."""
    checksum = hashlib.sha256(json.dumps(info, indent=2).encode("ascii")).hexdigest()
    return json.dumps({**info, "sha256": checksum}, indent=2)


def read_manifest(out: bytes) -> Iterator[dict[str, Any]]:
    """Yield each line of `manifest.jsonl.gz`; `os.fsencode` turns its paths back into bytes. Raises OSError."""
    with gzip.open(os.path.join(out, paths.MANIFEST), "rt", encoding="ascii") as lines:
        for line in lines:
            yield json.loads(line)


def _entry(row: ManifestRow) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "source": os.fsdecode(row.source),
        "status": str(row.status),
        "content_id": row.content_id,
    }
    if row.features:
        entry |= {
            "features": os.fsdecode(row.features),
            "scenes": row.scenes,
            "frames": row.frames,
            "seconds": {stage: round(value, 4) for stage, value in row.seconds.items()},
        }
    if row.text_lines is not None:
        entry["text_lines"] = row.text_lines
    if row.text_until_s is not None:
        entry["text_until_s"] = row.text_until_s
    if row.speech_segments is not None:
        entry["speech_segments"] = row.speech_segments
    if row.media:
        entry["media"] = dict(row.media)
    if row.cut_off:
        entry["cut_off"] = True
    if row.status is JobState.PARTIAL:
        entry |= {"lost_s": row.lost_s, "lost_frames": row.lost_frames}
    elif row.status in BAD:
        entry |= {"class": row.failure, "message": row.message, "attempts": row.attempts}
    elif row.status is JobState.SKIPPED:
        entry["reason"] = row.reason
        if row.duplicate_of:
            entry["duplicate_of"] = os.fsdecode(row.duplicate_of)
    return entry


def _failure(row: ManifestRow) -> dict[str, Any]:
    return {
        "source": os.fsdecode(row.source),
        "status": str(row.status),
        "class": row.failure,
        "stage": row.stage or None,
        "message": row.message,
        "attempts": row.attempts,
        "remedy": row.remedy,
        "detail": row.detail,
    }


def _as_array(items: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a JSON array, an item a line, without holding them all."""
    yield "["
    held = None
    for item in items:
        if held is not None:
            yield held + ","
        held = item
    if held is not None:
        yield held
    yield "]"


def _write_lines(out: bytes, name: bytes, lines: Iterable[str], *, compressed: bool) -> None:
    with atomic_file(os.path.join(out, name)) as part, open(part, "wb") as raw:
        if compressed:
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                packed.writelines(line.encode("ascii") + b"\n" for line in lines)
        else:
            raw.writelines(line.encode("ascii") + b"\n" for line in lines)
