"""Reads an output back before it gets its final name."""

import os
from contextlib import suppress

from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Stream
from av.video.stream import VideoStream

from pipeline.errors import JobError
from pipeline.media.open import open_media, video_stream
from pipeline.model import FailureClass, Stage
from pipeline.progress import Tick, no_tick
from pipeline.stage_sections import ProbeSettings
from pipeline.transcode.facts import MediaFacts
from pipeline.transcode.inspect import inspect
from pipeline.transcode.order import Made
from pipeline.transcode.recipe import Recipe

_ENDS_S = 1.0
_FRAMES_APART = 2.5
_LEAST_APART_S = 0.05
_MOST_PIXELS = 1 << 30
_ONLY_READ = {"skip_loop_filter": "all"}
"""Nobody looks at these pictures: the filter that smooths their blocks can find no fault."""


class CopyError(Exception):
    """What was copied does not decode, which was not to be seen from the packets of the source."""


def verify(part: bytes, recipe: Recipe, made: Made, tick: Tick = no_tick) -> MediaFacts:
    """Return what the file at `part` holds.

    Raises JobError where it is not what was to be made of the source, CopyError where that cannot be decoded.
    """
    try:
        found = inspect(part, ProbeSettings(max_pixels=_MOST_PIXELS), tick=tick)
        _ends_decode(part, found)
    except JobError as error:
        if recipe.video.picture is None or not all(track.encoder for track in recipe.audio):
            raise CopyError(str(error)) from error
        raise _wrong(part, f"it cannot be read back ({error})") from error
    video = found.video
    if recipe.video.picture is not None and video.frames != made.frames:
        raise _wrong(part, f"it has {video.frames} pictures, not {made.frames}")
    if abs(video.frames - made.frames) > made.hidden:
        raise _wrong(part, f"it has {video.frames} pictures, not {made.frames}")
    if found.damage.any:
        raise _wrong(part, "its container is damaged")
    sounds = sum(track.decodable for track in found.audio)
    if sounds != made.sounds:
        raise _wrong(part, f"it has {sounds} sound tracks, not {made.sounds}")
    if len(found.subtitles) < made.subtitles:
        raise _wrong(part, f"it has {len(found.subtitles)} subtitle tracks, not {made.subtitles}")
    apart_s = max(_LEAST_APART_S, _FRAMES_APART / (video.fps or 25.0))
    if made.span_s and abs(video.duration_s - made.span_s) > apart_s:
        raise _wrong(part, f"it lasts {video.duration_s:.3f} s, and {made.span_s:.3f} s were read")
    return found


def _ends_decode(part: bytes, facts: MediaFacts) -> None:
    """Decode the first and the last second of picture and sound. Raises JobError."""
    with open_media(part, Stage.VERIFY, _MOST_PIXELS) as container:
        video = video_stream(container, Stage.VERIFY)
        video.codec_context.options = _ONLY_READ
        wanted: list[Stream] = [video, *(container.streams[track.index] for track in facts.audio if track.decodable)]
        _decodes(container, video, wanted, facts.start_s + _ENDS_S)
        if facts.duration_s > _ENDS_S:
            with suppress(FFmpegError):  # A file that cannot be sought is read on to its end.
                container.seek(int((facts.start_s + facts.duration_s - _ENDS_S) * 1e6))
            _decodes(container, video, wanted, None)


def _decodes(container: InputContainer, video: VideoStream, wanted: list[Stream], until_s: float | None) -> None:
    """Decode from where the container stands; a picture at least has to come. Raises JobError."""
    pictures = 0
    try:
        for packet in container.demux(wanted):
            frames = packet.decode()
            if packet.stream_index == video.index:
                pictures += len(frames)
                if frames and until_s is not None and float((packet.dts or 0) * packet.time_base) > until_s:
                    break
    except FFmpegError as error:
        raise JobError(FailureClass.CORRUPT, f"{error.strerror}", stage=Stage.VERIFY) from error
    if not pictures:
        raise JobError(FailureClass.CORRUPT, "no picture decodes", stage=Stage.VERIFY)


def _wrong(part: bytes, why: str) -> JobError:
    """Return the failure of an output that is not whole: of a full disk where there is no room left."""
    room = os.statvfs(os.path.dirname(part) or b".")
    if not room.f_bavail:
        return JobError(FailureClass.DISK_FULL, "The output volume is full.", stage=Stage.VERIFY, detail=why)
    return JobError(FailureClass.WORKER_CRASHED, f"The output is not as it should be: {why}.", stage=Stage.VERIFY)
