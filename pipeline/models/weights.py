"""Checksums of checkpoint files, each computed once as long as the file stays the same."""

from pathlib import Path

from pipeline import identity

_known: dict[tuple[str, int, int, int], str] = {}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex; remembered by path, inode, size and time of change. Raises OSError."""
    status = path.stat()
    key = (str(path.resolve()), status.st_ino, status.st_size, status.st_mtime_ns)
    if key not in _known:
        _known[key] = identity.sha256_of(path)
    return _known[key]
