"""What a report says in sentences: what limits what, and which parameters are the quickest."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from pipeline.benchmark.numbers import rate, seconds, share
from pipeline.benchmark.plan import ASKED, SWEEPS, Kind
from pipeline.benchmark.report import Report, Result

MODEL_BOUND = 0.8
"""Share of its floor from which on there is little to win above the floor."""


QUICKER = 1.05
"""Share of its floor that noise does not explain."""


def findings(report: Report) -> Iterator[str]:
    """Yield the sentences."""
    asked = [result for result in report.results if result.kind in ASKED]
    for result in asked:
        yield from _limit(result)
    yield from _quickest(asked)
    yield from _against_services(asked)


def notes(report: Report) -> Iterator[str]:
    """Yield what the calls did, where that is not plain from what was measured."""
    return (f"{result.name}: {note}" for result in report.results for note in result.notes)


def _limit(result: Result) -> Iterator[str]:
    if result.stages and result.kind != Kind.STAGE:
        whole = sum(stage.mean for stage in result.stages.values())
        name, slowest = max(result.stages.items(), key=lambda item: item[1].mean)
        if whole > 0:
            yield f"{result.name}: stage {name} limits it, {share(slowest.mean / whole)} of the time of all stages."
    floor = result.floor
    if floor is None:
        return
    if floor.share > QUICKER:
        yield (
            f"{result.name}: quicker than its floor ({floor.name}), which cannot be; "
            "measure both again on an idle machine."
        )
    elif floor.share >= MODEL_BOUND:
        yield f"{result.name}: at {share(floor.share)} of its floor ({floor.name}); little can be won above that."
    else:
        rest = f"{share(1 - min(1.0, floor.share))} of its time is spent above the floor"
        yield f"{result.name}: at {share(floor.share)} of its floor ({floor.name}); {rest}."


def _quickest(results: Iterable[Result]) -> Iterator[str]:
    """Of every sweep, name the quickest; one that is VALID where there is any."""

    def subject(result: Result) -> tuple[str, str, str]:
        return result.kind, result.target, f"{result.input} {result.codec}".rstrip()

    for (kind, target, kind_of_input), group in groupby(sorted(results, key=subject), subject):
        several = list(group)
        if len(several) < 2:
            continue
        best = max(several, key=lambda result: (result.valid, result.rates.items_per_s))
        told = ", ".join(f"{key}={value}" for key, value in best.parameters.items() if key in SWEEPS)
        doubt = "" if best.valid else ", but no result of them is VALID"
        yield (
            f"{kind} {target} {kind_of_input}: quickest with {told}, "
            f"{rate(best.rates.items_per_s)} {best.unit}s/s{doubt}."
        )


def _against_services(results: Iterable[Result]) -> Iterator[str]:
    several = list(results)
    for service in (result for result in several if result.kind == Kind.SERVICE):
        local = [one for one in several if one.kind == Kind.EXTRACTOR and one.input == service.input]
        for one in local[:1]:
            yield (
                f"{service.name}: {rate(service.rates.items_per_s)} {service.unit}s/s, median answer "
                f"{seconds(service.statistics.p50)}; {one.name} here does {rate(one.rates.items_per_s)} {one.unit}s/s."
            )
