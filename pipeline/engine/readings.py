"""Past readings of a gauge: the means of equal spans of time, so that a graph of minutes moves only now and then."""

from collections import deque


class Readings:
    """The last `kept` means, each over `span_s` seconds."""

    def __init__(self, span_s: float, kept: int) -> None:
        self._span_s = span_s
        self._means: deque[float] = deque(maxlen=kept)
        self._begun_s: float | None = None
        self._sum, self._count = 0.0, 0

    def add(self, now_s: float, value: float) -> None:
        """Take a reading; the first counts at once, so that a graph is never empty."""
        self._sum += value
        self._count += 1
        if self._begun_s is None or now_s - self._begun_s >= self._span_s:
            self._means.append(round(self._sum / self._count, 3))
            self._begun_s, self._sum, self._count = now_s, 0.0, 0

    def view(self) -> tuple[float, ...]:
        """Return the means, oldest first."""
        return tuple(self._means)
