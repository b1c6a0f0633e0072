"""What the header of a file says about how long it is; whoever reads the packets knows whether that is true."""

import re

from av.container import InputContainer
from av.video.stream import VideoStream

_CLOCK_TIME = re.compile(r"(\d{2,}):(\d\d):(\d\d(?:\.\d*)?)")


def header_seconds(container: InputContainer, stream: VideoStream) -> float:
    """Return how long the header says that the file is, in seconds; 0 where it does not say."""
    if container.format.name == "avi" and (end_s := track_end(container, stream)):
        return end_s  # FFmpeg guesses by the size where the index is gone.
    return container.duration / 1e6 if container.duration and container.duration > 0 else 0.0


def track_end(container: InputContainer, stream: VideoStream) -> float:
    """Return where the header says that this track ends, in the file's own clock; 0 where it does not say.

    Only of MOV, AVI and Matroska: what FFmpeg tells of a track in other formats is that of the whole file.
    """
    ticks = {"mov,mp4,m4a,3gp,3g2,mj2": stream.duration, "avi": stream.frames}.get(container.format.name)
    if ticks and stream.time_base:
        return max(0.0, float(ticks * stream.time_base))
    found = _CLOCK_TIME.fullmatch(stream.metadata.get("DURATION", ""))
    if found and container.format.name == "matroska,webm":
        return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])
    return 0.0
