"""Tells the failures of a forward pass apart without importing torch."""

from enum import Enum

_MEMORY_TEXTS = (
    "out of memory", "can't allocate memory", "cannot allocate memory", "alloc_failed",
    "failed to allocate memory", "bad_alloc",
)  # fmt: skip
_DEVICE_TEXTS = ("cuda error", "cudnn error", "cublas_status", "device-side assert", "cuda-capable device")


class Fault(Enum):
    """What a failed forward pass means."""

    MEMORY = "memory"
    """Fewer pictures may fit."""
    DEVICE = "device"
    """The CUDA context is poisoned: nothing works in this process any more."""
    INPUT = "input"
    """Some picture of the batch is to blame."""


def fault_of(error: BaseException) -> Fault:
    """Return what `error`, raised by a forward pass, means; told by the names of its classes and by its text."""
    names = {kind.__name__ for kind in type(error).__mro__}
    text = str(error).lower()
    if names & {"OutOfMemoryError", "MemoryError"} or any(part in text for part in _MEMORY_TEXTS):
        return Fault.MEMORY
    if "AcceleratorError" in names or any(part in text for part in _DEVICE_TEXTS):
        return Fault.DEVICE
    return Fault.INPUT
