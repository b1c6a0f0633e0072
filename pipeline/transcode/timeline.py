"""The clock of a file as it should run: where times leap back or far ahead, what follows is moved next to it."""

_BACK_S = 0.5
_AHEAD_S, _AHEAD_JUMPY_S = 60.0, 10.0
_LONGEST_HOLD_S = 3600.0
_JUMPY = frozenset({"mpegts", "mpeg", "rm", "flv", "asf", "wtv", "nsv", "nuv", "dhav", "ogg"})
"""Formats of broadcasts and recordings, which are joined from parts that each have their own clock."""


class Timeline:
    """Tells by how much the times of a packet are to be moved; takes sound and picture packets as the file has them."""

    def __init__(self, container: str) -> None:
        self._ahead_s = _AHEAD_JUMPY_S if container in _JUMPY else _AHEAD_S
        self._last: dict[int, float] = {}
        self._ends: dict[int, float] = {}
        self._end_s: float | None = None
        self.shift_s = 0.0
        self.backward = 0
        self.jumps = 0

    def moved(self, stream: int, dts_s: float | None, duration_s: float) -> float:
        """Return the seconds to add to the times of a packet; `dts_s` is when it is decoded, None where it says not.

        Times that go back, and gaps in which no stream has anything, are faults of the clock: what follows is moved to
        the end of what came before. A picture that is held for long is none: its own duration covers the time.
        """
        if dts_s is None:
            return self.shift_s
        time_s = dts_s + self.shift_s
        last, end = self._last.get(stream), self._ends.get(stream)
        if last is not None and end is not None:
            reached = max(end, self._end_s or end)
            if time_s < last - _BACK_S:
                self.backward += 1
                time_s = self._move(time_s, end)
            elif time_s > reached + self._ahead_s or time_s > last + _LONGEST_HOLD_S:
                self.jumps += 1
                time_s = self._move(time_s, min(reached, last + _LONGEST_HOLD_S))
        self._last[stream] = time_s
        self._ends[stream] = time_s + max(0.0, duration_s)
        self._end_s = max(self._ends[stream], self._end_s if self._end_s is not None else self._ends[stream])
        return self.shift_s

    def _move(self, time_s: float, to_s: float) -> float:
        self.shift_s += to_s - time_s
        return to_s
