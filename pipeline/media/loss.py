"""What of a video could not be read: single pictures, unreadable places, and an end that is missing."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from pipeline.media.result import LostSpan
from pipeline.media.stretch import Tally
from pipeline.media.timing import gaps
from pipeline.stages.probe import Probe
from pipeline.text import plural

MISSING, DAMAGED, ENDS_EARLY = "pictures missing", "damaged pictures", "the file ends early"
CUT, BROKEN = "unreadable part: a packet is cut or damaged", "unreadable part: the container is broken"
"""Reasons."""

_MOST_SPANS = 1000
_JOINED = frozenset({"mpegts"})
_NEAR, _GAP, _REACH = 8, 1.6, 5
_BELIEVED_S = 7 * 86_400.0
_HEADER_SLACK_S, _HEADER_SLACK_SHARE = 0.3, 0.001
_TRACK_SLACK_S, _TRACK_SLACK_STEPS = 0.05, 1.5
_TRUE_HEADERS = frozenset({"matroska,webm", "flv", "asf", "avi", "mov,mp4,m4a,3gp,3g2,mj2", "nut", "ogg", "rm"})
"""Formats whose header was written when the length was known, or whose end tells it; of others it is estimated."""


def cuts(ticks: Sequence[int], marked: Sequence[int], *, joined: bool) -> list[int]:
    """Return the times of `marked` packets where something is lost; both are in the order of the file.

    Streams that may be `joined` from several have marks where those meet too: there, one counts only if a picture is
    missing among those that follow it in the file, or the file ends so soon that one may be.
    """
    found = sorted({ticks[min(place, len(ticks) - 1)] if ticks else 0 for place in marked})
    if not joined or (marked and marked[-1] >= len(ticks) - _REACH):
        return found
    ordered = sorted(set(ticks))
    return sorted({ticks[place] for place in marked if _gap(ordered, ticks[max(0, place - 1) : place + _REACH])})


def _gap(ordered: Sequence[int], around: Sequence[int]) -> bool:
    first, last = bisect_left(ordered, min(around)), bisect_left(ordered, max(around))
    near = ordered[max(0, first - _NEAR) : last + _NEAR + 1]
    steps = sorted(after - before for before, after in pairwise(near))
    longest = max((after - before for before, after in pairwise(ordered[max(0, first - 1) : last + 3])), default=0)
    return longest > _GAP * (steps[len(steps) // 2] if steps else 0)


class Losses:
    """Gathers losses in the order of time; spans that touch are one."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self.spans: list[LostSpan] = []
        self._counts: Counter[str] = Counter()

    def picture(self, time_s: float, reason: str) -> None:
        """Note one lost or damaged picture at `time_s`."""
        self._counts[reason] += 1
        self.span(max(0.0, time_s), max(0.0, time_s) + self._step_s, reason)

    def part(self, span: LostSpan, frames: int) -> None:
        """Note a part that was not read at all, which holds so many pictures."""
        self._counts[span.reason] += frames
        self.span(span.start_s, span.end_s, span.reason)

    @property
    def frames(self) -> int:
        """How many pictures are lost or damaged."""
        return self._counts.total()

    def forget(self, reason: str) -> None:
        """Take back what was noted for this reason."""
        self.spans = [span for span in self.spans if span.reason != reason]
        del self._counts[reason]

    def span(self, start_s: float, end_s: float, reason: str) -> None:
        """Note a lost part."""
        if self.spans:
            last = self.spans[-1]
            touches = last.reason == reason and start_s <= last.end_s + 0.6 * self._step_s
            if touches or len(self.spans) >= _MOST_SPANS:
                self.spans[-1] = LostSpan(last.start_s, max(last.end_s, end_s), last.reason)
                return
        self.spans.append(LostSpan(start_s, end_s, reason))

    def ending(self, probe: Probe, tally: Tally, end_s: float) -> None:
        """Compare what the container, its index and its header promise with the packets that were there."""
        for fault in tally.faults:
            at = max(0.0, fault.start_s - probe.start_s)
            self.span(at, at + self._step_s, fault.reason)  # How much is unreadable is unknown: at least a picture.
        for tick in cuts(tally.ticks, tally.marked, joined=probe.container in _JOINED):
            at = max(0.0, tick * probe.tick_s - probe.start_s)
            self.span(at, at + self._step_s, CUT)
        for before, after in gaps(tally.ticks) if tally.broken else ():
            at = max(0.0, before * probe.tick_s - probe.start_s + self._step_s)
            self.span(at, max(at + self._step_s, after * probe.tick_s - probe.start_s), BROKEN)
        if not self._ends_early(probe, tally, end_s) and tally.missing_bytes:
            self.span(end_s, end_s + self._step_s, f"{ENDS_EARLY}: {plural(tally.missing_bytes, 'byte')} missing")

    def _ends_early(self, probe: Probe, tally: Tally, end_s: float) -> bool:
        """Note pictures that are promised past the last one; an absurd promise (over a week) is not believed."""
        missing = probe.frames - tally.packets
        if missing > 0 and probe.duration_s <= _BELIEVED_S:
            self._counts[ENDS_EARLY] += missing
            self.span(end_s, max(end_s, probe.duration_s), f"{ENDS_EARLY}: {plural(missing, 'picture')} missing")
            return True
        lone = tally.shown == 1 and list(tally.ticks) == [tally.end_tick]
        if lone and tally.end_s <= tally.ticks[0] * probe.tick_s:
            return False  # A lone picture that does not say how long it is shown may well be all there is.
        if tally.end_tick is not None:
            own_end_s = tally.end_tick * probe.tick_s
            slack_s = max(_TRACK_SLACK_S, _TRACK_SLACK_STEPS * self._step_s, _HEADER_SLACK_SHARE * probe.track_end_s)
            if own_end_s + slack_s < probe.track_end_s <= _BELIEVED_S:
                self._promised(end_s, probe.track_end_s - probe.start_s)
                return True
        if probe.frames:
            return False  # The index was kept; the header also counts other streams.
        promised_s = probe.header_duration_s
        slack_s = max(_HEADER_SLACK_S, _HEADER_SLACK_SHARE * promised_s)
        reached_s = max(tally.end_s, end_s)
        short = probe.container in _TRUE_HEADERS and reached_s + slack_s < promised_s <= _BELIEVED_S
        if short:
            self._promised(reached_s, promised_s)
        return short

    def _promised(self, end_s: float, promised_s: float) -> None:
        self.span(end_s, max(end_s + self._step_s, promised_s), f"{ENDS_EARLY}: its header promises more")
