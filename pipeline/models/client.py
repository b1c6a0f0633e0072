"""The worker's side of a model host: hands pictures and sound over, waits while too much is under way, collects.

Imports neither torch nor open_clip. One thread uses a `HostClient`; a second one, its own, reads the answers.
"""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import wire
from pipeline.errors import JobError
from pipeline.model import FailureClass, Stage
from pipeline.models.link import POLL_S, Link
from pipeline.models.pictures import PictureSpec, prepare
from pipeline.models.speech import Heard, Window
from pipeline.models.text import Pieces, unpacked

__all__ = ["HostClient", "PictureSpec", "prepare"]

WAITING_FOR = "model host"
MAX_RESENDS = 5
"""Hosts that may die while they hold one and the same picture before the client gives up."""
POOLED_AT_ONCE = 256
"""Stretches of video whose frames go to the host in one message."""
MAX_TRIALS = 2
"""Hosts that may die while they run one and the same picture by itself before its video is to blame."""


@dataclass(slots=True)
class _Sent:
    """A picture or window of sound kept until its answer is back."""

    head: wire.Message
    payload: NDArray[Any]
    resends: int = 0
    suspicion: int = 0
    """Hosts that died while they ran it by itself."""


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
        self._paths = (socket_path, *others)
        self._window_bytes = window_bytes
        self._progress = progress
        self._reconnect_s = reconnect_s
        self._stage = stage
        self._changed = threading.Condition()
        self._link: Link | None = None
        self._specs: dict[str, PictureSpec] = {}
        self._made: dict[str, dict[tuple[str, str], None]] = {}
        """The precisions and devices that made vectors, by model key, in the order in which they were first seen."""
        self._sent: dict[int, _Sent] = {}
        self._tags: dict[int, tuple[str, int]] = {}
        self._rows: dict[int, NDArray[np.float32]] = {}
        self._answers: dict[int, Any] = {}
        """A vector, or what was heard, by serial number."""
        self._failure: JobError | None = None
        self._on_trial = 0
        """The picture that the host runs by itself, 0 = none."""
        self._under_way_bytes = 0
        self._serial = 0

    def spec(self, key: str) -> PictureSpec:
        """Return how pictures for model `key` are prepared; waits until the host has loaded it."""
        if key not in self._specs:
            self._ask({"type": "spec", "key": key}, lambda: key in self._specs)
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
        self._hand_over(tag, {"type": "picture", "key": key, "shape": list(picture.shape)}, picture)

    def submit_window(self, key: str, tag: int, window: Window) -> None:
        """Hand over a window of sound; waits like `submit`."""
        asked = {"language": window.language, "beam_size": window.beam_size}
        self._hand_over(tag, {"type": "window", "key": key, **asked}, window.samples)

    def submit_page(self, key: str, tag: int, picture: NDArray[np.uint8]) -> None:
        """Hand over a picture of any size, uint8 (height, width, 3), whose text is asked for; waits like `submit`."""
        self._hand_over(tag, {"type": "picture", "read": True, "key": key, "shape": list(picture.shape)}, picture)

    def collect(self) -> dict[tuple[str, int], NDArray[np.float32]]:
        """Wait for every picture handed over since the last call.

        Returns (key, tag) -> float32 (D,), L2-normalised; the last one counts where a tag was given twice.
        """
        return self._collected()

    def collect_heard(self) -> dict[tuple[str, int], Heard]:
        """Wait for every window handed over since the last call; returns what was heard by (key, tag)."""
        return self._collected()

    def collect_read(self, *, wait: bool) -> dict[tuple[str, int], Pieces]:
        """Return the text of the pictures handed over since the last call, or of those of them that were read."""
        return self._collected(wait=wait)

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
        self.close()
        with self._changed:
            for kept in (self._sent, self._tags, self._rows, self._answers, self._made):
                kept.clear()
            self._under_way_bytes = 0
            self._on_trial = 0
            self._failure = None

    def close(self) -> None:
        """Close the connection and end the reading thread."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def _hand_over(self, tag: int, head: wire.Message, payload: NDArray[Any]) -> None:
        """Send what must be answered, and keep it until it is; waits while too much is under way."""
        self._connected()
        room = self._window_bytes - payload.nbytes
        self._wait(lambda: not self._sent or self._under_way_bytes <= room)
        with self._changed:
            self._serial += 1
            serial = self._serial
            self._sent[serial] = _Sent(head | {"tag": serial}, np.ascontiguousarray(payload))
            self._tags[serial] = (head["key"], tag)
            self._under_way_bytes += payload.nbytes
            link = self._link
        if link is not None and not link.dead:
            self._send_kept(link, serial)

    def _collected(self, *, wait: bool = True) -> dict[tuple[str, int], Any]:
        self._wait(lambda: not (wait and self._sent))
        with self._changed:
            answers = {self._tags.pop(serial): answer for serial, answer in sorted(self._answers.items())}
            self._answers.clear()
        return answers

    def _answer(self, question: wire.Message, payload: NDArray[Any] | None = None) -> NDArray[np.float32]:
        """Return the rows that answer a question."""
        self._serial += 1
        serial = self._serial
        self._ask(question | {"tag": serial}, lambda: serial in self._rows, payload)
        return self._rows.pop(serial)

    def _ask(self, question: wire.Message, answered: Callable[[], bool], payload: NDArray[Any] | None = None) -> None:
        """Put a question, again to each new host, until it is answered."""
        for _ in range(MAX_RESENDS + 1):
            link = self._connected()
            self._send(link, question, payload)
            self._wait(lambda link=link: answered() or link.dead)  # type: ignore[misc]
            if answered():
                return
        raise self._refused(f"the model host ended {MAX_RESENDS + 1} times over the same question")

    def _wait(self, ready: Callable[[], bool]) -> None:
        """Wait until `ready`, mending the connection where pictures are under way."""
        while True:
            with self._changed:
                if self._failure is not None:
                    failure, self._failure = self._failure, None
                    raise failure
                if ready():
                    return
                lost = self._link is None or self._link.dead
                if not lost:
                    self._changed.wait(POLL_S)
            if lost:
                self._connected()
            self._progress(WAITING_FOR)

    def _connected(self) -> "Link":
        """Return a live connection; after a new one is made, everything under way has been sent again."""
        link = self._link
        if link is not None and not link.dead:
            return link
        if link is not None:
            link.close()
            self._suspect()
        link = Link(self._dial(), self._take)
        with self._changed:
            again = sorted(self._sent)
        self._link = link
        for serial in again:
            kept = self._sent.get(serial)
            if kept is None:
                continue
            kept.resends += 1
            if kept.resends > MAX_RESENDS:
                what = kept.head["type"]
                raise self._refused(f"the model host ended {kept.resends} times while it had the same {what}")
            self._send_kept(link, serial)
        return link

    def _suspect(self) -> None:
        """Note what the host that ended was running by itself. Raises JobError if that has ended too many."""
        with self._changed:
            kept, self._on_trial = self._sent.get(self._on_trial), 0
        if kept is None:
            return
        kept.suspicion += 1
        if kept.suspicion >= MAX_TRIALS:
            what = kept.head["type"]
            raise self._refused(f"a {what} of this video ended the model host {kept.suspicion} times", crash=True)

    def _dial(self) -> socket.socket:
        until = time.monotonic() + self._reconnect_s
        while True:
            for path in self._paths:
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                try:
                    sock.connect(path)
                except OSError as error:
                    sock.close()
                    refusal = error
                else:
                    return sock
            if time.monotonic() > until:
                raise self._refused(f"no model host for {self._reconnect_s:.0f} s", str(refusal)) from refusal
            self._progress(WAITING_FOR)
            with self._changed:
                self._changed.wait(POLL_S)

    def _send_kept(self, link: "Link", serial: int) -> None:
        kept = self._sent.get(serial)
        if kept is not None:
            self._send(link, kept.head | {"resends": kept.resends, "suspicion": kept.suspicion}, kept.payload)

    def _send(self, link: "Link", head: wire.Message, payload: NDArray[Any] | None = None) -> None:
        """Send without blocking for longer than POLL_S at a time; a dead peer only marks the link."""
        size = 0 if payload is None else payload.nbytes
        parts = [memoryview(wire.encode(head, size))]
        if payload is not None:
            parts.append(memoryview(payload.data).cast("B"))
        for part in parts:
            while part and not link.dead:
                gone = link.write(part)
                part = part[gone:]
                if not gone:
                    self._progress(WAITING_FOR)

    def _take(self, head: wire.Message, payload: bytearray) -> None:
        """Take one answer; runs on the link's thread."""
        kind, key = head["type"], str(head["key"])
        with self._changed:
            if kind == "spec":
                self._specs[key] = PictureSpec.from_message(head["spec"])
            elif kind == "vectors":
                rows = np.frombuffer(payload, np.float32).reshape(len(head["tags"]), -1)
                self._made.setdefault(key, {})[str(head["precision"]), str(head["device"])] = None
                for tag, row in zip(head["tags"], rows, strict=True):
                    self._settle(tag, row)
            elif kind == "heard":
                self._settle(head["tag"], Heard.from_message(head["heard"]))
            elif kind == "read":
                self._settle(head["tag"], unpacked(payload))
            elif kind == "trying":
                self._on_trial = int(head["tag"])
            elif kind == "rows":
                self._rows[head["tag"]] = np.frombuffer(payload, np.float32).reshape(head["rows"], -1)
            elif kind == "failed":
                for tag in head["tags"]:
                    self._settle(tag, None)
                self._failure = self._failure or self._refused(str(head["message"]), str(head.get("detail", "")))
            self._changed.notify_all()

    def _settle(self, tag: int, answer: Any) -> None:
        self._on_trial = 0 if self._on_trial == tag else self._on_trial
        kept = self._sent.pop(tag, None)
        if kept is None:
            return
        self._under_way_bytes -= kept.payload.nbytes
        if answer is None:
            self._tags.pop(tag)
        else:
            self._answers[tag] = answer

    def _refused(self, message: str, detail: Any = "", *, crash: bool = False) -> JobError:
        return JobError(FailureClass.MODEL, message, stage=self._stage, detail=str(detail), crash=crash)
