"""Cutting a video's packets into stretches that can be decoded on their own, at keyframes, by the file alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from pipeline.media.result import LostSpan
from pipeline.media.score import Measure
from pipeline.media.seen import IrregularError, Seen, VideoPacket

SPLITTABLE = frozenset({"h264", "hevc", "vp9", "av1", "mpeg4", "mpeg2video", "mpeg1video"})
"""Codecs whose keyframes a fresh decoder can start at, and of which each packet gives one picture."""

_STRETCH_S = 4.0
_READ_ERRORS = 8


@dataclass(slots=True, eq=False)
class Stretch:
    """Packets from one keyframe up to a later one, and the frames decoded from them.

    `start` and `end` bound the presentation times (stream ticks) of the frames that count, None = no bound. Packets
    past `end` are the next stretch's keyframe and the pictures shown before it (an open GOP).
    """

    number: int
    start: int | None
    end: int | None = None
    packets: deque[VideoPacket] = field(default_factory=deque)
    closed: bool = False
    promised: int = 0
    """Packets whose picture belongs to this stretch."""
    seen: deque[Seen] = field(default_factory=deque)
    held_bytes: int = 0
    done: bool = False
    last: Measure | None = None
    """Measure of the last frame, once done."""


@dataclass(slots=True)
class Tally:
    """What the packets say, gathered while they are read."""

    packets: int = 0
    bytes_read: int = 0
    end_tick: int | None = None
    """End of the last picture shown, in ticks of the video stream."""
    end_s: float = 0.0
    """End of the last packet of any stream, in the file's own clock."""
    faults: list[LostSpan] = field(default_factory=list)
    """Places that could not be read, in the file's own clock."""


def read_packets(container: InputContainer, stream: VideoStream, tally: Tally, every: bool) -> Iterator[VideoPacket]:
    """Yield the video's packets in the order of the file; a damaged place is noted in `tally` and left behind.

    With `every`, packets of all streams are looked at, so that the end of the sound is known too.
    """
    for _ in range(_READ_ERRORS):
        try:
            packets: Iterator[Packet[Any]] = container.demux() if every else container.demux(stream)
            for packet in packets:
                if packet.dts is None and packet.pts is None and not packet.size:
                    continue
                _note(packet, stream, tally)
                if packet.stream_index == stream.index and packet.size:
                    yield packet
        except (FFmpegError, UnicodeError, ValueError, LookupError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            tally.faults.append(LostSpan(tally.end_s, tally.end_s, f"unreadable part: {reason}"))
        else:
            return


def _note(packet: Packet[Any], stream: VideoStream, tally: Tally) -> None:
    tally.bytes_read += packet.size
    own = packet.stream_index == stream.index
    tally.packets += own
    if packet.pts is None or not packet.time_base or packet.is_discard:
        return
    end = packet.pts + (packet.duration or 0)
    tally.end_s = max(tally.end_s, float(end * packet.time_base))
    if own:
        tally.end_tick = end if tally.end_tick is None else max(tally.end_tick, end)


class Splitter:
    """Deals the packets of one video out to stretches."""

    def __init__(self, split: bool, ticks_per_s: float) -> None:
        self._split = split
        self._least = int(_STRETCH_S * ticks_per_s)
        self._current: Stretch | None = None
        self._previous: Stretch | None = None
        self._key: VideoPacket | None = None
        self._key_shared = False
        self._begin = 0
        self._latest = 0
        self.queued_bytes = 0
        """Bytes dealt out so far and not taken back; the taker subtracts."""

    def add(self, packet: VideoPacket) -> Stretch | None:
        """Put the packet where it belongs; return the new stretch if it begins one.

        Raises IrregularError if the video cannot be split after all.
        """
        if self._split:
            self._check(packet)
        if self._current is None or self._turns(packet):
            return self._turn(packet)
        if self._key is not None and packet.pts is not None and packet.pts < (self._key.pts or 0):
            self._lead(packet, self._key)
            return None
        self._close_previous()
        self._put(self._current, packet)
        return None

    def finish(self) -> None:
        """Close what is open: there are no more packets."""
        self._close_previous()
        if self._current is not None:
            self._current.closed = True

    def _check(self, packet: VideoPacket) -> None:
        if packet.pts is None or packet.is_corrupt:
            raise IrregularError("a packet without a time, or marked as damaged", damaged=packet.is_corrupt)
        if self._current is not None and packet.has_sidedata("new_extradata"):
            raise IrregularError("the decoder's parameters change in mid-file")
        start = self._current.start if self._current is not None else None
        if start is not None and packet.pts < start and self._key is None:
            raise IrregularError("a picture shown before the keyframe it follows")

    def _turns(self, packet: VideoPacket) -> bool:
        return (
            self._split
            and packet.is_keyframe
            and packet.pts is not None
            and packet.pts - self._begin >= self._least
            and packet.pts > self._latest
        )

    def _turn(self, packet: VideoPacket) -> Stretch:
        self._close_previous()
        number = 0
        if self._current is not None:
            number = self._current.number + 1
            self._current.end = packet.pts
            self._previous, self._key = self._current, packet
        self._current = Stretch(number, packet.pts if number else None)
        self._begin = self._latest = packet.pts or 0
        self._put(self._current, packet)
        return self._current

    def _lead(self, packet: VideoPacket, key: VideoPacket) -> None:
        """Give a picture shown before the keyframe to the stretch before, with the keyframe that it refers to."""
        previous = self._previous
        if previous is None:
            raise IrregularError("a picture shown before the keyframe it follows")
        if not self._key_shared:
            previous.packets.append(key)
            self.queued_bytes += key.size
            self._key_shared = True
        self._put(previous, packet)

    def _put(self, stretch: Stretch, packet: VideoPacket) -> None:
        stretch.packets.append(packet)
        self.queued_bytes += packet.size
        stretch.promised += not packet.is_discard
        self._latest = max(self._latest, packet.pts or 0)

    def _close_previous(self) -> None:
        if self._previous is not None:
            self._previous.closed = True
        self._previous = self._key = None
        self._key_shared = False
