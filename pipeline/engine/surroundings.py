"""Faults that are not a video's: what they are called, and whether they have passed."""

import os
from contextlib import suppress

from pipeline.engine.tuning import GIB, free_memory_bytes
from pipeline.model import FailureClass
from pipeline.outputs.paths import part_path

PROBE_BYTES = 1 << 20
"""A volume that takes this much again counts as having room."""
MEMORY_ENOUGH_BYTES = GIB

SENTENCES = {
    FailureClass.DISK_FULL: "The output volume is full. Free space on it; the run goes on by itself.",
    FailureClass.OUT_OF_MEMORY: "Memory ran out. The run goes on by itself when some is free; fewer workers need less.",
    FailureClass.MODEL: "The model host is down. The run goes on by itself when it is back.",
}
"""Why a run is held up, and what to do about it."""


def volume_takes_writes(out: bytes) -> bool:
    """Whether a file of PROBE_BYTES can be written into `out`; quotas are met too, which free space does not show."""
    path = part_path(os.path.join(out, b"room"))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        os.write(descriptor, b"\1" * PROBE_BYTES)
        os.fsync(descriptor)
        return os.fstat(descriptor).st_size == PROBE_BYTES
    except OSError:
        return False
    finally:
        os.close(descriptor)
        with suppress(OSError):
            os.unlink(path)


def has_passed(fault: FailureClass, out: bytes, *, host_ready: bool) -> bool:
    """Whether the fault that holds up a run is over; may wait for a disk, so not to be called on the loop."""
    if fault is FailureClass.DISK_FULL:
        return volume_takes_writes(out)
    if fault is FailureClass.OUT_OF_MEMORY:
        return free_memory_bytes() >= MEMORY_ENOUGH_BYTES
    return host_ready
