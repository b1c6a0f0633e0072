"""The worker's end of one connection to a model host, and the thread that reads it."""

import contextlib
import select
import socket
import threading
from collections.abc import Callable

from pipeline import wire

POLL_S = 0.25
"""The longest that sending, or waiting for an answer, goes without a look at what else there is to do."""


class Link:
    """One connection and the thread that reads it; `dead` once the peer is gone."""

    def __init__(self, sock: socket.socket, take: Callable[[wire.Message, bytearray], None]) -> None:
        self.dead = False
        self._sock = sock
        self._take = take
        self._reader = threading.Thread(target=self._read, name="model-host-reader", daemon=True)
        self._reader.start()

    def write(self, part: memoryview) -> int:
        """Send some of `part`; returns how many bytes went: 0 if the peer is gone or had no room within POLL_S."""
        try:
            if not select.select([], [self._sock], [], POLL_S)[1]:
                return 0
            return self._sock.send(part, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return 0
        except OSError:
            self.dead = True
            return 0

    def close(self) -> None:
        """Hang up and wait for the reading thread."""
        self.dead = True
        with contextlib.suppress(OSError):
            # The peer may have hung up first; closing below is all that is left then.
            self._sock.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._sock.close()

    def _read(self) -> None:
        try:
            while True:
                head, payload = wire.receive(self._sock)
                self._take(head, payload)
        except Exception:  # noqa: BLE001 - a dead reader that marks nothing would leave the worker waiting for ever
            # A host that hangs up or talks nonsense is treated alike: the connection is given up and made again.
            self.dead = True
