"""The tree of errors.

VconsoleError               a sentence for the operator, and what to do about it
|-- SettingsError           a setting, preset or command line that cannot be used
|-- MissingWeightsError     a model whose weights are not on this machine
|-- LedgerError             the ledger cannot be opened or trusted
|   `-- EngineRunningError  another engine holds the state folder
|-- WireError               a peer sent what is not a message
`-- JobError                one attempt at one job failed: stage, class, retry or not

Each `JobError` carries its `FailureClass`; `RETRY` says which classes are tried again by themselves.
"""

import errno
from typing import Any

from pipeline.model import FailureClass, RunKind, Stage


class VconsoleError(Exception):
    """An error with a sentence for the operator (`str(error)`) and a `remedy`: what to do about it."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class SettingsError(VconsoleError):
    """A setting, preset or command line that cannot be used; the message names file and key."""


class MissingWeightsError(VconsoleError):
    """A model whose weights are not on this machine."""


class LedgerError(VconsoleError):
    """The ledger cannot be opened or trusted."""


class EngineRunningError(LedgerError):
    """Another engine holds the state folder; the message names the holder."""


class WireError(VconsoleError):
    """A peer sent bytes that are not a message, or a message above the cap."""


RETRY = frozenset(
    {
        FailureClass.IO,
        FailureClass.STALLED,
        FailureClass.OUT_OF_MEMORY,
        FailureClass.WORKER_CRASHED,
        FailureClass.MODEL,
        FailureClass.PROTOCOL,
        FailureClass.CHANGED,
        FailureClass.DISK_FULL,
    }
)
"""Classes that may pass by themselves; bad input (corrupt, unsupported, empty ...) is never tried again."""

SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM})
"""Errors that say this process or this machine has no more to give: nothing that was asked for is to blame."""

REMEDIES: dict[FailureClass, str] = {
    FailureClass.CORRUPT: "Copy or download the file again, or repair it with a transcode.",
    FailureClass.UNSUPPORTED: "Transcode it to H.264 in MP4; this build of FFmpeg has no decoder for it.",
    FailureClass.EMPTY: "Nothing to do: the file holds no picture.",
    FailureClass.IO: "Check the disk, the mount and the permissions, then retry.",
    FailureClass.TIMEOUT: "Raise engine.job_timeout_s, or set it to 0 for no limit, then retry.",
    FailureClass.STALLED: "Retry; if it stalls again, the file or its disk hangs the decoder.",
    FailureClass.OUT_OF_MEMORY: "Use fewer workers or a smaller host.batch_size; raise engine.worker_memory_cap_gb.",
    FailureClass.WORKER_CRASHED: "The decoder crashed on this file; transcode it, or report it.",
    FailureClass.MODEL: "Check the model with `vconsole models list`, then retry.",
    FailureClass.SETTINGS: "Change the setting named in the message, then retry.",
    FailureClass.DISK_FULL: "Free space on the output volume; the run goes on by itself.",
    FailureClass.PROTOCOL: "Retry; if it comes again, report it with the log.",
    FailureClass.TOO_LARGE: "Raise probe.max_pixels if the picture really is that large.",
    FailureClass.ENCRYPTED: "Decrypt the file first; there is no key for it here.",
    FailureClass.CHANGED: "Wait until the file is no longer written to, then retry.",
}
"""What to do about each class of failure."""


_TRANSCODE_REMEDIES = {
    FailureClass.CORRUPT: "Copy or download the file again, or keep what decodes of it with transcode.salvage.",
    FailureClass.UNSUPPORTED: "This build of FFmpeg cannot read it, or the container cannot hold it: see the message.",
    FailureClass.OUT_OF_MEMORY: "Use fewer workers; raise engine.worker_memory_cap_gb.",
    FailureClass.WORKER_CRASHED: "The decoder or encoder crashed on this file; try another encoder, or report it.",
}


def remedy_of(failure: FailureClass, kind: RunKind) -> str:
    """Return what to do about a class of failure in a run of `kind`."""
    return (_TRANSCODE_REMEDIES if kind is RunKind.TRANSCODE else {}).get(failure, REMEDIES[failure])


class JobError(VconsoleError):
    """One attempt at one job failed.

    `stage` is where, `failure` the class, `detail` the technical text (untrusted: show it only as outside text),
    `errno` the system's error number that caused it, 0 if none did. `crash` says that a process ended of this video,
    as a worker does that crashes on it. `seen` is what its header told of the video by then, in the words of a
    worker's result.
    """

    def __init__(
        self,
        failure: FailureClass,
        message: str,
        *,
        stage: Stage | None = None,
        detail: str = "",
        errno: int = 0,
        crash: bool = False,
    ) -> None:
        super().__init__(message, remedy=REMEDIES[failure])
        self.failure = failure
        self.stage = stage
        self.detail = detail
        self.errno = errno
        self.crash = crash
        self.seen: dict[str, Any] = {}

    @property
    def retry(self) -> bool:
        """Whether this class of failure may pass by itself."""
        return self.failure in RETRY

    def to_message(self) -> dict[str, Any]:
        """Return the fields that cross a process border."""
        return {
            "class": str(self.failure),
            "message": str(self),
            "stage": str(self.stage) if self.stage else None,
            "detail": self.detail,
            "errno": self.errno,
            "crash": self.crash,
        }
