"""Turns the figures that a model host tells into its view: rates and shares over the last of them."""

from collections import deque
from dataclasses import replace
from typing import Any

from pipeline import wire
from pipeline.machine import HostView, ModelView

KEPT = 32
"""Readings over which rates and shares are taken; a busy host tells two a second."""


class HostFigures:
    """The last figures of one host process."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, float, float, float]] = deque(maxlen=KEPT)
        """When it was told; seconds busy, seconds copying, pictures done by then."""

    def ended(self, view: HostView) -> HostView:
        """Forget a process that has ended, and return `view` with nothing under way."""
        self._readings.clear()
        return replace(view, queue_pictures=0, queue_bytes=0, busy_share=0.0, pictures_per_s=0.0, copying_share=0.0)

    def taken(self, view: HostView, message: wire.Message, now_s: float) -> HostView:
        """Return `view` with the figures of `message`. Raises WireError for figures that are none."""
        busy_s, copied_s = wire.number(message, "busy_s"), wire.number(message, "copied_s")
        done = wire.number(message, "pictures_done")
        self._readings.append((now_s, busy_s, copied_s, done))
        first_s, first_busy_s, first_copied_s, first_done = self._readings[0]
        seconds = now_s - first_s

        def rate(more: float) -> float:
            return max(0.0, more / seconds) if seconds > 0 else 0.0

        return replace(
            view,
            device=str(message["device"]),
            models=tuple(str(key) for key in message["models"]),
            served=tuple(_model(facts) for facts in message["facts"]),
            batch_size=_count(message, "batch_size"),
            queue_pictures=_count(message, "queue_pictures"),
            queue_bytes=_count(message, "queue_bytes"),
            pictures_done=int(done),
            busy_share=min(1.0, rate(busy_s - first_busy_s)),
            copying_share=min(1.0, rate(copied_s - first_copied_s)),
            pictures_per_s=rate(done - first_done),
            memory_share=wire.number(message, "memory_share"),
            cleanups=_count(message, "cleanups"),
            cache_asked=_count(message, "cache_asked"),
            cache_hits=_count(message, "cache_hits"),
            budget_bytes=_count(message, "budget_bytes"),
            unloads=_count(message, "unloads"),
        )


def _model(facts: dict[str, Any]) -> ModelView:
    return ModelView(
        key=str(facts["key"]),
        device=str(facts["device"]),
        precision=str(facts["precision"]),
        compiled=bool(facts["compiled"]),
        batch_size=_count(facts, "batch_size"),
        load_s=wire.number(facts, "load_s"),
        pictures_done=_count(facts, "pictures_done"),
        state=str(facts["state"]),
        memory_bytes=None if facts["memory_bytes"] is None else _count(facts, "memory_bytes"),
        unloads=_count(facts, "unloads"),
    )


def _count(message: wire.Message, name: str) -> int:
    return int(wire.number(message, name))
