"""Asks a run's surroundings whether they are at fault, and whether a fault has passed; may wait for a disk."""

import errno
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress

from pipeline.engine.faults import Fault, Trouble
from pipeline.engine.limits import has_room
from pipeline.engine.scheduler import Report
from pipeline.engine.tuning import GIB, free_memory_bytes
from pipeline.engine.volumes import Volume, look_again, volume_gone
from pipeline.errors import SCARCE
from pipeline.model import FailureClass, RunKind, Stage
from pipeline.outputs.atomic import FULL, make_folder, remove_stale_parts
from pipeline.outputs.paths import part_path

PROBE_BYTES = 1 << 20
"""A volume that takes this much again counts as having room."""
MEMORY_ENOUGH_BYTES = GIB
ROOM_SHARE, ROOM_MORE_BYTES = 1.25, 4 << 20
"""Room that must be free after a volume was full: for a byte of the output that did not fit, and what was held back."""
DEVICE_ERRORS = frozenset({errno.ENXIO, errno.ENODEV, errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.EROFS})
"""Errors that no single file has: its volume is gone, or refuses."""


class Surroundings:
    """The volumes of one run as they were last seen to stand, and the questions that are asked about them."""

    def __init__(self, out: Volume, inputs: Sequence[Volume] = (), kind: RunKind = RunKind.EXTRACT) -> None:
        self._out = out
        self._kind = kind
        self._wanted_bytes = 0
        self._seen = {one.path: one for one in (*inputs, out)}
        self._inputs = tuple(one.path for one in inputs)

    @property
    def out_device(self) -> int:
        """Device number of the output folder: a worker writes to no other. 0 if it has not been seen to stand."""
        return self._seen[self._out.path].device

    def input_of(self, source: bytes) -> bytes:
        """Return the folder whose volume holds a source, empty if none does."""
        holding = [path for path in self._inputs if source.startswith(path.rstrip(b"/") + b"/")]
        return max(holding, key=len, default=b"")

    def prepare(self) -> Trouble | None:
        """See that all volumes stand, and remember them; make the output folder, or clear it of stale temporaries.

        Returns what the run must be held for, None if nothing.
        """
        must_stand = [*self._inputs, *([self._out.path] if self._out.filled else [])]
        if trouble := next((found for path in must_stand if (found := self._gone(path))), None):
            return trouble
        try:
            make_folder(self._out.path)
            remove_stale_parts(self._out.path, self._kind)
        except OSError as error:
            return trouble_of(error, self._out.path)
        return next((self._gone(path) for path in self._seen if not self._back(path)), None)

    def at_fault(self, report: Report, source: bytes, *, alone: bool) -> Trouble | None:
        """Return what in the surroundings explains that a job failed, None if that is its own.

        Where only an error number speaks for it, the job is tried once more `alone`, and then it is its own.
        """
        out, failure, number = self._out.path, report.failure, report.errno
        if number in SCARCE and failure is not FailureClass.OUT_OF_MEMORY:
            return Trouble(Fault.PROCESSES, why=os.strerror(number))
        if failure is FailureClass.OUT_OF_MEMORY:
            return None if memory_is_free() else Trouble(Fault.MEMORY)
        folder = self.input_of(source)
        found = (self._gone(folder) if folder else None) or self.out_trouble()
        if found is None and number in DEVICE_ERRORS and not alone:
            if report.stage is Stage.WRITE or not folder:
                return Trouble(Fault.OUT_REFUSES, out, os.strerror(number), sure=False)
            return Trouble(Fault.IN_GONE, folder, os.strerror(number), sure=False)
        return found

    def scan_trouble(self, number: int) -> Trouble | None:
        """Return why the inputs cannot be seen as they are, None if they can; `number` is the error met, 0 if none."""
        if number in SCARCE:
            return Trouble(Fault.PROCESSES, why=os.strerror(number))
        return next((trouble for folder in self._inputs if (trouble := self._gone(folder))), None)

    def out_trouble(self) -> Trouble | None:
        """Return why the output folder takes no file of PROBE_BYTES; quotas are met too, which free space hides."""
        out = self._out.path
        return self._gone(out) or write_trouble(out)

    def wants_room(self, written_bytes: int) -> None:
        """Remember at how many bytes an output filled the volume: the next attempt needs as much and more."""
        if written_bytes:
            self._wanted_bytes = max(self._wanted_bytes, int(ROOM_SHARE * written_bytes) + ROOM_MORE_BYTES)

    def has_passed(self, trouble: Trouble) -> bool:
        """Whether a fault is over; what can only be tried (workers, processes) is when this process has room."""
        match trouble.fault:
            case Fault.OUT_FULL | Fault.OUT_GONE | Fault.OUT_REFUSES:
                stands = self._back(self._out.path) if self.out_device else self.prepare() is None
                if not stands or self.out_trouble() is not None:
                    return False
                full = trouble.fault is Fault.OUT_FULL
                return not full or shutil.disk_usage(self._out.path).free >= self._wanted_bytes
            case Fault.IN_GONE:
                return self._back(trouble.where)
            case Fault.MEMORY:
                return memory_is_free()
            case Fault.PROCESSES:
                return has_room()
            case _:
                return True

    def _gone(self, path: bytes) -> Trouble | None:
        volume = self._seen[path]
        why = volume_gone(path, volume.device, filled=volume.filled)
        return Trouble(Fault.OUT_GONE if path == self._out.path else Fault.IN_GONE, path, why) if why else None

    def _back(self, path: bytes) -> bool:
        """Whether a volume stands; one that was mounted again is known by its new number from now on."""
        now = look_again(self._seen[path])
        if now:
            self._seen[path] = now
        return now is not None


def write_trouble(out: bytes) -> Trouble | None:
    """Return why no file of PROBE_BYTES can be written into the folder `out`, None if one can."""
    path = part_path(os.path.join(out, b"room"))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            written = os.write(descriptor, b"\1" * PROBE_BYTES)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            with suppress(OSError):
                os.unlink(path)
    except OSError as error:
        return trouble_of(error, out)
    return None if written == PROBE_BYTES else Trouble(Fault.OUT_FULL, out)


def trouble_of(error: OSError, out: bytes) -> Trouble:
    """Return what an error that was met while writing into `out` says of the surroundings."""
    why = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in FULL:
        return Trouble(Fault.OUT_FULL, out)
    if error.errno in SCARCE:
        return Trouble(Fault.PROCESSES, why=why)
    return Trouble(Fault.OUT_REFUSES, out, why)


def memory_is_free() -> bool:
    """Whether there is as much memory as a worker may need."""
    return free_memory_bytes() >= MEMORY_ENOUGH_BYTES
