"""A child program of the engine: a process group of its own and one socket of capped messages."""

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from pipeline import wire
from pipeline.engine.limits import need_room
from pipeline.errors import WireError

STDERR_KEPT_BYTES = 4096
"""How much of the end of a child's standard error is kept to explain its death."""
TURN_S = 0.005
"""How long the messages of one child are taken before others have their turn: what is read already does not wait."""
LINGER_S = 2.0
"""How long a child that has closed its socket may take to end by itself."""


MEMORY_ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": str(1 << 20)}
"""Keeps glibc from raising this threshold by itself, so that the memory of a freed picture goes back at once."""


@dataclass(frozen=True, slots=True)
class Death:
    """How a child ended. `signal_name` is empty if it exited; `broken` says what was not a message."""

    code: int
    signal_name: str
    broken: str
    said: str
    """The end of its standard error: untrusted."""

    def __str__(self) -> str:
        return f"killed by {self.signal_name}" if self.signal_name else f"exit code {self.code}"

    @property
    def from_outside(self) -> bool:
        """Whether a signal ended it that no fault of its own raises: kill -9, or the kernel short of memory."""
        return self.signal_name in {"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"}


class Child:
    """A running child program. `on_message` and `on_end` are called on the loop; `on_end` once, when it is gone."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        stderr: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_message: Callable[[wire.Message], None],
        on_end: Callable[[Death], None],
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._stderr = stderr
        self._reader = reader
        self._writer = writer
        self._on_message = on_message
        self._on_end = on_end
        self._said = b""
        self._gauge: psutil.Process | None = None
        os.set_blocking(stderr, False)
        asyncio.get_running_loop().add_reader(stderr, self._listen_stderr)
        self.ended = asyncio.create_task(self._live())

    @staticmethod
    async def spawn(
        command: Sequence[str],
        *,
        on_message: Callable[[wire.Message], None],
        on_end: Callable[[Death], None],
        environment: Mapping[str, str] | None = None,
    ) -> "Child":
        """Start `command --fd N`, with `environment` added to ours. Raises OSError if it cannot be started."""
        need_room()
        ours, theirs = socket.socketpair()
        stderr, stderr_end = -1, -1
        try:
            stderr, stderr_end = os.pipe()
            process = await asyncio.create_subprocess_exec(
                *command,
                "--fd",
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=stderr_end,
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
                env={**MEMORY_ENVIRONMENT, **os.environ, **(environment or {})},
            )
        except RuntimeError as error:  # asyncio has a thread wait for each child
            ours.close()
            os.close(stderr)
            raise OSError(errno.EAGAIN, str(error)) from error
        except BaseException:
            ours.close()
            if stderr >= 0:
                os.close(stderr)
            raise
        finally:
            theirs.close()
            if stderr_end >= 0:
                os.close(stderr_end)
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=2 * wire.MAX_HEAD_BYTES)
        return Child(process, stderr, reader, writer, on_message, on_end)

    def send(self, message: wire.Message) -> None:
        """Send a message; a child that is gone gets none, and its end is told by `on_end`."""
        if not self._writer.is_closing():
            self._writer.write(wire.encode(message))

    def hang_up(self) -> None:
        """Close the socket: the child ends by itself."""
        self._writer.close()

    def kill(self) -> None:
        """End the whole process group at once, stopped processes included."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def rss_bytes(self) -> int:
        """Return its resident memory as the system counts it, 0 once it is gone."""
        try:
            self._gauge = self._gauge or psutil.Process(self.pid)
            return int(self._gauge.memory_info().rss)
        except (psutil.Error, OSError):
            return 0

    async def _live(self) -> None:
        broken = ""
        try:
            await self._listen()
        except EOFError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever a message leads to, the child must be buried and told of
            broken = str(error) if isinstance(error, WireError) else f"not a message of ours: {error!r}"
            self.kill()
        finally:
            code = await self._buried()
            self._listen_stderr()
            self._writer.close()
            asyncio.get_running_loop().remove_reader(self._stderr)
            os.close(self._stderr)
        self._on_end(Death(code, _signal_name(code), broken, self._said.decode("utf-8", "replace").strip()))

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        turn_s = loop.time()
        while True:
            message, _ = await wire.read(self._reader, max_payload_bytes=0)
            self._on_message(message)
            if loop.time() - turn_s > TURN_S:
                await asyncio.sleep(0)
                turn_s = loop.time()

    async def _buried(self) -> int:
        try:
            return await asyncio.wait_for(self._process.wait(), LINGER_S)
        except TimeoutError:
            self.kill()
            return await self._process.wait()

    def _listen_stderr(self) -> None:
        try:
            data = os.read(self._stderr, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(self._stderr)
        self._said = (self._said + data)[-STDERR_KEPT_BYTES:]


def _signal_name(code: int) -> str:
    if code >= 0:
        return ""
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
