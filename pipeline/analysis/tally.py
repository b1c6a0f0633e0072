"""Counts texts over many videos with bounded memory."""

from collections.abc import Mapping

from pipeline.analysis_report import Frequent

MOST = 200_000
"""Different texts held; when there are more, the rarer half goes, so that only rare ones can be counted short."""


class Tally:
    """In how many videos each text is, and how much of it there is."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._held: dict[str, tuple[int, float]] = {}

    def add(self, texts: Mapping[str, float]) -> None:
        """Count the texts of one video."""
        for text, amount in texts.items():
            videos, before = self._held.get(text, (0, 0.0))
            self._held[text] = (videos + 1, before + amount)
        if len(self._held) > self._most:
            kept = sorted(self._held.items(), key=lambda entry: entry[1], reverse=True)
            self._held = dict(kept[: self._most // 2])

    def most_frequent(self, count: int) -> tuple[Frequent, ...]:
        """Return those in the most videos, and of these the ones there is most of."""
        order = sorted(self._held.items(), key=lambda entry: (-entry[1][0], -entry[1][1], entry[0]))
        return tuple(
            Frequent(text=text, videos=videos, amount=round(amount, 3)) for text, (videos, amount) in order[:count]
        )
