"""A model host that answers at once with the mean colour of a picture, or its text, and counts what it was asked."""

import functools
import socket
import threading
from collections import Counter
from pathlib import Path

import numpy as np

from pipeline import wire
from pipeline.models.pictures import PictureSpec
from pipeline.models.text import packed
from pipeline.reading.engines import Reader, choose, reader
from pipeline.stage_sections import TextSettings

READS = TextSettings(longest_px=320)


@functools.cache
def rapid() -> Reader:
    """What reads text here, loaded once."""
    return reader(choose(READS), READS, 1)


class FakeHost:
    """Serves models of any key on a Unix socket; `gate` closed makes it hold its answers back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pictures: Counter[str] = Counter()
        self.device = "cpu"
        """On what it says that it computes."""
        self.gate = threading.Event()
        self.gate.set()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.gate.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while True:
                    head, payload = wire.receive(connection)
                    wire.send(connection, *self._answer(head, payload))
            except (EOFError, OSError):
                return

    def _answer(self, head: wire.Message, payload: bytearray) -> tuple[wire.Message, bytes]:
        key = head["key"]
        if head["type"] == "spec":
            return {"type": "spec", "key": key, "spec": spec(key).to_message()}, b""
        self.gate.wait()
        self.pictures[key] += 1
        picture = np.frombuffer(payload, np.uint8).reshape(head["shape"])
        if head.get("read"):
            return {"type": "read", "key": key, "tag": head["tag"]}, packed(rapid().read(picture))
        vector = picture.mean(axis=(0, 1)) + 1
        if key == "two":
            vector = vector[::-1]
        row = (vector / np.linalg.norm(vector)).astype(np.float32)
        made = {"precision": "fp32", "device": self.device}
        return {"type": "vectors", "key": key, "tags": [head["tag"]], **made}, row.tobytes()


def spec(key: str) -> PictureSpec:
    return PictureSpec(
        key=key,
        height=16,
        width=16,
        resize_mode="squash",
        interpolation="bilinear",
        fill=(0, 0, 0),
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        dim=3,
        model="mean-colour",
        weights="none",
        weights_sha256="",
        precision="fp32",
        device="cpu",
    )
