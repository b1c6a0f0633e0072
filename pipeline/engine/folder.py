"""The state folder: where it is, whether it can serve, and the lock that one engine holds on it."""

import fcntl
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

import platformdirs

from pipeline.errors import EngineRunningError, LedgerError

LOCK_NAME = "lock"
NETWORK_FILESYSTEMS = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "smb2",
        "afs",
        "ceph",
        "lustre",
        "gpfs",
        "beegfs",
        "ncpfs",
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.rclone",
        "fuse.ceph",
        "fuse.ceph-fuse",
    }
)


def state_folder(setting: str) -> Path:
    """Return the state folder: the setting, else VCONSOLE_STATE_DIR, else the platform's."""
    chosen = setting or os.environ.get("VCONSOLE_STATE_DIR", "")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_state_dir("vconsole"))


def filesystem_type(path: Path) -> str:
    """Return the type of the file system that holds `path` as the kernel names it, empty if unknown."""
    best, kind = -1, ""
    with suppress(OSError):
        resolved = os.path.realpath(path)
        for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
            head, _, tail = line.partition(" - ")
            mount = head.split(" ")[4].replace("\\040", " ")
            inside = resolved == mount or resolved.startswith(mount.rstrip("/") + "/")
            if inside and len(mount) >= best:
                best, kind = len(mount), tail.split(" ")[0]
    return kind


def prepare_folder(state_dir: Path) -> None:
    """Make the state folder, readable by its owner only. Raises LedgerError if it cannot serve."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        state_dir.chmod(0o700)
    except OSError as error:
        raise _no_folder(state_dir, error) from error
    kind = filesystem_type(state_dir)
    if kind in NETWORK_FILESYSTEMS:
        raise LedgerError(
            f"The state folder {state_dir} is on a network file system ({kind}), where locks are not safe.",
            remedy="Set state_dir (or VCONSOLE_STATE_DIR) to a folder on a local disk.",
        )


class FolderLock:
    """An exclusive lock on the state folder, held by an open file: it ends with the process, however that ends."""

    def __init__(self, state_dir: Path) -> None:
        """Take the lock. Raises EngineRunningError if another holds it, LedgerError if there can be none."""
        try:
            self._descriptor = os.open(state_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _no_folder(state_dir, error) from error
        try:
            self._take(state_dir)
        except BaseException:
            os.close(self._descriptor)
            raise

    def _take(self, state_dir: Path) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 4096, 0)
            raise EngineRunningError(
                f"Another vconsole holds {state_dir}: {_describe(holder)}.",
                remedy="Use that one, wait for it to end, or give this one a state_dir of its own.",
            ) from error
        holder = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since_s": time.time()}).encode()
        with suppress(OSError):  # who holds it is only told to others; the lock holds without
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, holder, 0)

    def release(self) -> None:
        """Let another engine have the folder."""
        with suppress(OSError):  # the system lets go of a descriptor whose flush failed too
            os.close(self._descriptor)


def is_held(state_dir: Path) -> bool:
    """Return whether an engine holds the state folder at this moment; changes nothing."""
    return bool(holder(state_dir))


def holder(state_dir: Path) -> str:
    """Return who holds the state folder at this moment, empty if nobody does; changes nothing. Raises OSError."""
    try:
        descriptor = os.open(state_dir / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _describe(os.pread(descriptor, 4096, 0))
    finally:
        os.close(descriptor)
    return ""


def _describe(holder: bytes) -> str:
    try:
        known = json.loads(holder)
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(known["since_s"]))
        return f"process {int(known['pid'])} on {known['host']!s}, since {since}"
    except (ValueError, KeyError, TypeError):
        return "a process that has not told its number"


def _no_folder(state_dir: Path, error: OSError) -> LedgerError:
    return LedgerError(
        f"The state folder {state_dir} cannot be used: {error.strerror}.",
        remedy="Set state_dir (or VCONSOLE_STATE_DIR) to a folder you can write to.",
    )
