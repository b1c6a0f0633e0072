"""Decoding on a GPU: pictures as the CPU gives them, and software that takes over from the last keyframe."""

from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

import av
from av.codec.hwaccel import HWAccel
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from pipeline.media.seen import VideoPacket

CODECS = frozenset({"h264", "hevc", "vp9", "av1"})
"""What NVDEC decodes to the very bits of every other decoder, because the standard leaves nothing open."""
FORMATS = frozenset({"yuv420p", "yuvj420p", "yuv420p10le"})
"""Pixel formats that are the same samples as NVDEC's own (nv12, p010le) in another order."""
REFUSALS = (FFmpegError, ValueError, RuntimeError, NotImplementedError)
"""What PyAV raises where a GPU does not decode."""

_MOST_KEPT_BYTES = 64 << 20


class Decoding(Protocol):
    """What a decoder is here: packets in, pictures out, in the order in which they are shown."""

    def decode(self, packet: VideoPacket | None = None, /) -> list[VideoFrame]:
        """Return the pictures that a packet completes; None = the end."""

    def flush_buffers(self) -> None:
        """Forget what came before, so that a keyframe can follow."""


def hardware_context(stream: VideoStream, gpu: int, max_pixels: int) -> VideoCodecContext:
    """Return a decoder on a GPU for the stream, set up as its software decoder is. Raises one of REFUSALS."""
    like = stream.codec_context
    accelerated = HWAccel("cuda", device=str(gpu), allow_software_fallback=False)
    # FFmpeg's own decoders hand their work to NVDEC; for AV1 the stream's is dav1d, which cannot.
    context = cast(VideoCodecContext, av.CodecContext.create(like.codec.canonical_name, "r", hwaccel=accelerated))
    if not context.is_hwaccel:
        raise NotImplementedError(f"this FFmpeg cannot decode {like.codec.canonical_name} on a GPU")
    set_up_like(context, like, max_pixels)
    return context


def set_up_like(context: VideoCodecContext, like: VideoCodecContext, max_pixels: int) -> None:
    """Give a fresh decoder what the container says of the stream."""
    context.extradata = like.extradata
    context.width, context.height = like.width, like.height
    context.reorder_depth = like.reorder_depth
    if like.sample_aspect_ratio is not None:
        context.sample_aspect_ratio = like.sample_aspect_ratio
    context.color_range, context.colorspace = like.color_range, like.colorspace
    context.color_primaries, context.color_trc = like.color_primaries, like.color_trc
    context.options = {**context.options, "max_pixels": str(max_pixels)}
    context.thread_count = 1


def said(error: Exception) -> str:
    """Return what an error says, in one short line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


class HardwareDecoder:
    """Decodes on a GPU; where that fails, software goes on from the last keyframe, so that no picture is missing.

    The packets since that keyframe are kept for it. Where they grow too many software takes over as well.
    """

    def __init__(self, hardware: Decoding, software: VideoCodecContext, fell_back: Callable[[str], None]) -> None:
        """`fell_back` is told why software takes over."""
        self._hardware: Decoding | None = hardware
        self._software, self._fell_back = software, fell_back
        self._format = software.pix_fmt or ""
        self._converter = VideoReformatter()
        self._groups: deque[list[VideoPacket | None]] = deque([[]])
        """The packets from each keyframe on; the first group begins before the next picture to be shown."""
        self._bytes = 0
        self._given: int | None = None
        """Time of the last picture that was given."""

    def decode(self, packet: VideoPacket | None = None, /) -> list[VideoFrame]:
        """Return the pictures that a packet completes. Raises what the software decoder raises, once it is used."""
        if self._hardware is None:
            return self._software.decode(packet)
        self._keep(packet)
        try:
            frames = [self._lowered(frame) for frame in self._hardware.decode(packet)]
        except EOFError:
            raise
        except REFUSALS as error:
            return self._take_over(said(error))
        self._given = max((frame.pts for frame in frames if frame.pts is not None), default=self._given)
        self._let_go()
        if self._bytes > _MOST_KEPT_BYTES:
            frames += self._take_over("its keyframes are too far apart")
        return frames

    def flush_buffers(self) -> None:
        """Forget what came before, so that a keyframe can follow."""
        self._groups, self._bytes, self._given = deque([[]]), 0, None
        (self._hardware or self._software).flush_buffers()

    def _lowered(self, frame: VideoFrame) -> VideoFrame:
        """Return the picture in the pixel format that software gives."""
        if frame.format.name == self._format:
            return frame
        return self._converter.reformat(frame, format=self._format, threads=1)

    def _keep(self, packet: VideoPacket | None) -> None:
        if packet is not None and packet.is_keyframe and self._groups[-1]:
            self._groups.append([])
        self._groups[-1].append(packet)
        self._bytes += packet.size if packet is not None else 0

    def _let_go(self) -> None:
        """Drop the packets before a keyframe that was shown: what is shown before it was given as well."""
        while len(self._groups) > 1 and self._given is not None:
            key = self._groups[1][0]
            if key is None or key.pts is None or key.pts > self._given:
                return
            self._bytes -= sum(packet.size for packet in self._groups.popleft() if packet is not None)

    def _take_over(self, why: str) -> list[VideoFrame]:
        """Decode what was kept once more, by software, and return the pictures that were not given yet."""
        self._hardware = None
        self._fell_back(why)
        frames = [frame for group in self._groups for packet in group for frame in self._software.decode(packet)]
        self._groups.clear()
        given = self._given
        return [frame for frame in frames if given is None or frame.pts is None or frame.pts > given]
