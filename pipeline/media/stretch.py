"""Cutting a video's packets into stretches that can be decoded on their own, at keyframes, by the file alone."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.media.ebml import structure
from pipeline.media.false_times import TimeSieve
from pipeline.media.result import LostSpan
from pipeline.media.score import Measure
from pipeline.media.seen import IrregularError, Seen, VideoPacket
from pipeline.media.timing import gaps
from pipeline.model import Stage
from pipeline.shortage import refuse_shortage

SPLITTABLE = frozenset({"h264", "hevc", "vp9", "av1", "mpeg4", "mpeg2video", "mpeg1video"})
"""Codecs whose keyframes a fresh decoder can start at, and of which each packet gives one picture."""

_STRETCH_S = 4.0
_READ_ERRORS = 8


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a video between two keyframes, by their presentation times in ticks; None = the video's own end."""

    start: int | None = None
    end: int | None = None


WHOLE = Span()


@dataclass(slots=True, eq=False)
class Stretch:
    """Packets from one keyframe up to a later one, and the frames decoded from them.

    `start` and `end` bound the presentation times (stream ticks) of the frames that count, None = no bound. Packets
    past `end` are the next stretch's keyframe and the pictures shown before it (an open GOP).
    """

    number: int
    start: int | None
    end: int | None = None
    promised: int = 0
    """Packets whose picture belongs to this stretch."""
    seen: list[Seen] = field(default_factory=list)
    """Frames decoded and not yet taken on."""
    held_bytes: int = 0
    done: bool = False
    last: Measure | None = None
    """Measure of the last frame, once done."""
    ending: VideoFrame | None = None
    """The last frame, once done, where text is wanted."""


@dataclass(slots=True)
class Tally:
    """What the packets say, gathered while they are read."""

    packets: int = 0
    shown: int = 0
    """Packets whose picture is to be seen; an edit list may hide some."""
    bytes_read: int = 0
    end_tick: int | None = None
    """End of the last picture shown, in ticks of the video stream."""
    ticks: array[int] = field(default_factory=lambda: array("q"))
    """Presentation times of the pictures to be seen, in the order of the file, as far as packets have times."""
    end_s: float = 0.0
    """End of the last packet of any stream, in the file's own clock."""
    faults: list[LostSpan] = field(default_factory=list)
    """Places that could not be read, in the file's own clock."""
    marked: array[int] = field(default_factory=lambda: array("q"))
    """Places in `ticks` of packets that the demuxer marks as cut or damaged."""
    missing_bytes: int = 0
    """What the container promises behind the end of the file; known of Matroska only, as is the next one."""
    false_times: int = 0
    """Packets of the video whose times cannot be and were taken for missing."""
    broken: bool = False
    """Times have gaps, and the container's elements do not follow each other."""


def read_packets(
    container: InputContainer, stream: VideoStream, tally: Tally, every: bool, span: Span = WHOLE
) -> Iterator[VideoPacket]:
    """Yield the video's packets in the order of the file; a damaged place is noted in `tally` and left behind.

    With `every`, packets of all streams are looked at, so that the end of the sound is known too. Of a `span` those
    behind its end are yielded too, as long as they are asked for, but not noted. Raises IrregularError where the
    keyframe that it begins with is not there.
    """
    begun, over, sieve = span.start is None, False, TimeSieve(container)
    if span.start is not None:
        container.seek(span.start, stream=stream)
    for _ in range(_READ_ERRORS):
        try:
            packets: Iterator[Packet[Any]] = container.demux() if every else container.demux(stream)
            for packet in packets:
                if packet.dts is None and packet.pts is None and not packet.size:
                    continue
                own = packet.stream_index == stream.index and packet.size > 0
                tally.false_times += sieve.sift(packet) and own
                if own and packet.is_keyframe:
                    begun = begun or packet.pts == span.start
                    over = over or (span.end is not None and packet.pts == span.end)
                if own and not begun and packet.is_keyframe and (packet.pts or 0) > (span.start or 0):
                    raise IrregularError("the keyframe that a chunk begins with is not found")
                if begun and not over:
                    _note(packet, stream, tally)
                if own and begun:
                    yield packet
        except (FFmpegError, UnicodeError, ValueError, LookupError) as error:
            refuse_shortage(error, Stage.SCENES)
            reason = getattr(error, "strerror", None) or type(error).__name__
            tally.faults.append(LostSpan(tally.end_s, tally.end_s, f"unreadable part: {reason}"))
        else:
            if span == WHOLE:
                look_at_structure(container.format.name, container.name, tally)
            return


