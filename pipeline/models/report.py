"""Tells the engine what the model host does: notes as they come, figures twice a second while they change."""

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline import wire

if TYPE_CHECKING:
    from pipeline.models.loader import Loader
    from pipeline.models.router import Router

INTERVAL_S = 0.5
NOTES_KEPT = 200
"""Notes that wait for an engine that does not read; older ones are dropped."""
FLUSH_S = 2.0
"""How long an ending host waits for its last notes to be read."""


class Reporter:
    """Queues notes and sends them, and the figures, from a thread of its own, so that a busy engine delays nothing."""

    def __init__(self, control: socket.socket, beat_s: float) -> None:
        """`beat_s` is how often figures that do not change are told again, so that idle is not taken for hung."""
        self._control = control
        self._beat_s = beat_s
        self._notes: deque[wire.Message] = deque(maxlen=NOTES_KEPT)
        self._wake = threading.Event()
        self._sending = threading.Lock()

    def note(self, level: str, text: str) -> None:
        """Queue a note; `level` is info, warning or error, `text` is untrusted where it quotes a library."""
        self._notes.append({"type": "note", "level": level, "text": text[:2000]})
        self._wake.set()

    def ready(self) -> None:
        """Say that the host listens."""
        self._send([{"type": "ready", "pid": os.getpid()}])

    def flush(self, router: "Router", loader: "Loader") -> None:
        """Send what is queued and the last figures, waiting for at most FLUSH_S."""

        def send() -> None:
            self._send_notes()
            self._send([_figures(router, loader)])

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        sender.join(FLUSH_S)

    def run(self, router: "Router", loader: "Loader", watch: Callable[[], None]) -> None:
        """Send notes and changed figures, and call `watch`, twice a second for ever; unchanged figures every beat."""
        last: wire.Message = {}
        sent_s = 0.0
        while True:
            self._wake.wait(INTERVAL_S)
            self._wake.clear()
            watch()
            self._send_notes()
            figures = _figures(router, loader)
            now = time.monotonic()
            if (figures != last or now - sent_s > self._beat_s) and self._send([figures]):
                last, sent_s = figures, now

    def _send_notes(self) -> None:
        notes = []
        while self._notes:
            notes.append(self._notes.popleft())
        self._send(notes)

    def _send(self, messages: list[wire.Message]) -> bool:
        with self._sending:
            try:
                for message in messages:
                    wire.send(self._control, message)
            except OSError:
                # The engine is gone: the control thread sees that too and ends the process.
                return False
        return True


def _figures(router: "Router", loader: "Loader") -> wire.Message:
    counters, lanes = router.counters, router.lanes()
    return {
        "type": "stats",
        "state": loader.state,
        "models": loader.served(),
        "facts": [{**facts, **_lane(lanes, facts["key"])} for facts in loader.facts()],
        "device": loader.device,
        "batch_size": router.device.batch_size,
        "queue_pictures": counters.queue_pictures,
        "queue_bytes": counters.queue_bytes,
        "pictures_done": counters.pictures_done,
        "batches_done": counters.batches_done,
        "busy_s": round(counters.busy_s, 3),
        "copied_s": round(router.device.copied_s(), 3),
        "memory_share": round(counters.memory_share, 3),
        "cleanups": counters.cleanups,
        "budget_bytes": loader.turns.budget_bytes,
        "unloads": loader.turns.unloads,
        "cache_asked": router.device.cache.asked,
        "cache_hits": router.device.cache.hits,
    }


def _lane(lanes: dict[str, tuple[int, int]], key: str) -> wire.Message:
    batch_size, pictures_done = lanes.get(key, (0, 0))
    return {"batch_size": batch_size, "pictures_done": pictures_done}
