"""The worker's side of a model host: what can be asked of it, and what its answers mean.

Imports neither torch nor open_clip. One thread uses a `HostClient`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import wire
from pipeline.model import Stage
from pipeline.models.delivery import Delivery
from pipeline.models.pictures import PictureSpec, prepare
from pipeline.models.speech import Heard, Window
from pipeline.models.text import Pieces, unpacked

__all__ = ["HostClient", "PictureSpec", "prepare"]

POOLED_AT_ONCE = 256
"""Stretches of video whose frames go to the host in one message."""


class HostClient:
    """A connection to a model host that survives the host's restart.

    `progress(what)` is called several times a second while the client waits, and may raise to stop it. Every method
    raises JobError (class model) if the host cannot serve: it is gone for `reconnect_s`, it cannot load the model, or
    it refuses a picture. After an error, or after `progress` raised, call `reset` before the client is used again.
    """

    def __init__(
        self,
        socket_path: str,
        window_bytes: int,
        *,
        progress: Callable[[str], None],
        others: Sequence[str] = (),
        reconnect_s: float = 120.0,
        stage: Stage = Stage.EMBED,
    ) -> None:
        """`others` are the sockets of hosts that serve the same models, for when the first is not there."""
        paths = (socket_path, *others)
        self._delivery = Delivery(
            paths, window_bytes, self._understand, progress=progress, reconnect_s=reconnect_s, stage=stage
        )
        self._specs: dict[str, PictureSpec] = {}
        self._made: dict[str, dict[tuple[str, str], None]] = {}
        """The precisions and devices that made vectors, by model key, in the order in which they were first seen."""
        self._rows: dict[int, NDArray[np.float32]] = {}
        """The answers to questions, by serial number."""

    def spec(self, key: str) -> PictureSpec:
        """Return how pictures for model `key` are prepared; waits until the host has loaded it."""
        if key not in self._specs:
            self._delivery.ask({"type": "spec", "key": key}, lambda: key in self._specs)
        return self._specs[key]

    def made(self, key: str) -> PictureSpec:
        """Return `spec(key)` as it was for the vectors since `reset`: hosts may differ in precision and device."""
        made = self._made.get(key)
        if not made:
            return self.spec(key)
        precisions, devices = (", ".join(dict.fromkeys(names)) for names in zip(*made, strict=True))
        return replace(self.spec(key), precision=precisions, device=devices)

    def submit(self, key: str, tag: int, picture: NDArray[np.uint8]) -> None:
        """Hand over a prepared picture, uint8 (height, width, 3); waits while `window_bytes` are under way.

        Its vector is known as (key, tag). One picture alone may be larger than the window.
        """
        head = {"type": "picture", "key": key, "shape": list(picture.shape)}
        self._delivery.hand_over((key, tag), head, picture)

    def submit_window(self, key: str, tag: int, window: Window) -> None:
        """Hand over a window of sound; waits like `submit`."""
        head = {"type": "window", "key": key, "language": window.language, "beam_size": window.beam_size}
        self._delivery.hand_over((key, tag), head, window.samples)

    def submit_page(self, key: str, tag: int, picture: NDArray[np.uint8]) -> None:
        """Hand over a picture of any size, uint8 (height, width, 3), whose text is asked for; waits like `submit`."""
        head = {"type": "picture", "read": True, "key": key, "shape": list(picture.shape)}
        self._delivery.hand_over((key, tag), head, picture)

    def collect(self) -> dict[tuple[str, int], NDArray[np.float32]]:
        """Wait for every picture handed over since the last call.

        Returns (key, tag) -> float32 (D,), L2-normalised; the last one counts where a tag was given twice.
        """
        return self._delivery.collected()

    def collect_heard(self) -> dict[tuple[str, int], Heard]:
        """Wait for every window handed over since the last call; returns what was heard by (key, tag)."""
        return self._delivery.collected()

    def collect_read(self, *, wait: bool) -> dict[tuple[str, int], Pieces]:
        """Return the text of the pictures handed over since the last call, or of those of them that were read."""
        return self._delivery.collected(wait=wait)

    def encode_texts(self, key: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of `texts` in the space of model `key`: float32 (N, D), L2-normalised."""
        return self._answer({"type": "text", "key": key, "texts": list(texts)})

    def pool(self, key: str, stretches: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return the vectors that model `key` makes of the frames (T, D) of stretches of video: float32 (N, D).

        L2-normalised; no stretch is empty or longer than the `pool_frames` of the model.
        """
        answers: list[NDArray[np.float32]] = []
        for first in range(0, len(stretches), POOLED_AT_ONCE):
            some = stretches[first : first + POOLED_AT_ONCE]
            question = {"type": "pool", "key": key, "lengths": [len(stretch) for stretch in some]}
            answers.append(self._answer(question, np.concatenate(some).astype(np.float32, copy=False)))
        return np.concatenate(answers)

    def reset(self) -> None:
        """Give up everything under way and every vector not yet collected, so that another video can begin."""
        self._delivery.reset()
        self._rows.clear()
        self._made.clear()

    def close(self) -> None:
        """Close the connection and end the reading thread."""
        self._delivery.close()

    def _answer(self, question: wire.Message, payload: NDArray[Any] | None = None) -> NDArray[np.float32]:
        """Return the rows that answer a question."""
        serial = self._delivery.serial()
        self._delivery.ask(question | {"tag": serial}, lambda: serial in self._rows, payload)
        return self._rows.pop(serial)

    def _understand(self, head: wire.Message, payload: bytearray) -> Mapping[int, Any]:
        """Take an answer to a question, or return those to what was handed over; runs on the reading thread."""
        kind, key = head["type"], str(head["key"])
        if kind == "spec":
            self._specs[key] = PictureSpec.from_message(head["spec"])
        elif kind == "rows":
            self._rows[head["tag"]] = np.frombuffer(payload, np.float32).reshape(head["rows"], -1)
        elif kind == "vectors":
            rows = np.frombuffer(payload, np.float32).reshape(len(head["tags"]), -1)
            self._made.setdefault(key, {})[str(head["precision"]), str(head["device"])] = None
            return dict(zip(head["tags"], rows, strict=True))
        elif kind == "heard":
            return {head["tag"]: Heard.from_message(head["heard"])}
        elif kind == "read":
            return {head["tag"]: unpacked(payload)}
        return {}
