"""What is known of a video's saved pictures as a whole, and whether those on the disk are still the same."""

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipeline.identity import sha256_of


class PicturesSum(NamedTuple):
    """Size and checksum of all saved pictures of one video; of none: 0 bytes and an empty checksum."""

    size_bytes: int = 0
    sha256: str = ""


def sum_of(pictures: Mapping[bytes, tuple[int, str]]) -> PicturesSum:
    """Return the sum over the pictures' names, each with the size in bytes and the SHA-256 of its file."""
    if not pictures:
        return PicturesSum()
    digest = hashlib.sha256()
    for name, (size_bytes, checksum) in sorted(pictures.items()):
        digest.update(b"%s\0%d\0%s\n" % (name, size_bytes, checksum.encode("ascii")))
    return PicturesSum(sum(size_bytes for size_bytes, _ in pictures.values()), digest.hexdigest())


def sizes(folder: bytes) -> dict[bytes, int]:
    """Return the size of each plain file in `folder`; nothing if that is no folder. Raises OSError."""
    if not is_plain_folder(folder):
        return {}
    with os.scandir(folder) as entries:
        return {
            entry.name: entry.stat(follow_symlinks=False).st_size
            for entry in entries
            if entry.is_file(follow_symlinks=False)
        }


def read_sum(folder: bytes, names: Iterable[bytes]) -> PicturesSum | None:
    """Return the sum of the pictures `names` as they are on the disk, None if one is not there. Raises OSError."""
    there = sizes(folder)
    wanted = list(names)
    if not there.keys() >= set(wanted):
        return None
    return sum_of({name: (there[name], sha256_of(os.path.join(folder, name))) for name in wanted})


def is_plain_file(path: bytes) -> bool:
    """Whether `path` is a file itself, and no link to one. Raises OSError if nothing is there."""
    return stat.S_ISREG(os.lstat(path).st_mode)


def is_plain_folder(path: bytes) -> bool:
    """Whether `path` is a folder itself, and no link to one."""
    return os.path.isdir(path) and not os.path.islink(path)
