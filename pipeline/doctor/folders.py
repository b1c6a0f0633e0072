"""Looks at the state folder and the output folder: may we write there, is there room, how fast is the disk."""

import os
import statistics
import tempfile
import time
from pathlib import Path

from pipeline.engine.folder import NETWORK_FILESYSTEMS, filesystem_type, holder
from pipeline.engine.reader import LedgerReader
from pipeline.engine.store import LEDGER_NAME
from pipeline.errors import LedgerError
from pipeline.health import Check, Grade
from pipeline.text import plural

STATE, OUTPUT = "state folder", "output folder"
MIB, GIB = 1 << 20, 1 << 30
TRIAL_BYTES = 64 * MIB
"""What a disk is tried with; the file has no name, so nothing is left of it whatever happens."""
TRIAL_S = 5.0
"""How long a slow disk is written to at most."""
FLUSHES = 8
SLOW_BYTES_PER_S = 20 * MIB
SLOW_FLUSH_S = 0.1
LOW_BYTES = {STATE: GIB, OUTPUT: 5 * GIB}
"""Free space below which a folder gets a warning."""
FULL_BYTES = 100 * MIB
"""Free space below which a run would be held at once."""
OTHER = {
    STATE: "Set state_dir (or VCONSOLE_STATE_DIR) to a folder of yours on a local disk.",
    OUTPUT: "Choose another output folder, or change its permissions.",
}


def state(folder: str) -> list[Check]:
    """Return whether the state folder can serve, who holds it, and whether its ledger opens."""
    checks = [_place(STATE, Path(folder))]
    if checks[0].verdict is Grade.FAULT:
        return checks
    kind = filesystem_type(_nearest(Path(folder)))
    if kind in NETWORK_FILESYSTEMS:
        found = f"{kind}, a network file system, where locks are not safe"
        checks.append(Check(STATE, "file system", Grade.FAULT, found, OTHER[STATE]))
    elif kind in {"tmpfs", "ramfs"}:
        found = f"{kind}: what is kept here is gone when the machine restarts"
        checks.append(Check(STATE, "file system", Grade.WARNING, found, OTHER[STATE]))
    else:
        checks.append(Check(STATE, "file system", Grade.OK, kind or "unknown"))
    return [*checks, _lock(Path(folder)), _ledger(Path(folder))]


def output(folder: str, state_folder: str) -> list[Check]:
    """Return whether the output folder `folder` can serve, or the one of the last run where none is given."""
    where = Path(folder) if folder else _last_output(Path(state_folder))
    if where is None:
        return [Check(OUTPUT, "place", Grade.OK, "none yet; `vconsole doctor --out DIR` looks at one")]
    place = _place(OUTPUT, where)
    if place.verdict is Grade.FAULT:
        return [place]
    kind = filesystem_type(_nearest(where)) or "unknown"
    return [place, Check(OUTPUT, "file system", Grade.OK, kind), *disk(OUTPUT, os.fspath(where))]


