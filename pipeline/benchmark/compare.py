"""Two reports side by side: what got slower or faster, how sure that is, and what else is not the same."""

from collections.abc import Iterator
from statistics import median
from typing import Literal

from pipeline.benchmark.report import Comparison, Difference, Fact, Report, Result
from pipeline.benchmark.statistics import change, quick

LEAST_CHANGE = 0.01
"""A change below this is none, however sure."""


def compare(before: Report, after: Report) -> Comparison:
    """Return what `after` has changed against `before`."""
    old = {result.name: result for result in before.results}
    new = {result.name: result for result in after.results}
    return Comparison(
        before=_told(before),
        after=_told(after),
        differences=tuple(
            difference(old[name], new[name], paced=not (before.machine.gpus or after.machine.gpus))
            for name in new
            if name in old
        ),
        only_before=tuple(name for name in old if name not in new),
        only_after=tuple(name for name in new if name not in old),
        surroundings=tuple(_surroundings(before, after)),
    )


def difference(before: Result, after: Result, *, paced: bool = True) -> Difference:
    """Return by how much the seconds an item changed; `paced` takes out how much slower the machine itself was."""
    paced = paced and bool(before.paces_s) and bool(after.paces_s)
    earlier, later = (_per_item(result, paced=paced) for result in (before, after))
    grown, low, high = change(earlier, later)
    verdict: Literal["slower", "faster", "same"] = "same"
    if abs(grown) >= LEAST_CHANGE and (low > 0 or high < 0):
        verdict = "slower" if grown > 0 else "faster"
    return Difference(
        name=after.name,
        before_s=quick(_per_item(before)),
        after_s=quick(_per_item(after)),
        pace=median(after.paces_s) / median(before.paces_s) - 1 if paced else 0.0,
        change=grown,
        low=low,
        high=high,
        median_change=median(later) / median(earlier) - 1,
        verdict=verdict,
        trusted=before.valid and after.valid,
    )


def regressions(comparison: Comparison, percent: float) -> tuple[Difference, ...]:
    """Return what got slower by more than `percent`, beyond what chance explains, by the clock and at one pace.

    Only of results that are VALID.
    """
    return tuple(one for one in _slower(comparison, percent) if one.trusted and _by_clock(one) > percent / 100)


def doubtful(comparison: Comparison, percent: float) -> tuple[Difference, ...]:
    """Return what would be a regression if both its results were VALID: no gate may fall for it, nor pass over it."""
    return tuple(one for one in _slower(comparison, percent) if not one.trusted)


def unlike(comparison: Comparison, percent: float) -> tuple[Difference, ...]:
    """Return what is a regression by the clock alone, or at one pace of the machine alone."""
    limit, valid = percent / 100, (one for one in comparison.differences if one.trusted)
    return tuple(one for one in valid if (one.change > limit) != (_by_clock(one) > limit))


def wavering(comparison: Comparison, percent: float) -> tuple[Difference, ...]:
    """Return what is as quick as before, but slow so often that its median grew by more than `percent`."""
    told = (*_slower(comparison, percent), *unlike(comparison, percent))
    return tuple(one for one in comparison.differences if one.median_change * 100 > percent and one not in told)


def _by_clock(one: Difference) -> float:
    return one.after_s / one.before_s - 1


def _slower(comparison: Comparison, percent: float) -> Iterator[Difference]:
    return (one for one in comparison.differences if one.verdict == "slower" and one.change * 100 > percent)


def _per_item(result: Result, *, paced: bool = False) -> list[float]:
    """Return the seconds an item of each call; `paced` in pieces of work that could be done meanwhile."""
    paces = result.paces_s if paced else [1.0] * len(result.times_s)
    return [seconds / result.items / pace for seconds, pace in zip(result.times_s, paces, strict=True)]


def _told(report: Report) -> str:
    return f"{report.created_utc}, {report.machine.host}, commit {report.machine.commit or 'unknown'}"


def _surroundings(before: Report, after: Report) -> Iterator[Fact]:
    pairs = [(_facts(report)) for report in (before, after)]
    for what in dict.fromkeys([*pairs[0], *pairs[1]]):
        values = [facts.get(what, "none") for facts in pairs]
        if values[0] != values[1]:
            yield Fact(what=what, before=values[0], after=values[1])


def _facts(report: Report) -> dict[str, str]:
    here = report.machine
    return {
        "host": here.host,
        "system": here.system,
        "CPU": here.cpu,
        "cores": str(here.cores),
        "memory": f"{here.memory_bytes / 2**30:.1f} GiB",
        "GPU": ", ".join(gpu.name for gpu in here.gpus) or "none",
        "driver": here.driver or "none",
        "commit": here.commit or "unknown",
        **{f"version of {name}": told for name, told in here.versions.items()},
        **{f"method: {name}": str(value) for name, value in report.method.model_dump().items()},
        **report.settings,
    }
