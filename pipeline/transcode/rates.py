"""Which constant frame rate a video has, or is nearest to."""

from collections.abc import Iterable, Sequence
from fractions import Fraction

STANDARD = tuple(
    Fraction(top, bottom)
    for top, bottom in (
        *((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1)),
        *((5, 1), (8, 1), (10, 1), (12, 1), (15000, 1001), (15, 1), (20, 1), (120000, 1001), (120, 1), (240, 1)),
    )
)
"""Rates that cameras and films have."""

_SAME, _NEAR = 5e-4, 0.02
_MOST = Fraction(60)
_SLOWEST, _FASTEST = 0.01, 1000.0


def constant_rate(fps: float, step_s: float, header: Iterable[Fraction | None], *, variable: bool) -> Fraction:
    """Return the constant rate for a video: `fps` is the average, `step_s` the usual time between two pictures.

    Of a constant one it is what the header says where the times bear that out. Of a variable one it is the standard
    rate nearest to its usual step, 60 at most, so that pictures keep their times to half a step.
    """
    if not _SLOWEST < fps < _FASTEST:
        return next((rate for rate in header if rate and _SLOWEST < rate <= _MOST), Fraction(25))
    if not variable:
        known = (*(rate for rate in header if rate), *STANDARD)
        near = _close(fps, known, _SAME) or (_close(1 / step_s, known, _NEAR) if step_s > 0 else None)
        return near or Fraction(fps).limit_denominator(1001)
    usual = min(1 / step_s if step_s > 0 else fps, float(_MOST))
    return _close(max(usual, fps), STANDARD, _NEAR) or min(Fraction(max(usual, fps)).limit_denominator(100), _MOST)


def _close(fps: float, rates: Sequence[Fraction], within: float) -> Fraction | None:
    best = min(rates, key=lambda rate: abs(float(rate) - fps), default=None)
    return best if best is not None and abs(float(best) - fps) <= within * fps else None
