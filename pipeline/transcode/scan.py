"""One pass over the packets of a file, none of which is decoded: what their times and marks say."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from numpy.typing import NDArray

from pipeline.media.timing import uneven
from pipeline.model import Stage
from pipeline.progress import Tick, no_tick
from pipeline.shortage import refuse_shortage
from pipeline.transcode.timeline import Timeline

_READ_ERRORS = 8
_ODD_TICK_S = 1 / 90_000
"""Of a stream that gives no unit for its times."""
_MOST_FAULTS = 20


@dataclass(slots=True)
class Track:
    """What the packets of one stream say; times in ticks of the stream, moved to one clock."""

    tick_s: float
    is_video: bool
    packets: int = 0
    hidden: int = 0
    """Packets that an edit list hides."""
    marked: int = 0
    timeless: int = 0
    borrowed: int = 0
    """Pictures that say only when they are decoded."""
    times: array[int] = field(default_factory=lambda: array("q"))
    """Of a video: when its pictures are shown, in the order of the file. Of a sound: its first packet."""
    keys: array[int] = field(default_factory=lambda: array("q"))
    last_duration: int = 0
    end: int | None = None

    def sorted_times(self) -> NDArray[np.int64]:
        """Return the times in growing order, each once."""
        return np.unique(np.frombuffer(self.times, np.int64)) if self.times else np.empty(0, np.int64)

    def repeated(self) -> int:
        """Return how many pictures have the time of another one."""
        return 0 if self.borrowed else len(self.times) - len(self.sorted_times())

    def variable(self) -> bool:
        """Whether pictures do not follow each other in equal steps."""
        return bool(self.times) and uneven(self.sorted_times())

    def step_s(self) -> float:
        """Return the usual time between two pictures, 0 where that cannot be told."""
        steps = np.diff(self.sorted_times())
        return float(np.median(steps)) * self.tick_s if len(steps) else 0.0

    def key_gap_s(self) -> float:
        """Return the longest time from one keyframe to the next, or to the end."""
        if not self.keys:
            return 0.0
        ends = [*sorted(self.keys), self.end if self.end is not None else self.keys[-1]]
        return float(np.max(np.diff(ends), initial=0)) * self.tick_s


@dataclass(slots=True)
class Scan:
    """What the packets of a file say."""

    tracks: dict[int, Track]
    timeline: Timeline
    faults: list[str] = field(default_factory=list)


def scan(container: InputContainer, streams: list[Stream], tick: Tick = no_tick) -> Scan:
    """Read every packet and return what those of `streams` (pictures and sounds) say; damage ends nothing."""
    tracks = {stream.index: Track(float(stream.time_base or _ODD_TICK_S), stream.type == "video") for stream in streams}
    found = Scan(tracks, Timeline(container.format.name))
    for _ in range(_READ_ERRORS):
        try:
            for packet in container.demux(streams):
                tick()
                track = tracks.get(packet.stream_index)
                if track is not None and packet.size:
                    _note(packet, track, found.timeline)
        except (FFmpegError, UnicodeError, ValueError, LookupError) as error:
            refuse_shortage(error, Stage.PROBE)
            if len(found.faults) < _MOST_FAULTS:
                found.faults.append(getattr(error, "strerror", None) or type(error).__name__)
        else:
            break
    return found


def _note(packet: Packet[Any], track: Track, timeline: Timeline) -> None:
    tick_s, duration = track.tick_s, packet.duration or 0
    dts, pts = packet.dts, packet.pts
    track.packets += not packet.is_discard
    track.hidden += packet.is_discard
    track.marked += packet.is_corrupt
    shift = round(
        timeline.moved(packet.stream_index, None if dts is None else dts * tick_s, duration * tick_s) / tick_s
    )
    shown = pts if pts is not None else dts
    if shown is None:
        track.timeless += 1
        return
    if packet.is_discard:
        return
    track.borrowed += pts is None
    shown += shift
    end = shown + duration
    if track.end is None or end >= track.end:
        track.end, track.last_duration = end, duration
    if track.is_video:
        track.times.append(shown)
        if packet.is_keyframe:
            track.keys.append(shown)
    elif not track.times:
        track.times.append(shown)
