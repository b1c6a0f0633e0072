"""What the times of all frames say: how long a video is, how many frames a second, and whether in equal steps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ODD_SHARE, _BELIEVED_STEPS = 0.2, 10
_GAP = 2.5


@dataclass(frozen=True, slots=True)
class Clockwork:
    """The clock of a video and what was seen of it."""

    tick_s: float
    start_s: float
    step_s: float
    """Nominal time between frames."""
    shown: int
    """Frames that there are, whether they were decoded or not."""
    end_tick: int | None
    """End of the last picture by its packet, None if packets have no times or it is not to be believed."""


@dataclass(frozen=True, slots=True)
class Timing:
    """`duration_s` is the end of the last frame in presentation seconds; `fps` is 0 for a single frame."""

    duration_s: float
    fps: float
    variable_rate: bool


def timing(clock: Clockwork, times_s: NDArray[np.float64], paced_s: NDArray[np.float64]) -> Timing:
    """Return what the times (N,) of the frames say, N >= 1, in growing order; `paced_s` are those of lost ones too.

    The end is that of the last packet where it lies within a few steps of the last frame, else one step after it. Where
    there are times of fewer frames than are shown (keyframes of a stream without times), steps are counted.
    """
    first_s = float(times_s[0])
    last_s = max(float(times_s[-1]), first_s + (clock.shown - 1) * clock.step_s * (len(times_s) < clock.shown))
    end_s = last_s + clock.step_s
    if clock.end_tick is not None:
        by_packet_s = clock.end_tick * clock.tick_s - clock.start_s
        if last_s < by_packet_s <= last_s + _BELIEVED_STEPS * clock.step_s:
            end_s = by_packet_s
    fps = clock.shown / (end_s - first_s) if clock.shown > 1 else 0.0
    return Timing(end_s, fps, uneven(paced_s / clock.tick_s))


def gaps(ticks: ArrayLike) -> list[tuple[int, int]]:
    """Return the times before and after each gap between pictures: a step of over twice and a half the middle one."""
    ordered = np.unique(np.asarray(ticks, np.int64))
    steps = np.diff(ordered)
    wide = np.flatnonzero(steps > _GAP * np.median(steps)) if len(steps) else ()
    return [(int(ordered[place]), int(ordered[place + 1])) for place in wide]


def uneven(ticks: ArrayLike) -> bool:
    """Return whether more than one step in a hundred differs from the middle one by a fifth, and by over a tick."""
    gaps = np.diff(np.rint(np.asarray(ticks, np.float64)))
    gaps = gaps[gaps > 0]
    if len(gaps) < 2:
        return False
    middle = float(np.median(gaps))
    odd = np.count_nonzero(np.abs(gaps - middle) > max(1.0, _ODD_SHARE * middle))
    return bool(odd > max(1, len(gaps) // 100))
