"""Opens and closes the ledger's SQLite file: refuses what cannot be trusted, and makes every commit durable."""

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib import resources
from pathlib import Path

from pipeline.engine.seal import SEAL_NAME, is_broken, lift_seal, put_seal, seal_of
from pipeline.errors import LedgerError

SCHEMA_VERSION = 2
CHANGES: dict[int, tuple[str, ...]] = {
    1: (
        "ALTER TABLE jobs ADD COLUMN division TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE attempts ADD COLUMN chunk INTEGER NOT NULL DEFAULT -1",
    )
}
"""What brings a ledger of each older version to the next; tables that are new are made as in the schema."""
_NEW_TABLES = {"chunks": 1}
"""Tables that came after this version."""
APPLICATION_ID = 0x76636F6E
LEDGER_NAME = "ledger.sqlite3"
BUSY_MS = 10_000
WAL_INDEX_BYTES = 136
"""Size of the header of the index of the write-ahead log."""
FULL, BUSY, IO_ERROR = "SQLITE_FULL", "SQLITE_BUSY", "SQLITE_IOERR"
REMEDIES = {
    FULL: "Free space in {folder}.",
    BUSY: "Another program holds it: end that.",
    IO_ERROR: "Check the disk of {folder}, and that it has room.",
    **dict.fromkeys(
        ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM"), "Check the permissions of {folder} and the files in it."
    ),
}
"""What to do about the errors of SQLite that speak of the surroundings; every other means damage."""


def open_ledger(state_dir: Path) -> sqlite3.Connection:
    """Return the writer's connection; makes the ledger if there is none. Raises LedgerError."""
    path = state_dir / LEDGER_NAME
    with _refusing(path):
        if path.exists() and not path.with_name(f"{path.name}-journal").exists():  # a journal: killed while it was made
            deep = not (seal_of(path) and _is_empty(_wal_of(path)))
            _open_checked(path, deep=deep).close()  # a connection that may write changes the file when it is closed
        connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
        with _closed_on_error(connection):
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            lift_seal(path)
            version = _version(connection)
            if not version:
                _create(connection)
            elif version < SCHEMA_VERSION:
                _back_up(connection, path, version)
                _renew(connection, version)
            path.chmod(0o600)
    return connection


def close_ledger(connection: sqlite3.Connection, state_dir: Path) -> None:
    """Close the writer's connection, and seal the ledger if all of it is in its file; without, it is only checked."""
    with suppress(sqlite3.Error, OSError):
        _, frames, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if frames == copied:
            put_seal(state_dir / LEDGER_NAME)
    connection.close()


def abandon_ledger(connection: sqlite3.Connection, state_dir: Path) -> None:
    """Close the writer's connection to a ledger that failed, and leave its files as they are.

    SQLite clears up when the last connection is closed, unless that one can only read.
    """
    with suppress(sqlite3.Error), closing(_connected(state_dir / LEDGER_NAME)) as last:
        _version(last)
        connection.close()
    connection.close()


def open_read_only(state_dir: Path) -> sqlite3.Connection:
    """Return a connection that only reads, beside an engine or without one. Raises LedgerError."""
    path = state_dir / LEDGER_NAME
    nothing = LedgerError(f"There is no ledger in {state_dir}.", remedy="Nothing has been run with this state folder.")
    if not path.exists():
        raise nothing
    with _refusing(path):
        connection = _open_checked(path, deep=False)
        with _closed_on_error(connection):
            version = _version(connection)
            if not version:
                raise nothing
            if version < SCHEMA_VERSION:
                raise LedgerError(
                    f"The ledger {path} is of an older vconsole (schema {version}, this one has {SCHEMA_VERSION}).",
                    remedy="Start vconsole once: the ledger is brought up to date, and a copy of it is kept.",
                )
    return connection


