"""Vectors of the pictures and texts that were asked last, so that what is asked again costs nothing."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

ENTRY_BYTES = 256
"""What an entry weighs beside its vector."""

Key = tuple[str, bytes]
Vector = NDArray[np.float32]


class VectorCache:
    """The least recently used make room once `max_bytes` are held. Any thread may ask."""

    def __init__(self, max_bytes: int) -> None:
        self.asked = 0
        self.hits = 0
        self._max_bytes = max_bytes
        self._bytes = 0
        self._rows: OrderedDict[Key, Vector] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> Vector | None:
        """Return the vector of what was asked before, None if it is not held."""
        with self._lock:
            self.asked += 1
            row = self._rows.get(key)
            if row is not None:
                self.hits += 1
                self._rows.move_to_end(key)
            return row

    def put(self, key: Key, row: Vector) -> None:
        """Hold a vector (D,); of an array that is larger, only these numbers."""
        with self._lock:
            if key in self._rows:
                return
            self._rows[key] = row.copy()
            self._bytes += row.nbytes + ENTRY_BYTES
            while self._bytes > self._max_bytes:
                _, gone = self._rows.popitem(last=False)
                self._bytes -= gone.nbytes + ENTRY_BYTES

    def of_texts(self, model: str, texts: Sequence[str], encode: Callable[[list[str]], Vector]) -> Vector:
        """Return the vectors (N, D) of texts; `encode` is asked once for those that are not held."""
        keys = [text_key(model, text) for text in texts]
        known = {key: self.get(key) for key in dict.fromkeys(keys)}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if known[key] is None}
        if missing:
            for key, row in zip(missing, encode(list(missing.values())), strict=True):
                known[key] = row
                self.put(key, row)
        return np.stack([known[key] for key in keys])  # type: ignore[misc]


def picture_key(model: str, picture: NDArray[np.uint8]) -> Key:
    """Return what a prepared picture is held under."""
    digest = blake2b(picture.tobytes(), digest_size=16, person=repr(picture.shape).encode()[:16])
    return model, digest.digest()


def text_key(model: str, text: str) -> Key:
    """Return what a text is held under."""
    return model, b"text " + blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
