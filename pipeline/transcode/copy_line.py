"""The packets of a stream that is copied: they pass into the output as they are, at times that grow."""

from __future__ import annotations

from typing import Any

from av.packet import Packet
from av.stream import Stream

from pipeline.transcode.lines import Write

_MOST_EARLY = 32
"""Packets without any time that are kept back at the beginning, until one says when it is decoded."""


class CopyLine:
    """Passes packets on as they are, with times that grow."""

    def __init__(self, target: Stream, write: Write) -> None:
        self._target, self._write = target, write
        self._last: int | None = None
        self._early: list[tuple[Packet[Any], float]] = []
        self.written = 0

    def take(self, packet: Packet[Any], shift_s: float) -> None:
        """Take a packet; one without any time takes the next one, one that is cut off is left out."""
        if packet.is_corrupt:
            return
        if self._last is None and packet.dts is None and len(self._early) < _MOST_EARLY:
            self._early.append((packet, shift_s))
            return
        self._release(packet.dts)
        self._pass(packet, shift_s)

    def finish(self) -> None:
        """Pass on what was kept back."""
        self._release(None)

    def _release(self, dts: int | None) -> None:
        """Pass on the first packets, which do not say when they are decoded: in steps up to the one that does."""
        early, self._early = self._early, []
        for before, (packet, shift_s) in zip(range(len(early), 0, -1), early, strict=True):
            if dts is not None:
                packet.dts = dts - before * max(1, packet.duration or 1)
            self._pass(packet, shift_s)

    def _pass(self, packet: Packet[Any], shift_s: float) -> None:
        base = packet.time_base
        shift = round(shift_s / base) if base else 0
        dts, pts = packet.dts, packet.pts
        dts = dts if dts is not None else pts
        if dts is None:
            dts = (self._last or 0) + max(1, packet.duration or 1) - shift
        dts += shift
        if self._last is not None and dts <= self._last:
            dts = self._last + 1
        self._last = packet.dts = dts
        packet.pts = max(dts, pts + shift) if pts is not None else dts
        packet.stream = self._target
        self.written += 1
        self._write(packet)
