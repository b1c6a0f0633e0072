"""How long a video is and how many frames a second it has, as far as its index or its header tells."""

from dataclasses import dataclass
from itertools import islice

from av.container import InputContainer
from av.video.stream import VideoStream

from pipeline.media.timing import uneven

_INDEX_SEEN = 20_000
_LONGEST_S, _ABSURD_FPS = 7 * 86_400.0, 1000.0
_INDEX_SLACK_S, _INDEX_SLACK_SHARE = 0.3, 0.01
_WHOLE_INDEX = ("mov,mp4,m4a,3gp,3g2,mj2", "avi")
"""Containers whose index lists every packet."""


@dataclass(frozen=True, slots=True)
class Promised:
    """What header or index promise of the times of a video."""

    duration_s: float
    fps: float
    variable: bool
    """Whether its frames come at uneven times."""
    frames: int
    """0 when unknown."""


PICTURE = Promised(0.0, 0.0, False, 1)
"""A still picture."""


def from_index(container: InputContainer, stream: VideoStream, header_s: float) -> Promised | None:
    """Return what the index says where it lists every packet; it is built from the file's own tables."""
    if container.format.name not in _WHOLE_INDEX or not stream.time_base:
        return None
    entries = stream.index_entries
    count = len(entries)
    if count < 2:
        return None
    ticks = [entry.timestamp for entry in islice(entries, _INDEX_SEEN) if not entry.is_discard]
    span = entries[count - 1].timestamp - entries[0].timestamp
    if len(ticks) < 2 or span <= 0:
        return None
    duration = float(span * stream.time_base) * count / (count - 1)
    promised = float((stream.duration or 0) * stream.time_base) or header_s
    if duration + max(_INDEX_SLACK_S, _INDEX_SLACK_SHARE * promised) < promised <= _LONGEST_S:
        return None  # A file in fragments lists only those that were looked at.
    return Promised(duration, count / duration, uneven(ticks), count) if duration <= _LONGEST_S else None


def from_header(stream: VideoStream, header_s: float, ticks: list[int]) -> Promised:
    """Return what the header says; of the rate also what the times of the first packets, `ticks`, do."""
    duration = header_s if header_s <= _LONGEST_S else 0.0
    rate = stream.average_rate or stream.guessed_rate
    fps = float(rate) if rate else 0.0
    if not 0 < fps < _ABSURD_FPS:
        fps = 0.0
    if len(ticks) > 2 and stream.time_base and (not fps or uneven(ticks)):
        fps = (len(ticks) - 1) / float((ticks[-1] - ticks[0]) * stream.time_base or 1)
    return Promised(duration, fps, uneven(ticks), 0)