def _open_checked(path: Path, *, deep: bool) -> sqlite3.Connection:
    connection = _connected(path)
    with _closed_on_error(connection):
        _check(connection, path, deep=deep)
    return connection


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_MS / 1000)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Look at the files of a ledger before SQLite does, which would cover the traces; turn its errors into ours."""
    try:
        if _lacks_wal(path):
            raise untrusted(path, f"{path.name}-wal, which held its newest rows, is gone")
        if _is_empty(path) and not _is_empty(_wal_of(path)):
            raise untrusted(path, f"it is empty or gone, but {path.name}-wal is not")
        if path.exists() and not path.is_file():
            raise untrusted(path, "it is not a file")
        if path.exists() and is_broken(path):
            raise untrusted(
                path, f"it is not as it was when it was closed (remove {SEAL_NAME} if you changed it yourself)"
            )
        yield
    except OSError as error:
        raise LedgerError(
            f"The ledger {path} cannot be opened: {error.strerror}.", remedy=f"Check {path.parent} and its disk."
        ) from error
    except sqlite3.Error as error:
        raise ledger_error(path, error) from error
    except UnicodeDecodeError as error:  # Python's module cannot pass on a message that quotes a damaged name
        raise untrusted(path, "its schema is damaged") from error


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _lacks_wal(path: Path) -> bool:
    """Whether the index of the write-ahead log (-shm) tells of commits that are in no file.

    A crash leaves both files and SQLite removes the index first, so that one alone means that the log was removed by
    someone else. Offsets are those of SQLite's file format: mxFrame, nBackfill.
    """
    if _wal_of(path).exists():
        return False
    try:
        index = path.with_name(f"{path.name}-shm").read_bytes()
    except FileNotFoundError:
        return False
    if len(index) < WAL_INDEX_BYTES:
        return False
    written, copied = struct.unpack_from("=I", index, 16)[0], struct.unpack_from("=I", index, 96)[0]
    return bool(written > copied)


def _wal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _is_empty(path: Path) -> bool:
    return not (path.exists() and path.stat().st_size)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check(connection: sqlite3.Connection, path: Path, *, deep: bool) -> None:
    """Refuse what is not ours, is newer than we are, or is damaged; the file is left as it is.

    The deep check, of a ledger without a seal, is the whole integrity_check: quick_check takes half as long (0.16 s
    instead of 0.33 s for 100,000 jobs) but does not compare rows with their indexes, and by a wrong index a video would
    be taken for a new one.
    """
    version = _version(connection)
    if version > SCHEMA_VERSION:
        raise LedgerError(
            f"The ledger {path} was written by a newer vconsole (schema {version}, this one knows {SCHEMA_VERSION}).",
            remedy="Use that version, or set state_dir to another folder.",
        )
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if application != APPLICATION_ID and (version or tables):
        raise untrusted(path, "it is a database of another program")
    if _columns(connection) != (_own_columns(version) if version else set()):
        raise untrusted(path, "its tables are not those of its version")
    if deep:
        verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if verdict != "ok":
            raise untrusted(path, str(verdict))


def _columns(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    query = (
        "SELECT tables.name, columns.name FROM sqlite_master tables JOIN pragma_table_info(tables.name) columns"
        " WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'"
    )
    return set(map(tuple, connection.execute(query)))


def _own_columns(version: int) -> set[tuple[str, str]]:
    """Return the columns of a ledger of this version: those of today without what was added since."""
    with closing(sqlite3.connect(":memory:")) as model:
        model.executescript(_schema())
        columns = _columns(model)
    for change in (change for since, changes in CHANGES.items() if since >= version for change in changes):
        words = change.split()
        columns.discard((words[2], words[5]))
    return {column for column in columns if version > _NEW_TABLES.get(column[0], 0)}


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Keep a copy of the ledger as it is before its schema changes."""
    copy = path.with_name(f"{path.name}.schema-{version}")
    copy.unlink(missing_ok=True)
    with closing(sqlite3.connect(copy)) as target:
        connection.backup(target)
    copy.chmod(0o600)


def _renew(connection: sqlite3.Connection, version: int) -> None:
    """Bring the schema up to date, all of it or nothing."""
    made = [statement for statement in _schema().split(";") if _is_new(statement, version)]
    changes = [change for since, some in CHANGES.items() if since >= version for change in some]
    script = "; ".join(["BEGIN IMMEDIATE", *changes, *made, f"PRAGMA user_version = {SCHEMA_VERSION}", "COMMIT;"])
    connection.executescript(script)


def _is_new(statement: str, version: int) -> bool:
    return any(f"CREATE TABLE {table} " in statement for table, since in _NEW_TABLES.items() if since >= version)


def _schema() -> str:
    return resources.files("pipeline.engine").joinpath("schema.sql").read_text(encoding="utf-8")


def _create(connection: sqlite3.Connection) -> None:
    connection.executescript(
        f"BEGIN IMMEDIATE; {_schema()} PRAGMA application_id = {APPLICATION_ID};"
        f" PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )


def error_name(error: sqlite3.Error) -> str:
    """Return SQLite's name of an error, empty for one that Python's own module raised (text that is not UTF-8, say)."""
    return str(getattr(error, "sqlite_errorname", ""))


def ledger_error(path: Path, error: sqlite3.Error) -> LedgerError:
    """Return what to tell of an error of the database: the ledger is damaged, or it cannot be had at the moment."""
    name = error_name(error)
    for start, remedy in REMEDIES.items():
        if name.startswith(start):
            return LedgerError(f"The ledger {path} cannot be used: {error}.", remedy=remedy.format(folder=path.parent))
    return untrusted(path, str(error))


def untrusted(path: Path, why: str) -> LedgerError:
    """Return the refusal of a ledger that is damaged or not ours."""
    return LedgerError(
        f"The ledger {path} cannot be trusted: {why}.",
        remedy=f"Move the files ledger.* in {path.parent} aside; outputs that are whole are adopted by the next run.",
    )
