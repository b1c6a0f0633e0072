"""Opens the state folder: its lock, and the SQLite file in it with all that makes a commit durable."""

import fcntl
import json
import os
import socket
import sqlite3
import time
from contextlib import suppress
from importlib import resources
from pathlib import Path

import platformdirs

from pipeline.errors import EngineRunningError, LedgerError

SCHEMA_VERSION = 1
APPLICATION_ID = 0x76636F6E
LEDGER_NAME = "ledger.sqlite3"
LOCK_NAME = "lock"
BUSY_MS = 10_000
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
        raise LedgerError(
            f"The state folder {state_dir} cannot be used: {error.strerror}.",
            remedy="Set state_dir (or VCONSOLE_STATE_DIR) to a folder you can write to.",
        ) from error
    kind = filesystem_type(state_dir)
    if kind in NETWORK_FILESYSTEMS:
        raise LedgerError(
            f"The state folder {state_dir} is on a network file system ({kind}), where locks are not safe.",
            remedy="Set state_dir (or VCONSOLE_STATE_DIR) to a folder on a local disk.",
        )


class FolderLock:
    """An exclusive lock on the state folder, held by an open file: it ends with the process, however that ends."""

    def __init__(self, state_dir: Path) -> None:
        path = state_dir / LOCK_NAME
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 4096, 0)
            os.close(self._descriptor)
            raise EngineRunningError(
                f"Another vconsole holds {state_dir}: {_describe(holder)}.",
                remedy="Use that one, wait for it to end, or give this one a state_dir of its own.",
            ) from error
        holder = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since_s": time.time()}).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, holder, 0)

    def release(self) -> None:
        """Let another engine have the folder."""
        os.close(self._descriptor)


def is_held(state_dir: Path) -> bool:
    """Return whether an engine holds the state folder at this moment; changes nothing."""
    try:
        descriptor = os.open(state_dir / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _describe(holder: bytes) -> str:
    try:
        known = json.loads(holder)
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(known["since_s"]))
        return f"process {int(known['pid'])} on {known['host']!s}, since {since}"
    except (ValueError, KeyError, TypeError):
        return "a process that has not told its number"


def open_ledger(state_dir: Path) -> sqlite3.Connection:
    """Return the writer's connection; makes the ledger if there is none. Raises LedgerError."""
    path = state_dir / LEDGER_NAME
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
        _check(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if not _version(connection):
            _create(connection)
        path.chmod(0o600)
    except sqlite3.Error as error:
        raise _unusable(path, str(error)) from error
    return connection


def open_read_only(state_dir: Path) -> sqlite3.Connection:
    """Return a connection that only reads, beside an engine or without one. Raises LedgerError."""
    path = state_dir / LEDGER_NAME
    if not path.exists():
        raise LedgerError(f"There is no ledger in {state_dir}.", remedy="Nothing has been run with this state folder.")
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_MS / 1000)
        _check(connection, path, deep=False)
    except sqlite3.Error as error:
        raise _unusable(path, str(error)) from error
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check(connection: sqlite3.Connection, path: Path, *, deep: bool = True) -> None:
    """Refuse what is not ours, is newer than we are, or is damaged; the file is left as it is."""
    version = _version(connection)
    if version > SCHEMA_VERSION:
        raise LedgerError(
            f"The ledger {path} was written by a newer vconsole (schema {version}, this one knows {SCHEMA_VERSION}).",
            remedy="Use that version, or set state_dir to another folder.",
        )
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION_ID and (version or tables):
        raise _unusable(path, "it is a database of another program")
    if deep:
        verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if verdict != "ok":
            raise _unusable(path, str(verdict))


def _create(connection: sqlite3.Connection) -> None:
    schema = resources.files("pipeline.engine").joinpath("schema.sql").read_text(encoding="utf-8")
    connection.executescript(
        f"BEGIN IMMEDIATE; {schema} PRAGMA application_id = {APPLICATION_ID};"
        f" PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )


def _unusable(path: Path, why: str) -> LedgerError:
    return LedgerError(
        f"The ledger {path} cannot be trusted: {why}.",
        remedy=f"Move {path} and its -wal and -shm aside; outputs that are whole are adopted again by the next run.",
    )
