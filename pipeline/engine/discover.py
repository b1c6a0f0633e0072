"""Walks the inputs of a run: finds what may be media and says of everything else why it is not."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from pipeline.engine.records import NO_IDENTITY
from pipeline.identity import Identity, identity_of
from pipeline.model import FailureClass

_KINDS = (
    (stat.S_ISFIFO, "a named pipe, not a file"),
    (stat.S_ISSOCK, "a socket, not a file"),
    (stat.S_ISBLK, "a device, not a file"),
    (stat.S_ISCHR, "a device, not a file"),
)


LISTED_AT_ONCE = 4096
"""Entries of a folder that are listed and sorted at once, so that a folder of a million holds nothing up."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something below an input. A candidate has neither `reason` nor `failure`."""

    source: bytes
    relative: bytes
    identity: Identity = NO_IDENTITY
    reason: str = ""
    """Why it is skipped, or what `failure` says."""
    failure: FailureClass | None = None
    errno: int = 0
    """The error that `failure` is, 0 if none."""


def roots(inputs: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """Return (absolute path, relative name) of each input, distinct ones only.

    One input alone has no prefix; of several, a folder's files get the folder's name as prefix, and equal
    names a number behind them.
    """
    paths = list(dict.fromkeys(os.path.abspath(path) for path in inputs))
    named: list[tuple[bytes, bytes]] = []
    taken: set[bytes] = set()
    for path in paths:
        base = os.path.basename(path) or b"root"
        name = base
        if name in taken:
            name = os.path.basename(os.path.dirname(path)) + b"-" + base
        number = 2
        while name in taken:
            name = base + b"-%d" % number
            number += 1
        taken.add(name)
        named.append((path, name))
    if len(named) == 1 and os.path.isdir(named[0][0]):
        return [(named[0][0], b"")]
    return named


def walk(
    inputs: Sequence[bytes],
    out: bytes,
    stop: Callable[[], bool] = lambda: False,
    empty: Callable[[], object] = lambda: None,
) -> Iterator[Found]:
    """Yield what lies below `inputs`, until `stop` says yes; the folder `out` is left out.

    `empty` is called for a folder with nothing in it, which may be the mount point of a volume that is gone.

    In the order of names, of a folder with very many by LISTED_AT_ONCE entries. Only looks: nothing is opened, so
    that no pipe, device or dead link can block it. A folder that is a link is not entered, hence no loop; a file
    that is a link is found where the link is.
    """
    shunned = _folder_number(out)
    for path, name in roots(inputs):
        if stop():
            return
        try:
            status = os.stat(path)
        except OSError as error:
            yield _unreadable(path, name or os.path.basename(path), error)
            continue
        if stat.S_ISDIR(status.st_mode):
            yield from _walk_folder(path, name, shunned, stop, empty)
        else:
            yield _look(path, name, status)


def _walk_folder(
    top: bytes,
    prefix: bytes,
    shunned: tuple[int, int] | None,
    stop: Callable[[], bool],
    empty: Callable[[], object],
) -> Iterator[Found]:
    folders = [(top, prefix)]
    while folders:
        folder, name = folders.pop()
        deeper, entry = [], None
        try:
            for entry in _entries(folder):
                if stop():
                    return
                relative = os.path.join(name, entry.name) if name else entry.name
                found = _look_at(entry, relative, shunned)
                if found is None:
                    deeper.append((entry.path, relative))
                else:
                    yield found
        except OSError as error:
            yield _unlisted(folder, name or os.path.basename(folder), error)
        else:
            if entry is None:
                empty()
        folders.extend(reversed(deeper))


def _entries(folder: bytes) -> "Iterator[os.DirEntry[bytes]]":
    with os.scandir(folder) as listing:
        while entries := sorted(islice(listing, LISTED_AT_ONCE), key=lambda entry: entry.name):
            yield from entries


def _look_at(entry: "os.DirEntry[bytes]", relative: bytes, shunned: tuple[int, int] | None) -> Found | None:
    """Return what an entry is, or None for a folder to be walked."""
    if entry.name.startswith(b"."):
        return Found(entry.path, relative, reason="hidden")
    try:
        if entry.is_dir(follow_symlinks=False):
            if _folder_number(entry.path) == shunned:
                return Found(entry.path, relative, reason="the output folder of this run")
            return None
        status = entry.stat()
    except OSError as error:
        if entry.is_symlink():
            return Found(entry.path, relative, reason="a link that leads nowhere or in a circle")
        return _unreadable(entry.path, relative, error)
    if stat.S_ISDIR(status.st_mode):
        return Found(entry.path, relative, reason="a link to a folder; give that folder as an input of its own")
    return _look(entry.path, relative, status)


def _look(path: bytes, relative: bytes, status: os.stat_result) -> Found:
    for is_kind, reason in _KINDS:
        if is_kind(status.st_mode):
            return Found(path, relative, reason=reason)
    return Found(path, relative, identity_of(status))


def _unreadable(path: bytes, relative: bytes, error: OSError) -> Found:
    return Found(path, relative, NO_IDENTITY, f"cannot be read: {error.strerror}", FailureClass.IO, error.errno or 0)


def _unlisted(path: bytes, relative: bytes, error: OSError) -> Found:
    reason = f"this folder cannot be listed: {error.strerror}; start the run again when it can"
    return Found(path, relative, NO_IDENTITY, reason, FailureClass.IO, error.errno or 0)


def _folder_number(path: bytes) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
