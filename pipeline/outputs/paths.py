"""Where each output of a video lies within its output folder, and what a temporary file is called."""

import hashlib
import os
import re

from pipeline.model import RunKind

FEATURES = b"features"
FRAMES = b"frames"
ORDER = b"order.json"
"""In the folder of a benchmark: what is to be measured."""
MANIFEST = b"manifest.jsonl.gz"
FAILURES = b"failures.json"
RUN = b"run.json"

TRANSCODE_REPORT = b"transcode_report.json"
TRANSCODE_TABLE = b"transcode_report.csv"

REPORTS = (MANIFEST, FAILURES, RUN)
LISTS: dict[str, tuple[bytes, ...]] = {
    RunKind.EXTRACT: (MANIFEST, FAILURES),
    RunKind.TRANSCODE: (TRANSCODE_REPORT, TRANSCODE_TABLE),
}
"""The reports of a run of each kind that `run.json` vouches for."""
EXTENSIONS = {"jpeg": b"jpg", "webp": b"webp"}
"""The kinds of saved pictures and how their names end."""

MAX_NAME_BYTES = 240
"""Longest name given to an output; file systems allow 255 and temporaries and suffixes need room."""

PART = re.compile(rb"\.[0-9a-f]{16}\.part")
"""What a temporary file (or folder) of ours is called, whole."""


CHUNKS = re.compile(rb"\.[0-9a-f]{16}\.chunks")
"""What the folder of the chunks of a long video is called that is under way, whole."""


def features_name(relative: bytes) -> bytes:
    """Return the feature file's path relative to the output folder, for a video's `relative` path.

    Raises ValueError if `relative` is empty, absolute or climbs out of the folder.
    """
    return os.path.join(FEATURES, safe_name(relative, b".h5"))


def outputs_below(out: bytes, kind: RunKind) -> tuple[bytes, ...]:
    """Return the folders of `out` below which runs of `kind` write the outputs of videos."""
    if kind is RunKind.EXTRACT:
        return FEATURES, FRAMES
    return tuple(entry.name for entry in os.scandir(out) if entry.is_dir(follow_symlinks=False))


def features_path(out: bytes, relative: bytes) -> bytes:
    """Return the path of the feature file of the video at `relative`. Raises ValueError as `features_name` does."""
    return os.path.join(out, features_name(relative))


def frames_folder(out: bytes, relative: bytes) -> bytes:
    """Return the folder of the saved pictures of the video at `relative`. Raises ValueError as `features_name` does."""
    return os.path.join(out, FRAMES, safe_name(relative, b""))


def picture_name(frame_index: int, kind: str) -> bytes:
    """Return the name of the saved picture of a frame in its video's folder; `kind` is jpeg or webp."""
    return b"%06d.%s" % (frame_index, EXTENSIONS[kind])


def has_pictures(out: bytes, relative: bytes, kind: str, count: int) -> bool:
    """Return whether as many pictures of `kind` (jpeg, webp; none asks for none) are saved as frames were kept."""
    if kind == "none":
        return True
    try:
        names = os.listdir(frames_folder(out, relative))
    except OSError:
        return False
    return sum(name.endswith(b"." + EXTENSIONS[kind]) for name in names) == count


def part_path(path: bytes) -> bytes:
    """Return the temporary path beside `path`: a short hash, so that the longest name still fits."""
    return _beside(path, b".part")


def chunks_folder(path: bytes) -> bytes:
    """Return the folder beside the output `path` that holds its chunks until it is whole."""
    return _beside(path, b".chunks")


def _beside(path: bytes, suffix: bytes) -> bytes:
    folder, name = os.path.split(path)
    digest = hashlib.blake2b(name, digest_size=8).hexdigest().encode("ascii")
    return os.path.join(folder, b"." + digest + suffix)


def safe_name(relative: bytes, suffix: bytes) -> bytes:
    """Return `relative` with `suffix` behind it, each part short enough for any file system.

    Raises ValueError if `relative` is empty, absolute or climbs out of a folder.
    """
    parts = relative.split(b"/")
    if not relative or b"\0" in relative or any(part in {b"", b".", b".."} for part in parts):
        raise ValueError(f"not a path inside an output folder: {relative!r}")
    folders = [_short(part, b"") for part in parts[:-1]]
    return b"/".join([*folders, _short(parts[-1], suffix)])


def _short(name: bytes, suffix: bytes) -> bytes:
    """Return `name` plus `suffix`, cut and hashed if that is over `MAX_NAME_BYTES`; whole UTF-8 characters stay."""
    if len(name) + len(suffix) <= MAX_NAME_BYTES:
        return name + suffix
    tail = b"~" + hashlib.blake2b(name, digest_size=8).hexdigest().encode("ascii") + suffix
    end = MAX_NAME_BYTES - len(tail)
    while end and name[end] & 0xC0 == 0x80:
        end -= 1
    return name[:end] + tail
