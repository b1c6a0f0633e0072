"""How figures of a report are written, the same in every form of it."""

from pipeline.benchmark.report import Difference, Result
from pipeline.text import precise as seconds

__all__ = ["change", "megabytes", "percent", "rate", "seconds", "share", "throughput"]


def rate(value: float) -> str:
    """Return a rate with three digits that matter, e.g. `1,234`."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def share(value: float) -> str:
    """Return a share as a percentage."""
    return f"{value:.0%}"


def megabytes(size_bytes: float) -> str:
    """Return a size in MB (10^6 bytes)."""
    return f"{size_bytes / 1e6:,.0f} MB"


def change(one: Difference) -> str:
    """Return a change with its interval, e.g. `+20.1 % (18.0 to 22.3)`."""
    return f"{percent(one.change)} ({one.low * 100:+.1f} to {one.high * 100:+.1f})"


def percent(value: float) -> str:
    """Return a change as percent with its sign, e.g. `+20.1 %`."""
    return f"{value * 100:+.1f} %"


def throughput(result: Result) -> str:
    """Return what is done a second in all units that mean something."""
    rates = result.rates
    told = [f"{rate(rates.items_per_s)} {result.unit}s/s"]
    if rates.video_s_per_s:
        told.append(f"{rate(rates.video_s_per_s)} s of video/s")
    if rates.mb_per_s:
        told.append(f"{rate(rates.mb_per_s)} MB/s")
    return ", ".join(told)
