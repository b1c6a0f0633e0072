"""The stamp of a file: while it stays, so does what was made of the file."""

import os

Stamp = tuple[int, int]
"""Size and modification time in ns."""


def stamp_of(path: bytes) -> Stamp:
    """Return the stamp of a file. Raises OSError."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns
