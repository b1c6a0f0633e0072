"""Which hardware encoder serves: only one that has really encoded on this machine, tried once in each process."""

import functools
import io
from fractions import Fraction

import av
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.errors import JobError
from pipeline.model import FailureClass, Stage
from pipeline.transcode.picture import software_of
from pipeline.transcode.settings import HARDWARE, TranscodeSettings

_HARDWARE_OF = {software: name for name, software in HARDWARE.items()}
_WIDTH, _HEIGHT, _PICTURES = 640, 360, 8


def chosen(settings: TranscodeSettings) -> tuple[str, str]:
    """Return the hardware encoder to use, empty for software, and a sentence where that was not what was asked for.

    Raises JobError (settings) where the hardware has to be used and cannot.
    """
    name: str = settings.video_codec if settings.video_codec in HARDWARE else ""
    if settings.video_codec == "auto" or (settings.hwaccel == "cuda" and not name):
        name = _HARDWARE_OF.get(software_of(settings), "")
    if not name:
        return "", ""
    why = "hwaccel is none" if settings.hwaccel == "none" else refusal(name)
    if not why:
        return name, ""
    sentence = f"{name} cannot be used here: {why}."
    if settings.hwaccel == "cuda":
        raise JobError(FailureClass.SETTINGS, sentence, stage=Stage.TRANSCODE)
    asked = settings.video_codec != "auto"
    return "", f"{sentence.removesuffix('.')}; software encoded this video." if asked else ""


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
