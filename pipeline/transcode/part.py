"""The file that a muxer writes: flushed bit by bit, and alive at every write while its end is written."""

import os
from collections.abc import Callable
from types import TracebackType

from pipeline.progress import Tick, no_tick

BUFFER_BYTES = 1 << 20
"""What a muxer writes at once."""
_FLUSH_BYTES = 256 << 20
"""So much is written before it is flushed, so that the last flush, which tells nothing, is a short one."""


class PartFile:
    """Use as a context manager; FFmpeg takes it for a file, and opens the same again by its `name` to read in it."""

    def __init__(self, path: bytes) -> None:
        """Open the file at `path`, which is there. Raises OSError."""
        self.name = os.fsdecode(path)
        self.closed = False
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._unflushed = 0
        self._tick: Tick = no_tick
        self._raised: BaseException | None = None

    def __enter__(self) -> "PartFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed = True  # A container that is thrown away writes no end to a file that says so.
        os.close(self._descriptor)

    def write(self, data: bytes) -> int:
        """Write all of `data`. Raises OSError."""
        try:
            self._tick()
        except BaseException as error:
            self._raised = error
            raise OSError("stopped") from error  # FFmpeg's way back lets nothing else through.
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._unflushed += len(data)
        if self._unflushed >= _FLUSH_BYTES:
            os.fdatasync(self._descriptor)
            self._unflushed = 0
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place and return it. Raises OSError."""
        return os.lseek(self._descriptor, offset, whence)

    def tell(self) -> int:
        """Return the place. Raises OSError."""
        return os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def end(self, close: Callable[[], None], tick: Tick) -> None:
        """Have `close` write the rest; `tick` is called at each write, and what it raises stops that and is raised.

        An index that is put at the front moves all that was written before, which takes its time.
        """
        self._tick = tick
        try:
            close()
        except Exception:
            if self._raised is not None:
                raise self._raised from None
            raise
        finally:
            self._tick = no_tick
