"""Why results are INVALID, told once for each reason with the results that it holds for."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.benchmark.report import Result
from pipeline.text import plural

WORDS = {
    "wrong_output": "The output is wrong",
    "errors": "Requests failed",
    "slow": "Answers come late",
    "too_few_samples": "Too few calls were timed",
    "unstable": "Times waver",
    "throttled": "The clocks of a GPU were held down",
    "other_load": "Other programs kept the machine busy",
}
"""Each code of a reason in words."""


class Doubt(NamedTuple):
    """One reason and what to do about it."""

    advice: str
    """The reason, for how many results it holds, and what to do."""
    held: tuple[str, ...]
    """What was found, after the names of the results of which it was."""


def doubts(results: Sequence[Result]) -> tuple[Doubt, ...]:
    """Return the reasons in the order in which they come."""
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for result in results:
        for reason in result.reasons:
            found.setdefault((reason.code, reason.recommendation), {}).setdefault(reason.text, []).append(result.name)
    return tuple(
        Doubt(
            f"{WORDS[code]}, {plural(sum(map(len, told.values())), 'result')}. {recommendation}",
            tuple(f"{', '.join(names)}: {text}." for text, names in told.items()),
        )
        for (code, recommendation), told in found.items()
    )
