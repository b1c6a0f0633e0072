"""Brings pictures, sound and questions to a model host, and again to the next one if it dies, until they are answered.

Imports neither torch nor open_clip.
"""

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import wire
from pipeline.errors import JobError
from pipeline.model import FailureClass, Stage
from pipeline.models.link import POLL_S, Link

WAITING_FOR = "model host"
MAX_RESENDS = 5
"""Hosts that may die while they hold one and the same picture before it is given up."""
MAX_TRIALS = 2
"""Hosts that may die while they run one and the same picture by itself before its video is to blame."""

Understand = Callable[[wire.Message, bytearray], Mapping[int, Any]]
"""Takes an answer of a host; returns by serial number those to what was handed over."""


@dataclass(slots=True)
class _Sent:
    """A picture or window of sound kept until its answer is back."""

    name: tuple[str, int]
    head: wire.Message
    payload: NDArray[Any]
    resends: int = 0
    suspicion: int = 0
    """Hosts that died while they ran it by itself."""


class Delivery:
    """One thread hands over and waits; a second one, its own, reads the answers.

    After an error, or after `progress` raised, call `reset` before it is used again.
    """

    def __init__(
        self,
        paths: Sequence[str],
        window_bytes: int,
        understand: Understand,
        *,
        progress: Callable[[str], None],
        reconnect_s: float,
        stage: Stage,
    ) -> None:
        """`paths` are sockets, the first that answers is used; `understand` is called by the reading thread."""
        self._paths = paths
        self._window_bytes = window_bytes
        self._understand = understand
        self._progress = progress
        self._reconnect_s = reconnect_s
        self._stage = stage
        self._changed = threading.Condition()
        self._link: Link | None = None
        self._sent: dict[int, _Sent] = {}
        self._answers: dict[int, tuple[tuple[str, int], Any]] = {}
        self._failure: JobError | None = None
        self._on_trial = 0
        """What the host runs by itself, 0 = nothing."""
        self._under_way_bytes = 0
        self._serial = 0

    def hand_over(self, name: tuple[str, int], head: wire.Message, payload: NDArray[Any]) -> None:
        """Send what must be answered, and keep it until it is; waits while too much is under way."""
        self._connected()
        room = self._window_bytes - payload.nbytes
        self._wait(lambda: not self._sent or self._under_way_bytes <= room)
        serial = self.serial()
        with self._changed:
            self._sent[serial] = _Sent(name, head | {"tag": serial}, np.ascontiguousarray(payload))
            self._under_way_bytes += payload.nbytes
            link = self._link
        if link is not None and not link.dead:
            self._send_kept(link, serial)

    def collected(self, *, wait: bool = True) -> dict[tuple[str, int], Any]:
        """Return the answers since the last call by name, after waiting for all of them if that is asked for."""
        self._wait(lambda: not (wait and self._sent))
        with self._changed:
            answers = dict(self._answers[serial] for serial in sorted(self._answers))
            self._answers.clear()
        return answers

    def ask(self, question: wire.Message, answered: Callable[[], bool], payload: NDArray[Any] | None = None) -> None:
        """Put a question, again to each new host, until it is answered."""
        for _ in range(MAX_RESENDS + 1):
            link = self._connected()
            self._send(link, question, payload)
            self._wait(lambda link=link: answered() or link.dead)  # type: ignore[misc]
            if answered():
                return
        raise self._refused(f"the model host ended {MAX_RESENDS + 1} times over the same question")

    def serial(self) -> int:
        """Return a number that nothing else has."""
        self._serial += 1
        return self._serial

    def reset(self) -> None:
        """Give up everything under way and every answer not yet collected."""
        self.close()
        self._sent.clear()
        self._answers.clear()
        self._under_way_bytes = 0
        self._on_trial = 0
        self._failure = None

    def close(self) -> None:
        """Close the connection and end the reading thread."""
        if self._link is not None:
            self._link.close()
            self._link = None

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

    def _connected(self) -> Link:
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

    def _send_kept(self, link: Link, serial: int) -> None:
        kept = self._sent.get(serial)
        if kept is not None:
            self._send(link, kept.head | {"resends": kept.resends, "suspicion": kept.suspicion}, kept.payload)

    def _send(self, link: Link, head: wire.Message, payload: NDArray[Any] | None = None) -> None:
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
        with self._changed:
            if head["type"] == "trying":
                self._on_trial = int(head["tag"])
            elif head["type"] == "failed":
                for serial in head["tags"]:
                    self._settled(serial)
                self._failure = self._failure or self._refused(str(head["message"]), str(head.get("detail", "")))
            else:
                for serial, answer in self._understand(head, payload).items():
                    kept = self._settled(serial)
                    if kept is not None:
                        self._answers[serial] = kept.name, answer
            self._changed.notify_all()

    def _settled(self, serial: int) -> _Sent | None:
        """Forget what is answered, and return it; None if it was before."""
        self._on_trial = 0 if self._on_trial == serial else self._on_trial
        kept = self._sent.pop(serial, None)
        if kept is not None:
            self._under_way_bytes -= kept.payload.nbytes
        return kept

    def _refused(self, message: str, detail: Any = "", *, crash: bool = False) -> JobError:
        return JobError(FailureClass.MODEL, message, stage=self._stage, detail=str(detail), crash=crash)
