"""What a regression gate says of a comparison, in sentences, the same in every form of a report."""

from collections.abc import Iterator

from pipeline.benchmark.compare import doubtful, regressions, unlike, wavering
from pipeline.benchmark.numbers import change, percent
from pipeline.benchmark.report import Comparison
from pipeline.text import plural

REGRESSION, NOT_JUDGED, PASSED = "regression", "not judged", "passed"


def gate(found: Comparison | None, allowed_percent: float | None) -> Iterator[tuple[str, str]]:
    """Yield a verdict and its sentence for each subject that the gate found something of; nothing where there is none.

    What is the same or quicker has no sentence of its own, but a gate that refuses nothing says so.
    """
    if found is None or allowed_percent is None:
        return
    slower = regressions(found, allowed_percent)
    for one in slower:
        yield REGRESSION, f"{one.name}: {change(one)}, {allowed_percent:g} % is allowed"
    for one in doubtful(found, allowed_percent):
        yield NOT_JUDGED, f"{one.name}: {change(one)}, but one of both results is INVALID; measure it again"
    apart = unlike(found, allowed_percent)
    for one in apart:
        yield (
            NOT_JUDGED,
            f"{one.name}: {change(one)}, but {percent(one.after_s / one.before_s - 1)} by the clock, and a fixed piece "
            f"of work took {percent(one.pace)} beside it: the machine itself is not as it was; measure both again",
        )
    waver = wavering(found, allowed_percent)
    for one in waver:
        yield (
            NOT_JUDGED,
            f"{one.name}: the quickest tenth of its calls: {change(one)}, but the median {percent(one.median_change)}: "
            "it is slow more often than before, or the machine is; measure both again",
        )
    judged = sum(one.trusted and one not in (*apart, *waver) for one in found.differences)
    if not judged and not apart and not waver:
        yield NOT_JUDGED, "nothing is VALID in both reports, so that this gate says nothing"
    elif judged and not slower:
        yield PASSED, f"{plural(judged, 'result')} judged, and none got slower by more than {allowed_percent:g} %"
