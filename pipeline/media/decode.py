"""Decoding one stretch: packets in, what the deciding stages need out; runs in a decoder thread."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from av.error import FFmpegError
from av.video.frame import VideoFrame

from pipeline.media.hwaccel import Decoding
from pipeline.media.picture import Box, frame_bytes
from pipeline.media.score import DetectorName, Measure, Meter, compare, weigh
from pipeline.media.seen import Candidate, IrregularError, Seen, VideoPacket
from pipeline.media.stretch import Stretch
from pipeline.model import Stage
from pipeline.shortage import refuse_shortage
from pipeline.stage_sections import FramesSettings

CUT_HINT = 15.0
"""Score from which a frame may begin a scene and is weighed as a candidate too (AdaptiveDetector's own least)."""

_COVERED = 0.75


@dataclass(frozen=True, slots=True)
class TextTimes:
    """The times at which text is read: the first frame of each interval and the one in the middle of the video."""

    interval_s: float
    middle_s: float

    def wanted(self, before_s: float, time_s: float) -> bool:
        """Whether the frame at `time_s`, after one at `before_s`, is read."""
        steps = int((before_s + 1e-6) / self.interval_s), int((time_s + 1e-6) / self.interval_s)
        return steps[0] != steps[1] or before_s < self.middle_s <= time_s


@dataclass(frozen=True, slots=True)
class View:
    """What decoder threads need to know of the video and of the settings."""

    box: Box
    """The crop in the picture as coded."""
    tick_s: float
    start_s: float
    step_s: float
    """Nominal time between frames."""
    grid_s: float
    """Candidates are the first frames in each cell of this length; 0 = keyframes are."""
    detector: DetectorName | None
    """None where scenes are not looked for."""
    coded_width: int
    coded_height: int
    weighing: FramesSettings | None
    """None where candidates are not compared with each other."""
    keys_only: bool
    """Keyframes are decoded and nothing else."""
    split: bool
    strict: bool
    """A decoding error ends the attempt: a decoder of several threads loses pictures when it meets one."""
    by_order: bool
    """The container has no presentation times: pictures take the packets' times in order of size."""
    sparse: bool
    """A packet may say that nothing changed and give no picture; only one that cannot be decoded is a loss."""
    exact: bool
    """Each packet gives one picture at the packet's own time; only a second field does not."""
    text: TextTimes | None = None
    """When pictures are read; None where text is not wanted."""

    def cell(self, time_s: float) -> int:
        """Return the cell of the candidate grid that a time lies in."""
        return int((time_s + 1e-6) / self.grid_s)

    def times(self, ticks: tuple[int, ...]) -> tuple[float, ...]:
        """Return presentation seconds."""
        return tuple(tick * self.tick_s - self.start_s for tick in ticks)


def is_candidate(view: View, first: bool, before_s: float, time_s: float, high: float, score: float) -> bool:
    """Whether a frame is a candidate: the first of a grid cell, or the first whose score hints at a cut."""
    if first or view.cell(time_s) != view.cell(before_s):
        return True
    return view.weighing is not None and high < CUT_HINT <= score


class _Clock:
    """Presentation seconds that always grow; in an unsplit video a missing time is replaced.

    So is one that goes back, if the times were taken in order of size already.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._shift = 0.0
        self._last: float | None = None
        self._complete = True

    def time(self, pts: int | None, place: int) -> float:
        """Return the time of a frame with `pts` ticks, at least `place` frames into the video."""
        view = self._view
        time_s = None if pts is None else pts * view.tick_s - view.start_s + self._shift
        if time_s is None or time_s < 0 or (self._last is not None and time_s <= self._last):
            if view.split:
                raise IrregularError("times missing or going back")
            if time_s is not None and time_s >= 0 and self._complete and not view.by_order:
                raise IrregularError("times going back", times=True)
            self._complete = self._complete and time_s is not None
            wanted = 0.0 if self._last is None else self._last + view.step_s
            if time_s is None:
                wanted = max(wanted, place * view.step_s)
            if time_s is not None:
                self._shift += wanted - time_s
            time_s = wanted
        self._last = time_s
        return time_s


class _Promises:
    """Times of pictures that the packets promise; tells which did not come although later ones did."""

    def __init__(self, view: View) -> None:
        self._near = _COVERED * view.step_s / view.tick_s
        self._exact = view.exact
        self._waiting: list[tuple[int, bool]] = []
        self._last: int | None = None
        self._fields = not view.exact

    def add(self, packet: VideoPacket, *, refused: bool = False) -> None:
        """Note what a packet promises; one that the decoder `refused` is covered by no neighbour."""
        if packet.pts is not None and not packet.is_discard:
            heappush(self._waiting, (packet.pts, refused))

    def came(self, pts: int | None, *, fields: bool = False) -> tuple[int, ...]:
        """Return the promised ticks before `pts` that no frame covers; a second field is covered by its first."""
        missing: list[int] = []
        while pts is not None and self._waiting and self._waiting[0][0] <= pts:
            tick, refused = heappop(self._waiting)
            last = missing[-1] if missing else self._last
            if tick == pts and self._exact:
                break
            covered = self._fields and not refused and last is not None and tick - last <= self._near
            if tick < pts and not covered:
                missing.append(tick)
        self._last = pts
        self._fields = fields or not self._exact
        return tuple(missing)

    def earliest(self) -> int | None:
        """Return and settle the earliest promised tick."""
        return heappop(self._waiting)[0] if self._waiting else None

    def rest(self) -> tuple[int, ...]:
        """Return the promised ticks that no frame covered by the end."""
        return self.came(max(self._waiting)[0] + 1) if self._waiting else ()


class _Watch:
    """Turns the decoded frames of one stretch into what was seen."""

    def __init__(self, view: View, meter: Meter | None) -> None:
        self._view, self._meter = view, meter
        self._clock = _Clock(view)
        self._before_s = self._score = 0.0
        self.count = 0
        self.measure: Measure | None = None
        self.promises = _Promises(view)
        self.latest: VideoFrame | None = None

    def see(self, frame: VideoFrame, place: int = 0) -> Seen:
        """Measure the frame, and weigh it if it is a candidate; `place` counts the frames passed over as well."""
        view = self._view
        if view.split and frame.is_corrupt:
            raise IrregularError("damaged picture", damaged=True)
        pts = self.promises.earliest() if view.by_order else frame.pts
        missing = () if view.split or view.by_order else self.promises.came(pts, fields=frame.interlaced_frame)
        seen = Seen(self._clock.time(pts, place), keyframe=frame.key_frame, damaged=frame.is_corrupt)
        seen.lost = view.times(missing)
        if view.detector and self._meter is not None:
            before, self.measure = self.measure, self._meter.measure(frame)
            if before is None:
                seen.measure = self.measure
            else:
                seen.score = compare(view.detector, before, self.measure)
        # The second frame is weighed at any high score: whether the first had one is known only to the collector.
        high, self._score = self._score, seen.score if isinstance(seen.score, float) else 0.0
        if self.count == 1:
            high = 0.0
        if not view.grid_s:
            wanted = seen.keyframe or self.count == 0  # A video may begin with another picture.
        else:
            wanted = is_candidate(view, self.count == 0, self._before_s, seen.time_s, high, self._score)
        if wanted:
            seen.candidate = self._candidate(frame, seen.time_s)
        if view.text:
            self.latest = frame
            # The frame before a stretch is known only to the collector, which decides.
            if self.count == 0 or view.text.wanted(self._before_s, seen.time_s):
                seen.shown = frame
        self._before_s = seen.time_s
        self.count += 1
        return seen

    def next_s(self) -> float:
        """Return when a frame that has no time would be shown."""
        return self._before_s + self._view.step_s if self.count else 0.0

    def _candidate(self, frame: VideoFrame, time_s: float) -> Candidate:
        sharpness, good = 0.0, True
        limits = self._view.weighing
        if limits is not None:
            sharpness, entropy, brightness = weigh(frame, self._view.box)
            good = brightness >= limits.min_luma and entropy >= limits.min_entropy_bits
        return Candidate(time_s, -1, frame, sharpness, good, frame_bytes(frame))


class Decoder:
    """Decodes stretches one after another with one codec context."""

    def __init__(self, context: Decoding, view: View) -> None:
        self._context = context
        self._view = view
        self._errors = 0
        self._meter = None
        if view.detector is not None:
            self._meter = Meter(view.detector, view.box, view.coded_width, view.coded_height)

    def frames(self, stretch: Stretch, packets: Iterator[VideoPacket]) -> Iterator[Seen]:
        """Yield every frame of the stretch. Raises IrregularError in a split video where something is wrong."""
        if stretch.number:
            self._context.flush_buffers()
        watch = _Watch(self._view, self._meter)
        yield from self._key_frames(packets, watch) if self._view.keys_only else self._all(stretch, packets, watch)
        stretch.last, stretch.ending = watch.measure, watch.latest
        if self._view.split and watch.count != stretch.promised:
            raise IrregularError(f"{stretch.promised} packets gave {watch.count} pictures")
        rest = watch.promises.rest()
        if self._view.by_order and not self._view.exact:
            rest = rest[len(rest) - min(self._errors, len(rest)) :]
        if rest:
            yield Seen(-1.0, lost=self._view.times(rest))

    def _all(self, stretch: Stretch, packets: Iterator[VideoPacket], watch: _Watch) -> Iterator[Seen]:
        for packet in packets:
            errors = self._errors
            frames = self._send(packet)
            refused = self._errors > errors
            if not self._view.split and (refused or not self._view.sparse) and not _is_past(packet, stretch):
                watch.promises.add(packet, refused=refused)
            if refused and packet.pts is None:
                yield Seen(-1.0, lost=(watch.next_s(),))
            for frame in frames:
                if _belongs(frame, stretch):
                    yield watch.see(frame)
        for frame in self._send(None):
            if _belongs(frame, stretch):
                yield watch.see(frame)

    def _key_frames(self, packets: Iterator[VideoPacket], watch: _Watch) -> Iterator[Seen]:
        """Decode each keyframe on its own; the other packets are counted, so that frames keep their places."""
        waiting: list[Seen] = []
        key_pts: int | None = None
        count = 0
        for packet in packets:
            if packet.is_keyframe:
                yield from waiting
                key_pts = packet.pts
                watch.promises.add(packet)
                waiting = [watch.see(frame, count) for frame in (*self._send(packet), *self._send(None))]
                self._context.flush_buffers()
                for seen in waiting:
                    seen.rank = count
            elif key_pts is not None and packet.pts is not None and packet.pts < key_pts:
                for seen in waiting:
                    seen.rank += 1
            count += not packet.is_discard
        yield from waiting

    def _send(self, packet: VideoPacket | None) -> list[VideoFrame]:
        try:
            return self._context.decode(packet)
        except EOFError:
            return []
        except (FFmpegError, UnicodeError, AttributeError, LookupError, ValueError) as error:
            refuse_shortage(error, Stage.SCENES)
            if self._view.strict:
                raise IrregularError(f"decoding error: {error}", damaged=True) from error
            self._errors += 1
            return []  # The promise of this packet stays open and is counted as lost.


def _is_past(packet: VideoPacket, stretch: Stretch) -> bool:
    """Whether the packet's picture is the next stretch's."""
    return stretch.end is not None and packet.pts is not None and packet.pts >= stretch.end


def _belongs(frame: VideoFrame, stretch: Stretch) -> bool:
    """Whether the frame lies between the bounds of the stretch; pictures past the end are the next one's."""
    if frame.pts is None:
        return True
    if stretch.start is not None and frame.pts < stretch.start:
        return False
    return stretch.end is None or frame.pts < stretch.end
