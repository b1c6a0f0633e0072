"""When each picture is shown in the output: at a constant rate pictures are repeated or left out; pure."""

from fractions import Fraction

_EARLY, _LATE = 0.4, 1.6
"""A picture between these many steps after the last one takes the next step, so that trembling times do no harm."""


class ConstantPace:
    """Counts steps of `1 / rate` from the first picture on; a picture's own start is kept to the tick."""

    def __init__(self, rate: Fraction, tick: Fraction) -> None:
        self._rate = rate
        self._step = round(1 / (rate * tick))
        self._tick = tick
        self._first_s: float | None = None
        self._first_tick = 0
        self._place = 0
        self.repeated = 0
        self.left_out = 0

    def first(self, time_s: float) -> None:
        """Begin with a picture at `time_s`."""
        self._first_s = time_s
        self._first_tick = max(0, round(time_s / float(self._tick)))

    def shown(self, next_s: float) -> list[int]:
        """Return the ticks at which the picture before is shown, now that the next is known to come at `next_s`."""
        assert self._first_s is not None
        steps = (next_s - self._first_s) * float(self._rate) - self._place
        count = 1 if _EARLY < steps < _LATE else max(0, int(steps + 0.5))
        begin = self._first_tick + self._place * self._step
        self._place += count
        self.repeated += max(0, count - 1)
        self.left_out += count == 0
        return [begin + number * self._step for number in range(count)]

    def last(self, end_s: float) -> list[int]:
        """Return when the last picture is shown, once at least."""
        assert self._first_s is not None
        return self.shown(max(end_s, self._first_s + (self._place + 1) / float(self._rate)))


class SourcePace:
    """Keeps the times of the source, in growing order."""

    def __init__(self, tick: Fraction) -> None:
        self._tick = float(tick)
        self._now = 0
        self._last = -1
        self.repeated = 0
        self.left_out = 0

    def first(self, time_s: float) -> None:
        """Begin with a picture at `time_s`."""
        self._now = max(0, round(time_s / self._tick))

    def shown(self, next_s: float) -> list[int]:
        """Return the tick at which the picture before is shown; none where its time does not come after the last's."""
        tick, self._now = self._now, max(0, round(next_s / self._tick))
        if tick <= self._last:
            self.left_out += 1
            return []
        self._last = tick
        return [tick]

    def last(self, end_s: float) -> list[int]:
        """Return when the last picture is shown."""
        return self.shown(end_s)


Pace = ConstantPace | SourcePace
