"""The exit codes of the program."""

from enum import IntEnum


class Exit(IntEnum):
    """What an exit code says."""

    OK = 0
    SOME_FAILED = 1
    """Finished, but some videos failed, the engine could go no further, or the doctor found a fault."""
    UNUSABLE = 2
    """Bad usage, bad settings, a missing model or a ledger that cannot be had; nothing was done."""
    INTERRUPTED = 130
    """Stopped by a signal; what is done is kept."""
