"""The seal of a ledger that was closed well: a checksum beside it, by which any later change of its file is found.

SQLite checks how its pages hang together, not what the rows say: a byte that flips inside a row passes. An engine lifts
the seal before it writes anything and puts a new one when all is in the file again, so a crash leaves none.
"""

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path

SEAL_NAME = "ledger.seal"
_WHOLE = re.compile(r"sha256 [0-9a-f]{64}\n")


def seal_of(ledger: Path) -> str:
    """Return the seal beside a ledger, empty if there is none or only a part of one. Raises OSError."""
    with suppress(FileNotFoundError, UnicodeDecodeError):
        text = _beside(ledger).read_text(encoding="ascii")
        return text if _WHOLE.fullmatch(text) else ""
    return ""


def is_broken(ledger: Path) -> bool:
    """Return whether a ledger is sealed and not the file that was sealed. Raises OSError.

    An engine that lifts the seal meanwhile is no break: it does so before it changes the file.
    """
    seal = seal_of(ledger)
    return bool(seal) and _digest(ledger) != seal and seal_of(ledger) == seal


def put_seal(ledger: Path) -> None:
    """Seal a ledger; nothing may write to it from now on. Raises OSError."""
    _write(ledger, _digest(ledger))


def lift_seal(ledger: Path) -> None:
    """Take the seal off before the ledger is written to; it does not come back by a loss of power. Raises OSError."""
    if seal_of(ledger):
        _write(ledger, "")


def _beside(ledger: Path) -> Path:
    return ledger.with_name(SEAL_NAME)


def _digest(ledger: Path) -> str:
    with ledger.open("rb") as file:
        return f"sha256 {hashlib.file_digest(file, 'sha256').hexdigest()}\n"


def _write(ledger: Path, text: str) -> None:
    descriptor = os.open(_beside(ledger), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, text.encode("ascii"))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