def disk(group: str, folder: str) -> list[Check]:
    """Return the room on the disk of a folder, and how fast a file is written there, flushed and read again."""
    try:
        where = _nearest(Path(folder))
        status = os.statvfs(where)
    except OSError as error:
        return [Check(group, "space", Grade.FAULT, f"{folder}: {error.strerror}", OTHER[group])]
    free, total = status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize
    found = f"{free / GIB:.1f} of {total / GIB:.1f} GiB free"
    if free < FULL_BYTES:
        return [Check(group, "space", Grade.FAULT, found, "Free space there, or choose another folder.")]
    low = free < LOW_BYTES[group]
    space = Check(group, "space", Grade.WARNING if low else Grade.OK, found, "Free space there." if low else "")
    if not os.access(where, os.W_OK):
        return [space]
    try:
        return [space, _speed(group, where, min(TRIAL_BYTES, free // 4))]
    except OSError as error:
        return [
            space,
            Check(group, "disk", Grade.FAULT, f"a file of trial failed: {error.strerror}", "Check the disk."),
        ]


def _place(group: str, folder: Path) -> Check:
    """Return whether a folder is there and ours to write to, or can be made."""
    try:
        nearest = _nearest(folder)
        is_folder, ours = nearest.is_dir(), os.access(nearest, os.R_OK | os.W_OK | os.X_OK)
        foreign = group == STATE and nearest == folder and os.geteuid() not in (0, nearest.stat().st_uid)
    except OSError as error:
        return Check(group, "place", Grade.FAULT, f"{folder}: {error.strerror}", OTHER[group])
    if not is_folder:
        return Check(group, "place", Grade.FAULT, f"{nearest} is not a folder", OTHER[group])
    if not ours:
        return Check(group, "place", Grade.FAULT, f"{nearest} cannot be written to", OTHER[group])
    if foreign:
        return Check(group, "place", Grade.FAULT, f"{folder} belongs to another user", OTHER[group])
    return Check(group, "place", Grade.OK, f"{folder}{'' if nearest == folder else ', made when it is needed'}")


def _lock(folder: Path) -> Check:
    try:
        held_by = holder(folder) or "nobody"
    except OSError as error:
        return Check(STATE, "lock", Grade.FAULT, f"it cannot be opened: {error.strerror}", OTHER[STATE])
    ours = held_by.startswith(f"process {os.getppid()} ")
    return Check(STATE, "lock", Grade.OK, "held by this console" if ours else f"held by {held_by}")


def _ledger(folder: Path) -> Check:
    if not (folder / LEDGER_NAME).exists():
        return Check(STATE, "ledger", Grade.OK, "none yet; the first run makes it")
    try:
        with LedgerReader.read_only(folder) as ledger:
            runs = len(ledger.runs())
    except LedgerError as error:
        return Check(STATE, "ledger", Grade.FAULT, str(error), error.remedy)
    return Check(STATE, "ledger", Grade.OK, f"opens, {plural(runs, 'run')}" if runs < 100 else "opens, many runs")


def _last_output(state_folder: Path) -> Path | None:
    try:
        with LedgerReader.read_only(state_folder) as ledger:
            runs = ledger.runs(limit=1)
    except LedgerError:
        return None  # the line of the ledger tells why
    return Path(os.fsdecode(runs[0].out)) if runs else None


def _nearest(folder: Path) -> Path:
    """Return the folder, or the one above it that is there. Raises OSError."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _speed(group: str, folder: Path, size: int) -> Check:
    """Write, flush and read a file. Raises OSError."""
    block = os.urandom(MIB)
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        began_s = time.monotonic()
        written = 0
        while written < size and time.monotonic() - began_s < TRIAL_S:
            written += file.write(block)
        os.fsync(file.fileno())
        write_rate = written / (time.monotonic() - began_s)
        flush_s = statistics.median(_flush(file.fileno()) for _ in range(FLUSHES))
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        file.seek(0)
        began_s = time.monotonic()
        while file.read(MIB):
            pass
        read_rate = written / max(1e-9, time.monotonic() - began_s)
    found = (
        f"writes {write_rate / 1e6:,.0f} MB/s, reads {read_rate / 1e6:,.0f} MB/s, flushes in {1000 * flush_s:.1f} ms"
    )
    if min(write_rate, read_rate) < SLOW_BYTES_PER_S or flush_s > SLOW_FLUSH_S:
        return Check(group, "disk", Grade.WARNING, found, "A faster disk for this folder would speed runs up.")
    return Check(group, "disk", Grade.OK, found)


def _flush(descriptor: int) -> float:
    """Return how long it takes to change a page and have it on the disk, as the ledger does with each change."""
    began_s = time.monotonic()
    os.pwrite(descriptor, os.urandom(4096), 0)
    os.fsync(descriptor)
    return time.monotonic() - began_s
