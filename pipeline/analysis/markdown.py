"""An analysis for people, as Markdown."""

from collections.abc import Iterator, Mapping

from pipeline.analysis_report import Analysis, Frequent
from pipeline.reports.markdown import table, text
from pipeline.text import clock, plural

UNNAMED = "(no class)"
MOST_GROUPS, MOST_MEMBERS, MOST_PAIRS, MOST_PROBLEMS = 50, 10, 100, 50
"""What is told of near-duplicates and of problems; `analysis.json` has all."""


def markdown(analysis: Analysis) -> str:
    """Return the whole report."""
    return "\n".join(_lines(analysis)) + "\n"


def _lines(analysis: Analysis) -> Iterator[str]:
    yield "# Analysis"
    yield ""
    yield (
        f"{text(analysis.folder)}, {text(analysis.created_utc)}: {plural(analysis.videos, 'video')}, "
        f"{clock(analysis.duration_s.total)} together; {analysis.partial:,} partial, "
        f"{plural(len(analysis.problems), 'feature file')} could not be read."
    )
    yield ""
    yield from _figures(analysis)
    yield from _classes(analysis)
    yield from _duplicates(analysis)
    yield from _frequent("On-screen lines", "Seconds seen", analysis.lines, analysis.with_text, "searched for text")
    yield from _frequent("Spoken words", "Times spoken", analysis.words, analysis.with_speech, "listened to")
    for title, counts in (
        ("Sizes", analysis.resolutions),
        ("Codecs", analysis.codecs),
        ("Languages", analysis.languages),
    ):
        yield from _kinds(title, counts)
    if analysis.problems:
        yield "## Not read"
        yield ""
        yield from table(
            ("Feature file", "Why"), ((one.features, one.problem) for one in analysis.problems[:MOST_PROBLEMS]), 2
        )


def _figures(analysis: Analysis) -> Iterator[str]:
    yield "## Figures of a video"
    yield ""
    rows = [
        (name, *(f"{value:,.4g}" for value in (one.mean, one.p10, one.p50, one.p90, one.max)))
        for name, one in (
            ("Seconds", analysis.duration_s),
            ("Scenes", analysis.scenes),
            ("Cuts a minute", analysis.cuts_per_min),
        )
    ]
    yield from table(("", "Mean", "p10", "Median", "p90", "Most"), rows)


def _classes(analysis: Analysis) -> Iterator[str]:
    if analysis.classes:
        yield "## Classes"
        yield ""
        rows = (
            (one.name or UNNAMED, f"{one.videos:,}", f"{one.seconds:,.0f}", f"{one.scenes:,}")
            for one in analysis.classes
        )
        yield from table(("Class", "Videos", "Seconds", "Scenes"), rows)


def _duplicates(analysis: Analysis) -> Iterator[str]:
    yield "## Near-duplicates"
    yield ""
    by = f"the vectors of {analysis.vectors} and the hashes" if analysis.vectors else "the hashes"
    pairs = plural(len(analysis.duplicates), "pair")
    more = "" if analysis.duplicates_complete else "; there are more, these are the most alike"
    yield f"By {text(by)} of the kept frames: {pairs} in {plural(len(analysis.groups), 'group')}{more}."
    yield ""
    for number, group in enumerate(analysis.groups[:MOST_GROUPS], 1):
        named = ", ".join(text(name) for name in group[:MOST_MEMBERS])
        rest = f" and {len(group) - MOST_MEMBERS:,} more" if len(group) > MOST_MEMBERS else ""
        yield f"{number}. {named}{rest}"
    if analysis.duplicates:
        yield ""
        rows = (
            (one.one, one.other, "" if one.similarity is None else f"{one.similarity:.4f}", f"{one.hash_share:.0%}")
            for one in analysis.duplicates[:MOST_PAIRS]
        )
        yield from table(("Video", "And", "Cosine", "Shared frames"), rows, 2)


def _frequent(title: str, amount: str, found: tuple[Frequent, ...], among: int, how: str) -> Iterator[str]:
    if among:
        yield f"## {title}"
        yield ""
        yield f"Of {plural(among, 'video')} {how}."
        yield ""
        rows = ((one.text, f"{one.videos:,}", f"{one.amount:,.5g}") for one in found)
        yield from table(("Text", "Videos", amount), rows)


def _kinds(title: str, counts: Mapping[str, int]) -> Iterator[str]:
    if counts:
        yield f"## {title}"
        yield ""
        yield from table((title[:-1], "Videos"), ((name, f"{count:,}") for name, count in counts.items()))
