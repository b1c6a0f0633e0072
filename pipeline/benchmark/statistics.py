"""Figures of a set of times: quantiles, outliers, stability, and how far two sets are apart."""

from collections.abc import Sequence

import numpy as np

from pipeline.benchmark.report import Statistics

TOLERANCE = 0.10
"""How far the last windows may lie apart, as a share of the least."""
WINDOWS = 3
LEAST_PER_WINDOW = 1
SHARE_OF_WINDOW = 5
"""A window is a fifth of all times: the last three are the last three fifths."""
FAR = 3.0
"""Tukey's far fence, in interquartile ranges."""
RESAMPLES = 1000
ROWS = 50
"""Resamples drawn at once."""
CONFIDENCE = 0.95
QUICK = 10
"""The percentile that two sets are compared by: what else a machine does only ever adds time, so that quick calls come
again where the median depends on how much of that there was (Chen and Revels 2016, arXiv:1608.04295)."""


def statistics_of(times_s: Sequence[float]) -> Statistics:
    """Return the figures of at least one time."""
    times = np.asarray(times_s, np.float64)
    p50, p90, p99 = (float(value) for value in np.percentile(times, [50, 90, 99]))
    return Statistics(
        count=len(times),
        mean=float(times.mean()),
        std=float(times.std(ddof=1)) if len(times) > 1 else 0.0,
        min=float(times.min()),
        p50=p50,
        p90=p90,
        p99=p99,
        max=float(times.max()),
    )


def outliers(times_s: Sequence[float]) -> tuple[int, ...]:
    """Return the places of times beyond the far fences; none among fewer than four."""
    if len(times_s) < 4:
        return ()
    times = np.asarray(times_s, np.float64)
    low, high = np.percentile(times, [25, 75])
    reach = FAR * (high - low)
    return tuple(int(place) for place in np.flatnonzero((times < low - reach) | (times > high + reach)))


def windows(times_s: Sequence[float]) -> tuple[float, ...]:
    """Return the median of each of the last three windows, oldest first; none where there are too few times."""
    size = max(LEAST_PER_WINDOW, len(times_s) // SHARE_OF_WINDOW)
    if len(times_s) < WINDOWS * size:
        return ()
    last = np.asarray(times_s[-WINDOWS * size :], np.float64).reshape(WINDOWS, size)
    return tuple(float(value) for value in np.median(last, axis=1))


def stable(medians_s: Sequence[float]) -> bool:
    """Return whether windows lie within the tolerance; too few are not."""
    return len(medians_s) == WINDOWS and max(medians_s) <= min(medians_s) * (1 + TOLERANCE)


def change(before_s: Sequence[float], after_s: Sequence[float]) -> tuple[float, float, float]:
    """Return (change, low, high): by how much the tenth percentile grew, and its 95 % interval by percentile bootstrap.

    The resamples are the same each time, so that one pair of reports always compares alike.
    """
    rng = np.random.default_rng(20)
    ratios = _resampled(before_s, rng), _resampled(after_s, rng)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(ratios[1] / ratios[0], [tail, 1 - tail])
    return quick(after_s) / quick(before_s) - 1, float(low) - 1, float(high) - 1


def quick(times_s: Sequence[float]) -> float:
    """Return the tenth percentile of at least one time."""
    return float(np.percentile(np.asarray(times_s, np.float64), QUICK))


def _resampled(times_s: Sequence[float], rng: np.random.Generator) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    times = np.asarray(times_s, np.float64)
    shape = (ROWS, len(times))
    drawn = [np.percentile(times[rng.integers(0, len(times), shape)], QUICK, axis=1) for _ in range(RESAMPLES // ROWS)]
    return np.concatenate(drawn)
