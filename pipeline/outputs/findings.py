"""What can be wrong with a file of an output folder."""

import os
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What is wrong with one file of an output folder."""

    MISSING = "missing"
    KIND = "not a plain file"
    SIZE = "size differs"
    CHECKSUM = "checksum differs"
    UNREADABLE = "unreadable"
    TEMPORARY = "unexpected temporary file"
    UNKNOWN = "file without row"


LEFT_BEHIND = frozenset({Fault.TEMPORARY, Fault.UNKNOWN})
"""Faults that are a file too many: nothing has to be made again for them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `path` is relative to the output folder."""

    fault: Fault
    path: bytes
    message: str
    relative: bytes = b""
    """The video whose output it is; empty if it is no video's."""


def fault_of(error: OSError) -> tuple[Fault, str]:
    """Return what an error at reading an output says of it."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Fault.MISSING, "It is not there."
    return Fault.UNREADABLE, f"{os.strerror(error.errno or 0)}."
