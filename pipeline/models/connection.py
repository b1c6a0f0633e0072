"""One worker's connection to the model host: a reading and a writing thread, and a bound on what they hold."""

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline import wire
from pipeline.errors import JobError
from pipeline.models.families.interface import Model, of_pictures
from pipeline.models.lane import Item, Waiting
from pipeline.models.router import Router
from pipeline.models.speech import Heard, Window
from pipeline.models.text import Page, Pieces, packed

if TYPE_CHECKING:
    from pipeline.models.loader import Loader

HEAD_BYTES = 1000
"""What the head of an answer is taken to weigh while it waits to be sent."""

Outgoing = tuple[wire.Message, bytes]


class Connection:
    """Reads questions and pictures, writes answers.

    It stops reading while the pictures of this connection that have no answer yet, or the answers that the worker has
    not taken, fill `window_bytes`, so that the host never holds more than its windows (and a message a connection),
    however a worker behaves. An answer is queued, never sent by the device's thread: a worker that does not read delays
    only itself.
    """

    def __init__(self, sock: socket.socket, router: Router, loader: "Loader", window_bytes: int) -> None:
        self._sock = sock
        self._router = router
        self._loader = loader
        self._window_bytes = window_bytes
        self._held: dict[int, int] = {}
        self._unsent_bytes = 0
        self._gone = False
        self._room = threading.Condition()
        self._outgoing: queue.SimpleQueue[Outgoing | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="connection-write", daemon=True)

    def start(self) -> None:
        """Start both threads; they end with the connection."""
        self._writer.start()
        threading.Thread(target=self._read, name="connection-read", daemon=True).start()

    def vectors(self, key: str, tags: Sequence[int], rows: NDArray[np.float32]) -> None:
        """Queue the vectors of some pictures."""
        made = self._loader.spec(key)
        head = {"type": "vectors", "key": key, "tags": list(tags), "precision": made.precision, "device": made.device}
        self.answer(head, rows.tobytes())
        self._release(tags)

    def heard(self, key: str, tags: Sequence[int], heard: Sequence[Heard]) -> None:
        """Queue what is said in some windows."""
        for tag, one in zip(tags, heard, strict=True):
            self.answer({"type": "heard", "key": key, "tag": tag, "heard": one.to_message()})
        self._release(tags)

    def read(self, key: str, tags: Sequence[int], read: Sequence[Pieces]) -> None:
        """Queue the text of some pictures."""
        for tag, pieces in zip(tags, read, strict=True):
            self.answer({"type": "read", "key": key, "tag": tag}, packed(pieces))
        self._release(tags)

    def trying(self, key: str, tag: int) -> None:
        """Queue the news that a picture is on trial."""
        self.answer({"type": "trying", "key": key, "tag": tag})

    def failed(self, key: str, tags: Sequence[int], message: str, detail: str = "") -> None:
        """Queue the news that some pictures, or with no tags a question, cannot be answered."""
        self.answer({"type": "failed", "key": key, "tags": list(tags), "message": message, "detail": detail})
        self._release(tags)

    def answer(self, head: wire.Message, payload: bytes = b"") -> None:
        """Queue a message."""
        with self._room:
            self._unsent_bytes += len(payload) + HEAD_BYTES
        self._outgoing.put((head, payload))

    def _release(self, tags: Sequence[int]) -> None:
        with self._room:
            for tag in tags:
                self._held.pop(tag, None)
            self._room.notify()

    def _read(self) -> None:
        try:
            while True:
                with self._room:
                    self._room.wait_for(lambda: self._gone or self._unsent_bytes < self._window_bytes)
                head, payload = wire.receive(self._sock)
                self._handle(head, payload)
        except Exception:  # noqa: BLE001 - whatever a message leads to, nobody must wait for this connection for ever
            # A worker that hangs up or talks nonsense loses its connection and its pictures, and nobody else does.
            self._router.drop(self)
            self._outgoing.put(None)
            self._hang_up()
            self._writer.join()
            self._sock.close()

    def _handle(self, head: wire.Message, payload: bytearray) -> None:
        kind, key = head["type"], str(head["key"])
        if kind == "picture":
            height, width, channels = head["shape"]
            picture = np.frombuffer(payload, np.uint8).reshape(height, width, channels)
            self._queue(head, Page(picture) if head.get("read") else picture)
        elif kind == "window":
            samples = np.frombuffer(payload, np.int16)
            self._queue(head, Window(samples, str(head["language"]), int(head["beam_size"])))
        elif kind == "spec":
            self._loader.when_known(key, self._tell_spec, lambda error: self._tell_error(key, error))
        elif kind == "text":
            texts = [str(text) for text in head["texts"]]
            self._compute(key, int(head["tag"]), lambda: self._encoded(key, texts))
        elif kind == "pool":
            rows = np.frombuffer(payload, np.float32).reshape(sum(head["lengths"]), -1)
            stretches = np.split(rows, np.cumsum(head["lengths"])[:-1])
            self._compute(key, int(head["tag"]), lambda: self._pooled(key, stretches))

    def _queue(self, head: wire.Message, item: Item) -> None:
        """Hand an item over once there is room for it."""
        key, tag = str(head["key"]), int(head["tag"])
        with self._room:
            self._room.wait_for(lambda: self._gone or not self._held or sum(self._held.values()) < self._window_bytes)
            self._held[tag] = item.nbytes
        resent, suspicion = int(head.get("resends", 0)) > 0, int(head.get("suspicion", 0))
        self._router.add(key, Waiting(self, tag, item, time.monotonic(), resent, suspicion))
        self._loader.want(key)

    def _compute(self, key: str, tag: int, work: Callable[[], NDArray[np.float32]]) -> None:
        """Answer a question with the rows that `work` returns, on the thread that owns the device, in its turn."""

        def answer() -> None:
            try:
                rows = work()
            except Exception as error:  # noqa: BLE001 - a tokenizer may raise anything, and only the asker is concerned
                self.failed(key, [], f"model {key} cannot answer: {error}"[:1000])
                return
            self.answer({"type": "rows", "key": key, "tag": tag, "rows": len(rows)}, rows.tobytes())

        def ask(key: str) -> None:
            self._router.device.ask(key, answer, lambda message: self.failed(key, [], message))

        self._loader.when_known(key, ask, lambda error: self._tell_error(key, error))

    def _encoded(self, key: str, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._router.device.cache.of_texts(key, texts, self._model(key).encode_texts)

    def _pooled(self, key: str, stretches: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        model = self._model(key)
        return np.stack([model.pool(stretch) for stretch in stretches])

    def _model(self, key: str) -> Model:
        return of_pictures(self._loader.model(key))

    def _tell_spec(self, key: str) -> None:
        self.answer({"type": "spec", "key": key, "spec": self._loader.spec(key).to_message()})

    def _tell_error(self, key: str, error: JobError) -> None:
        self.failed(key, [], str(error), error.detail)

    def _write(self) -> None:
        try:
            while (message := self._outgoing.get()) is not None:
                wire.send(self._sock, *message)
                with self._room:
                    self._unsent_bytes -= len(message[1]) + HEAD_BYTES
                    self._room.notify()
        except OSError:
            # The worker is gone; the reading thread wakes, sees that too and cleans up.
            self._hang_up()
            with self._room:
                self._gone = True
                self._room.notify()

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
