"""Tells in a worker whether a failure means that the machine had no more to give: memory, threads, open files."""

import errno
import threading
from contextlib import suppress

from pipeline.errors import SCARCE, JobError
from pipeline.model import FailureClass, Stage

TRIED_BYTES = 64 << 20
"""Memory that can be had unless it is short; FFmpeg also says that it is when a damaged file asks for far too much."""
_NO_THREAD = "can't start new thread"
_NO_MEMORY = ("insufficient memory", "failed to allocate", "out of memory", "bad_alloc")


def number_of(error: BaseException) -> int:
    """Return the system's error number behind an exception, 0 if there is none."""
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(error, RuntimeError) and _NO_THREAD in str(error):
        return errno.EAGAIN
    if type(error).__module__ == "cv2" and any(words in str(error).lower() for words in _NO_MEMORY):
        return errno.ENOMEM
    return (error.errno or 0) if isinstance(error, OSError) else 0


def shortage(number: int, stage: Stage, detail: str) -> JobError:
    """Return the failure of a job that met a shortage, which is not its own fault. `number` is in `SCARCE`."""
    assert number in SCARCE
    if number == errno.ENOMEM:
        sentence = "There was not enough memory."
        return JobError(FailureClass.OUT_OF_MEMORY, sentence, stage=stage, detail=detail, errno=number)
    sentence = "No further file could be opened or thread started."
    return JobError(FailureClass.IO, sentence, stage=stage, detail=detail, errno=number)


def refuse_shortage(error: Exception, stage: Stage) -> None:
    """Raise JobError if a decoder failed because memory or threads are short: then the file is not damaged."""
    number = number_of(error)
    if number in SCARCE and is_short(number):
        raise shortage(number, stage, repr(error)) from error


def is_short(number: int) -> bool:
    """Whether memory (ENOMEM) or threads (EAGAIN) are short right now: FFmpeg's word alone does not prove it."""
    with suppress(MemoryError, RuntimeError):
        if number == errno.ENOMEM:
            bytearray(TRIED_BYTES)
        else:
            threading.Thread(target=lambda: None, daemon=True).start()
        return False
    return True
