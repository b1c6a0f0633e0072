"""What makes a file the same file, and what makes two files the same content."""

import errno
import os
import stat
from collections.abc import Callable
from hashlib import blake2b, sha256
from pathlib import Path
from typing import NamedTuple

READ_BYTES = 1 << 20
SAMPLE_BYTES = 1 << 20
"""How much of the beginning, the middle and the end of a file its content id covers."""


class Identity(NamedTuple):
    """(device, inode, size, mtime): a file whose identity is unchanged is taken as unchanged."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int


def identity_of(status: os.stat_result) -> Identity:
    """Return the identity that `os.stat` or `os.fstat` tells."""
    return Identity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def open_regular(path: bytes) -> int:
    """Return a read-only descriptor of a regular file; never blocks on a FIFO or a device.

    The type is looked at before opening, since opening a device can have effects, and again after it.
    Raises OSError: EINVAL if `path` is not a regular file.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "not a regular file", os.fsdecode(path))
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", os.fsdecode(path))
    return descriptor


def device_of(folder: bytes) -> int:
    """Return the device number of a folder. It is opened, so that one which is mounted on demand is. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return os.fstat(descriptor).st_dev
    finally:
        os.close(descriptor)


def content_id(descriptor: int) -> str:
    """Return the content id of an open file: BLAKE2b (20 bytes, hex) over size and first, middle and last MiB.

    A file of at most three MiB is covered whole. Raises OSError if it cannot be read.
    """
    size = os.fstat(descriptor).st_size
    digest = blake2b(size.to_bytes(8, "big"), digest_size=20)
    if size <= 3 * SAMPLE_BYTES:
        offsets = [(0, size)]
    else:
        middle = (size - SAMPLE_BYTES) // 2
        offsets = [(start, SAMPLE_BYTES) for start in (0, middle, size - SAMPLE_BYTES)]
    for start, length in offsets:
        while length:
            data = os.pread(descriptor, length, start)
            if not data:
                break
            digest.update(data)
            start += len(data)
            length -= len(data)
    return digest.hexdigest()


def sha256_of(path: bytes | Path, tick: Callable[[], object] = lambda: None) -> str:
    """Return the SHA-256 of all that a file holds, in hex; `tick` is called now and then. Raises OSError."""
    digest, buffer = sha256(), memoryview(bytearray(READ_BYTES))
    with open(path, "rb", buffering=0) as file:
        while size := file.readinto(buffer):
            digest.update(buffer[:size])
            tick()
    return digest.hexdigest()
