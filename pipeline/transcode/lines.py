"""What happens to the packets of one stream on their way into the output: each kind of stream has its line."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from heapq import heappop, heappush
from typing import Any, Protocol

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet
from av.subtitles.stream import SubtitleStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.media.hwaccel import Decoding
from pipeline.model import Stage
from pipeline.shortage import refuse_shortage
from pipeline.transcode.graph import FrameGraph
from pipeline.transcode.output import encoding
from pipeline.transcode.pace import Pace

_BAD_DATA = (UnicodeError, AttributeError, LookupError, ValueError)
_PAST_S = 2.0
"""A picture that would be shown later than this after the end has a time that no packet told."""
Write = Callable[["Packet[Any]"], None]
Timed = tuple[VideoFrame | None, int]
"""A picture and the tick at which it is shown; no picture = the end."""


class Line(Protocol):
    """Takes the packets of one stream; `shift_s` is added to their times."""

    def take(self, packet: Packet[Any], shift_s: float) -> None:
        """Take a packet."""

    def finish(self) -> None:
        """Take the end of the stream."""


class PictureEncoder:
    """Encodes the pictures of a video."""

    def __init__(self, target: VideoStream, encoder: str, write: Write) -> None:
        self._target, self._encoder, self._write = target, encoder, write
        self._tick = target.codec_context.time_base

    def take(self, timed: Timed) -> None:
        """Take a picture, or the end."""
        frame, tick = timed
        if frame is not None:
            frame.pts, frame.time_base = tick, self._tick
            frame.pict_type = 0  # The encoder would take over what the picture was in the source.
        with encoding(self._encoder):
            for packet in self._target.codec_context.encode_lazy(frame):
                packet.stream = self._target
                self._write(packet)


class PictureLine:
    """Decodes and filters a video, and gives its pictures to be encoded."""

    def __init__(
        self,
        source: VideoStream,
        decoder: Decoding,
        graph: FrameGraph[VideoFrame],
        pace: Pace,
        give: Callable[[Timed], None],
        *,
        step_s: float,
        end_s: float,
        by_order: bool,
    ) -> None:
        """With `by_order` pictures take the times of the packets in order of size: the file has no better ones."""
        self._source, self._decoder = source, decoder
        self._graph, self._pace, self._give = graph, pace, give
        self._step_s, self._end_s, self._by_order = step_s, end_s, by_order
        self._promised: list[int] = []
        self._waiting: VideoFrame | None = None
        self._times: deque[list[int]] = deque()
        self._last_s = -1.0
        self._shift_s = self._ends_s = 0.0
        self.shown = self.damaged = self.refused = self.written = 0
        self.first_s = 0.0
        self.losses: list[tuple[float, str]] = []

    def take(self, packet: Packet[Any], shift_s: float) -> None:
        """Take a packet; one that cannot be decoded is a loss."""
        if self._by_order and packet.dts is not None:
            heappush(self._promised, packet.dts)
        self._decode(packet, shift_s)

    def finish(self) -> None:
        """Drain the decoder and the filters, and give the end to the encoder."""
        self._decode(None, self._shift_s)
        if self._waiting is not None:
            end_s = self._end_s if 0 < self._end_s - self._last_s < 10 * self._step_s else self._last_s + self._step_s
            self._ends_s = end_s
            self._pass(self._pace.last(end_s))
        self._filtered(None)
        if self.written:
            self._give((None, 0))

    def _decode(self, packet: Packet[Any] | None, shift_s: float) -> None:
        self._shift_s = shift_s
        try:
            frames = self._decoder.decode(packet)
        except EOFError:
            return
        except (FFmpegError, *_BAD_DATA) as error:
            refuse_shortage(error, Stage.TRANSCODE)
            self.refused += 1
            if self._promised:
                heappop(self._promised)
            self.losses.append((max(0.0, self._last_s + self._step_s), "pictures missing"))
            return
        for frame in frames:
            self._show(frame, shift_s)

    def _show(self, frame: VideoFrame, shift_s: float) -> None:
        self.shown += 1
        tick = frame.pts if frame.pts is not None else frame.dts
        if self._by_order:
            tick = heappop(self._promised) if self._promised else None
        base = float(frame.time_base or self._source.time_base or 0)
        time_s = self._last_s + self._step_s if tick is None else tick * base + shift_s
        if time_s > self._end_s + _PAST_S:
            time_s = self._last_s + self._step_s  # No packet says so: the time of a damaged picture.
        if frame.is_corrupt:
            self.damaged += 1
            self.losses.append((max(0.0, time_s), "damaged pictures"))
        if self._waiting is None:
            time_s = max(0.0, time_s)
            self.first_s = time_s
            self._pace.first(time_s)
        else:
            time_s = max(time_s, self._last_s)
            self._pass(self._pace.shown(time_s))
        self._waiting, self._last_s = frame, time_s

    def _pass(self, ticks: list[int]) -> None:
        """Send the picture that waited on, to be shown at these ticks; not at all where there are none."""
        if ticks and self._waiting is not None:
            self._times.append(ticks)
            self._filtered(self._waiting)

    def _filtered(self, frame: VideoFrame | None) -> None:
        for made in self._graph.through(frame):
            for tick in self._times.popleft() if self._times else ():
                self.written += 1
                self._give((made, tick))

    @property
    def span_s(self) -> float:
        """From the first picture to the end of the last, as the source shows them."""
        return max(0.0, self._ends_s - self.first_s)

    @property
    def last_s(self) -> float:
        """When the last picture was shown."""
        return max(0.0, self._last_s)


class SoundLine:
    """Decodes, resamples and encodes a sound track; what cannot be decoded becomes silence."""

    def __init__(self, source: AudioStream, target: AudioStream, graph: FrameGraph[AudioFrame], write: Write) -> None:
        self._source, self._target, self._graph, self._write = source, target, graph, write
        self._next_s = 0.0
        self.refused = self.written = 0

    def take(self, packet: Packet[Any], shift_s: float) -> None:
        """Take a packet."""
        self._decode(packet, shift_s)

    def finish(self) -> None:
        """Drain the decoder, the resampler and the encoder."""
        self._decode(None, 0.0)
        self._resampled(None)
        if self.written:
            self._encoded(None)

    def _decode(self, packet: Packet[Any] | None, shift_s: float) -> None:
        try:
            frames = self._source.codec_context.decode(packet)
        except EOFError:
            return
        except (FFmpegError, *_BAD_DATA) as error:
            refuse_shortage(error, Stage.TRANSCODE)
            self.refused += 1
            return
        for frame in frames:
            base = frame.time_base or self._source.time_base
            if not frame.sample_rate or base is None:
                continue
            tick = frame.pts if frame.pts is not None else frame.dts
            time_s = self._next_s if tick is None else float(tick * base) + shift_s
            frame.time_base = Fraction(1, frame.sample_rate)
            frame.pts = round(time_s * frame.sample_rate)
            self._next_s = time_s + frame.samples / frame.sample_rate
            self._resampled(frame)

    def _resampled(self, frame: AudioFrame | None) -> None:
        try:
            for made in self._graph.through(frame):
                self._encoded(made)
        except FFmpegError as error:
            refuse_shortage(error, Stage.TRANSCODE)
            self.refused += 1

    def _encoded(self, frame: AudioFrame | None) -> None:
        self.written += frame is not None
        with encoding(self._target.codec_context.name):
            packets = self._target.encode(frame)
        for packet in packets:
            self._write(packet)


class SubtitleLine:
    """Makes subtitles of another kind out of texts."""

    def __init__(self, source: SubtitleStream, target: SubtitleStream, write: Write) -> None:
        self._source, self._target, self._write = source, target, write
        self.refused = self.written = 0

    def take(self, packet: Packet[Any], shift_s: float) -> None:
        """Take a packet; a text that cannot be read is left out."""
        if packet.pts is None or not packet.size:
            return
        try:
            texts = self._source.codec_context.decode2(packet)
            if texts is None or not len(texts.rects):
                return
            made = self._target.codec_context.encode_subtitle(texts)
        except (FFmpegError, *_BAD_DATA, struct.error) as error:
            refuse_shortage(error, Stage.TRANSCODE)
            self.refused += 1
            return
        base = packet.time_base
        made.stream = self._target
        made.time_base = base
        made.pts = made.dts = max(0, packet.pts + round(shift_s / base))
        made.duration = packet.duration
        self.written += 1
        self._write(made)

    def finish(self) -> None:
        """Do nothing: nothing was kept back."""
