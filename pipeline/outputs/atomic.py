"""The one way to write a file: under a temporary name, flushed to the disk, then renamed."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable, Iterator

from pipeline.errors import JobError
from pipeline.identity import device_of
from pipeline.model import FailureClass, RunKind, Stage
from pipeline.outputs import paths
from pipeline.text import visible

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""The errors that say a volume (or the quota on it) is full."""


NO_FOLDER_FLUSH = frozenset({errno.EINVAL, errno.EBADF, errno.EACCES, errno.EPERM, errno.ENOTSUP})
"""What systems answer that cannot flush a folder (some network and FUSE ones), or will not open it for reading."""


@contextlib.contextmanager
def atomic_file(path: bytes) -> Iterator[bytes]:
    """Yield a temporary path beside `path`; write there and check it, and it takes the place of `path` whole.

    After the block the temporary file is flushed to the disk and renamed, and the rename is flushed too. On any error
    it is removed and `path` stays as it was. A failed flush is not tried again: the kernel may have dropped the pages
    (PostgreSQL's fsyncgate), so the file is thrown away. Missing folders are made. Raises OSError.
    """
    part = paths.part_path(path)
    make_folder(os.path.dirname(path))
    _create(part)
    try:
        yield part
        flush(part)
        _rename(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    flush_folder(os.path.dirname(path))


@contextlib.contextmanager
def atomic_folder(path: bytes) -> Iterator[bytes]:
    """Yield an empty temporary folder beside `path` that takes the place of `path`, with what was put in.

    Every file in it is flushed first; files that were in `path` before are gone afterwards. On any error the temporary
    folder is removed and `path` stays as it was. Raises OSError.
    """
    part, old = paths.part_path(path), paths.part_path(path + b"~")
    make_folder(os.path.dirname(path))
    remove_tree(part)
    os.mkdir(part)
    try:
        yield part
        for name in os.listdir(part):
            flush(os.path.join(part, name))
        flush_folder(part)
        remove_tree(old)
        with contextlib.suppress(FileNotFoundError):
            os.rename(path, old)
        os.rename(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            remove_tree(part)
        raise
    remove_tree(old)
    flush_folder(os.path.dirname(path))


def make_folder(path: bytes) -> None:
    """Make `path` and what is missing above it, each flushed into the folder that holds it. Raises OSError."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent != path:
        make_folder(parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)
        flush_folder(parent)
    if not os.path.isdir(path):
        raise NotADirectoryError(errno.ENOTDIR, "Not a folder", os.fsdecode(path))


def flush(path: bytes) -> None:
    """Flush a file to the disk. Raises OSError; the caller must then not trust the file."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def flush_folder(path: bytes) -> None:
    """Flush a folder, so that a rename in it lasts; where the system has no such thing, that is no error.

    What is passed over is what PostgreSQL's `fsync_fname` passes over. Raises OSError if the flush really failed.
    """
    try:
        flush(path)
    except OSError as error:
        if error.errno not in NO_FOLDER_FLUSH:
            raise


def remove_tree(path: bytes) -> None:
    """Remove a folder and what is in it, or a file or a link that stands in its place. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)


def remove_stale_parts(out: bytes, kind: RunKind = RunKind.EXTRACT) -> int:
    """Remove the temporaries that crashed writers left in an output folder; return how many there were.

    To be called while no worker writes there: when an engine starts a run in `out`, and when the run is over.
    Raises OSError if one cannot be removed.
    """
    count = 0
    for path in stale_parts(out, kind):
        remove_tree(path)
        count += 1
    return count


def stale_parts(out: bytes, kind: RunKind = RunKind.EXTRACT) -> Iterator[bytes]:
    """Yield the path of each temporary file or folder of ours in the output folder of runs of `kind`."""
    if not os.path.isdir(out):
        return
    yield from (entry.path for entry in os.scandir(out) if paths.PART.fullmatch(entry.name))
    for top in paths.outputs_below(out, kind):
        for folder, folders, files in os.walk(os.path.join(out, top)):
            parts = [name for name in (*folders, *files) if paths.PART.fullmatch(name)]
            folders[:] = [name for name in folders if name not in parts]
            yield from (os.path.join(folder, name) for name in parts)


def remove_chunks(out: bytes, keep: Iterable[bytes] = ()) -> None:
    """Remove the chunks of long videos that are in an output folder: nobody goes on with them. Raises OSError.

    Those of the feature files `keep` stay: a part of those videos is missing and may be tried again.
    """
    kept = {paths.chunks_folder(path) for path in keep}
    for folder, folders, _ in os.walk(os.path.join(out, paths.FEATURES)):
        gone = [name for name in folders if paths.CHUNKS.fullmatch(name)]
        folders[:] = [name for name in folders if name not in gone]
        for path in (os.path.join(folder, name) for name in gone):
            if path not in kept:
                remove_tree(path)


def check_volume(out: bytes, device: int, stage: Stage) -> None:
    """Refuse an output folder that is no longer where it was: a volume that is gone leaves its mount point.

    `device` is its device number when the run began, 0 = any. Raises JobError (io) and OSError.
    """
    if device and device_of(out) != device:
        raise JobError(FailureClass.IO, "The volume of the output folder is gone.", stage=stage)


def check_written(path: bytes, out: bytes, device: int, stage: Stage) -> None:
    """Do as `check_volume` does once `path` has its final name, and take the file away where that refuses."""
    try:
        check_volume(out, device, stage)
    except (JobError, OSError):
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def disk_error(error: OSError, doing: str, path: bytes) -> JobError:
    """Return the failure of a job that could not write `path`: `disk_full` where that is why, else `io`."""
    full = error.errno in FULL
    why = "the volume is full" if full else os.strerror(error.errno) if error.errno else str(error)
    return JobError(
        FailureClass.DISK_FULL if full else FailureClass.IO,
        f"Could not {doing} {visible(path)}: {why}.",
        stage=Stage.WRITE,
        detail=repr(error),
        errno=error.errno or 0,
    )


def _rename(part: bytes, path: bytes) -> None:
    """Give the file its final name; an empty folder that has it gives way, one with something in it does not."""
    try:
        os.rename(part, path)
    except IsADirectoryError:
        os.rmdir(path)
        os.rename(part, path)


def _create(part: bytes) -> None:
    """Create the temporary file, and nothing but it: what a crashed writer left there is removed first."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