def look_at_structure(container: str, path: str, tally: Tally) -> None:
    """Note what the elements of a Matroska file say of its end, and of gaps; of other containers nothing."""
    if container == "matroska,webm":
        with suppress(OSError):  # The packets were read; of a file that is gone now nothing more can be said.
            found = structure(path, deep=bool(gaps(tally.ticks)))
            tally.missing_bytes, tally.broken = found.missing_bytes, found.broken


def _note(packet: Packet[Any], stream: VideoStream, tally: Tally) -> None:
    tally.bytes_read += packet.size
    own = packet.stream_index == stream.index
    tally.packets += own
    tally.shown += own and not packet.is_discard and packet.size > 0
    if own and packet.is_corrupt and packet.size:
        tally.marked.append(len(tally.ticks))
    if packet.pts is None or not packet.time_base or packet.is_discard:
        return
    end = packet.pts + (packet.duration or 0)
    tally.end_s = max(tally.end_s, float(end * packet.time_base))
    if own:
        if packet.size:
            tally.ticks.append(packet.pts)
        tally.end_tick = end if tally.end_tick is None else max(tally.end_tick, end)


class Source:
    """Deals the packets of one video out in stretches: `begin` one, `read` it to its end, `begin` the next."""

    def __init__(self, packets: Iterator[VideoPacket], split: bool, ticks_per_s: float, span: Span = WHOLE) -> None:
        self._packets = packets
        self._span, self._over = span, False
        self._split = split
        self._least = int(_STRETCH_S * ticks_per_s)
        self._ahead: deque[VideoPacket] = deque()
        self._number = 0
        self._begin = self._latest = 0

    def begin(self) -> Stretch | None:
        """Return the next stretch, None at the end of the file or of the span."""
        first = None if self._over else self._next()
        if first is None:
            return None
        inside = self._number > 0 or self._span.start is not None
        stretch = Stretch(self._number, first.pts if inside else None)
        if not self._number and inside:
            self._skip_leading(first)
        self._number += 1
        self._begin = self._latest = first.pts or 0
        self._ahead.appendleft(first)
        return stretch

    def read(self, stretch: Stretch) -> Iterator[VideoPacket]:
        """Yield the packets of the stretch. Raises IrregularError if the video cannot be split after all."""
        while (packet := self._next()) is not None:
            if self._ends(packet) or self._turns(packet):
                stretch.end = packet.pts
                yield from self._leading(stretch, packet)
                return
            if self._split and stretch.start is not None and (packet.pts or 0) < stretch.start:
                raise IrregularError("a picture shown before the keyframe it follows")
            stretch.promised += not packet.is_discard
            self._latest = max(self._latest, packet.pts or 0)
            yield packet
        if self._span.end is not None:
            raise IrregularError("the keyframe that a chunk ends at is not found")

    def _skip_leading(self, key: VideoPacket) -> None:
        """Leave out the pictures shown before the keyframe that the span begins with: they are the span's before."""
        while (packet := self._next()) is not None:
            if (packet.pts or 0) >= (key.pts or 0):
                self._ahead.append(packet)
                return

    def _leading(self, stretch: Stretch, key: VideoPacket) -> Iterator[VideoPacket]:
        """Yield the pictures shown before the next keyframe, after that keyframe: they refer to both sides of it."""
        shared = False
        while (packet := self._next()) is not None:
            if (packet.pts or 0) >= (key.pts or 0):
                self._ahead.append(packet)
                break
            if not shared:
                yield key
                shared = True
            stretch.promised += not packet.is_discard
            yield packet
        self._ahead.appendleft(key)

    def _next(self) -> VideoPacket | None:
        if self._ahead:
            return self._ahead.popleft()
        packet = next(self._packets, None)
        if packet is not None and self._split:
            if packet.pts is None or packet.is_corrupt:
                raise IrregularError("a packet without a time, or marked as damaged", damaged=packet.is_corrupt)
            if self._number and packet.has_sidedata("new_extradata"):
                raise IrregularError("the decoder's parameters change in mid-file")
        return packet

    def _ends(self, packet: VideoPacket) -> bool:
        """Whether the span ends before this packet."""
        if self._span.end is None or packet.pts != self._span.end or not packet.is_keyframe:
            return False
        if packet.pts <= self._latest:
            raise IrregularError("a picture shown after the keyframe it precedes")
        self._over = True
        return True

    def _turns(self, packet: VideoPacket) -> bool:
        return (
            self._split
            and packet.is_keyframe
            and packet.pts is not None
            and packet.pts - self._begin >= self._least
            and packet.pts > self._latest
        )
