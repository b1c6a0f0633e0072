"""Checksums of checkpoint files, each computed once as long as the file stays the same."""

import hashlib
from pathlib import Path

CHUNK_BYTES = 1 << 20

_known: dict[tuple[str, int, int, int], str] = {}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex; remembered by path, inode, size and time of change. Raises OSError."""
    with path.open("rb") as file:
        status = path.stat()
        key = (str(path.resolve()), status.st_ino, status.st_size, status.st_mtime_ns)
        if key not in _known:
            digest = hashlib.sha256()
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
            _known[key] = digest.hexdigest()
    return _known[key]
