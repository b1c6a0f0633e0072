"""The video of one job, held open so that every stage reads one and the same file, and watched for changes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pipeline.boundary import failure_of
from pipeline.errors import JobError
from pipeline.identity import Identity, identity_of, open_regular
from pipeline.model import FailureClass, Stage

_CHANGED = "The file changed while it was read."

_OF_INPUT = frozenset({FailureClass.CORRUPT, FailureClass.UNSUPPORTED, FailureClass.EMPTY, FailureClass.IO})
"""What it can look like when a file changes while it is read."""


class HeldVideo:
    """A file that discovery saw with `identity`; `path` is what the stages open."""

    def __init__(self, source: bytes, identity: Identity) -> None:
        self._source, self._identity = source, identity
        self.path = source

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it open meanwhile: a name that leads to another file and back cannot mix the two.

        Raises JobError (changed) and OSError.
        """
        with suppress(OSError):
            now = identity_of(os.stat(self._source))
            if now[1:] == self._identity[1:]:
                self._identity = now  # a volume that was mounted again may have another device number
        self.check()
        descriptor = open_regular(self._source)
        try:
            if identity_of(os.fstat(descriptor)) != self._identity:
                raise JobError(FailureClass.CHANGED, _CHANGED)
            held = b"/proc/self/fd/%d" % descriptor
            self.path = held if os.path.exists(held) else self._source
            yield
        finally:
            os.close(descriptor)

    def check(self) -> None:
        """Raise JobError (changed; io where it cannot be told) if this is no longer the file that discovery saw."""
        failure = self.changed()
        if failure:
            raise failure

    def failure(self, error: Exception, stage: Stage) -> JobError:
        """Return the failure that an exception in `stage` comes to: what looks like bad input may be a change of it."""
        failure = failure_of(error, stage)
        if failure.failure in _OF_INPUT:
            failure = self.changed() or failure
        failure.stage = failure.stage or stage
        return failure

    def changed(self) -> JobError | None:
        """Return the failure to tell if the source is no longer that file, or cannot be asked."""
        try:
            if identity_of(os.stat(self._source)) == self._identity:
                return None
        except FileNotFoundError:
            return JobError(FailureClass.CHANGED, "The file is no longer there.")
        except OSError as error:
            return failure_of(error, Stage.PROBE)
        return JobError(FailureClass.CHANGED, _CHANGED)
