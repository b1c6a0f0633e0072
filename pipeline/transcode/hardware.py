"""Whether a hardware encoder really encodes on this machine, asked once in each process."""

import functools
import io
from fractions import Fraction

import av
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

_WIDTH, _HEIGHT, _PICTURES = 640, 360, 8


@functools.cache
def refusal(encoder: str) -> str:
    """Return why `encoder` cannot be used here, empty where it has encoded a few pictures."""
    try:
        with av.open(io.BytesIO(), "w", format="matroska") as output:
            stream = output.add_stream(encoder, rate=25)
            assert isinstance(stream, VideoStream)
            stream.codec_context.width, stream.codec_context.height = _WIDTH, _HEIGHT
            stream.codec_context.pix_fmt = "yuv420p"
            written = 0
            for number in range(_PICTURES):
                frame = VideoFrame(_WIDTH, _HEIGHT, "yuv420p")
                for plane in frame.planes:
                    plane.update(bytes([40 + 8 * number]) * plane.buffer_size)
                frame.pts, frame.time_base = number, Fraction(1, 25)
                written += len(stream.encode(frame))
            written += len(stream.encode(None))
    except (FFmpegError, ValueError, RuntimeError, NotImplementedError) as error:
        return " ".join(str(error).split())[:200] or type(error).__name__
    return "" if written == _PICTURES else f"{written} of {_PICTURES} pictures came out"
