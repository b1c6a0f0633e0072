"""An analysis as lines: figures, classes, near-duplicates, texts, each in a width that is given."""

from collections.abc import Iterator, Sequence

from pipeline.analysis_report import Analysis, AnalysisStep, Bin, Frequent
from pipeline.text import clock, plural
from screens.actions import key_of
from screens.presenters.words import bar, percent
from screens.widgets.outside import Cell, Line, Tone, cell, wrap

MOST_ROWS, MOST_GROUPS, MOST_MEMBERS = 30, 50, 8
"""What is told of each list; the reports have all."""
_FIGURE = 9
_NAME = 44
_PLOT_ROWS = 8


def analysis_lines(analysis: Analysis, width: int) -> tuple[Line, ...]:
    """Return all of it."""
    return tuple(_lines(analysis, width))


def progress_line(step: AnalysisStep, width: int) -> Line:
    """Return how far an analysis under way is."""
    share = step.done / step.of if step.of else 0.0
    done, rest = bar(share, max(4, min(40, width - 40)), "bar")
    told = f" {step.done:,} of {step.of:,} read" if step.of else " beginning…"
    return Cell("analysing  ", "accent"), done, rest, Cell(told)


def sentences(text: str, width: int, tone: Tone = "") -> tuple[Line, ...]:
    """Return a text broken into lines."""
    return tuple((Cell(row, tone),) for row in wrap(text, max(10, width)))


def _lines(analysis: Analysis, width: int) -> Iterator[Line]:
    partial = f", {analysis.partial:,} partial" if analysis.partial else ""
    told = f"{plural(analysis.videos, 'video')}, {clock(analysis.duration_s.total)} together{partial}"
    yield from sentences(told, width, "strong")
    yield from sentences(f"made {analysis.created_utc.replace('T', ' ').replace('+00:00', ' UTC')}", width, "quiet")
    if analysis.problems:
        yield from sentences(f"✗ {plural(len(analysis.problems), 'feature file')} could not be read", width, "bad")
    yield from _figures(analysis, width)
    if analysis.classes:
        yield from _title("classes", "videos")
        most = max(one.videos for one in analysis.classes)
        for one in analysis.classes[:MOST_ROWS]:
            yield _counted(one.name or "(no class)", one.videos, most, width)
        yield from _more(len(analysis.classes), "class", "classes")
    else:
        yield ()
        yield from sentences(
            f"No class is known: {key_of('runs.classify')} on a run of the history tells them.", width, "quiet"
        )
    yield from _duplicates(analysis, width)
    yield from _plot("videos by their length in seconds", analysis.durations, width)
    yield from _plot("videos by their cuts a minute", analysis.cuts, width)
    yield from _texts("on-screen lines", analysis.lines, analysis.with_text, width)
    yield from _texts("spoken words", analysis.words, analysis.with_speech, width)
    if analysis.problems:
        yield from _title("not read")
        for problem in analysis.problems[:MOST_ROWS]:
            yield from sentences(f"{problem.features}: {problem.problem}", width)


def _figures(analysis: Analysis, width: int) -> Iterator[Line]:
    names = ("mean", "p10", "median", "p90", "most")
    shown = names if width >= 20 + _FIGURE * len(names) else ("median", "most")
    yield ()
    yield (cell("of a video", 16, "accent"), *(cell(name, _FIGURE, "quiet", right=True) for name in shown))
    for name, one in (
        ("seconds", analysis.duration_s),
        ("scenes", analysis.scenes),
        ("cuts a minute", analysis.cuts_per_min),
    ):
        values = dict(zip(names, (one.mean, one.p10, one.p50, one.p90, one.max), strict=True))
        yield (cell(name, 16), *(cell(f"{values[key]:,.4g}", _FIGURE, right=True) for key in shown))


def _duplicates(analysis: Analysis, width: int) -> Iterator[Line]:
    groups, pairs = plural(len(analysis.groups), "group"), plural(len(analysis.duplicates), "pair")
    more = "" if analysis.duplicates_complete else "; there are more"
    yield from _title("near-duplicates", f"{groups}, {pairs}{more}" if analysis.groups else "none found")
    closest = {pair.one: pair for pair in reversed(analysis.duplicates)}
    closest |= {pair.other: pair for pair in reversed(analysis.duplicates)}
    for number, group in enumerate(analysis.groups[:MOST_GROUPS], 1):
        for place, name in enumerate(group[:MOST_MEMBERS]):
            pair = closest.get(name)
            cosine = f"{pair.similarity:.3f}" if pair and pair.similarity is not None else "–"
            shared = percent(pair.hash_share) if pair else "–"
            yield (
                cell(str(number) if not place else "", 4, "quiet", right=True),
                Cell("  "),
                cell(name, max(10, width - 6 - 30)),
                cell(f"cosine {cosine}", 14, right=True),
                cell(f"{shared} of frames", 16, right=True),
            )
        if len(group) > MOST_MEMBERS:
            yield (Cell(" " * 6), Cell(f"and {len(group) - MOST_MEMBERS:,} more", "quiet"))
    yield from _more(len(analysis.groups), "group", "groups", MOST_GROUPS)


def _plot(title: str, bins: Sequence[Bin], width: int) -> Iterator[Line]:
    """Yield a histogram, its bins joined until they fit a few rows."""
    if not bins or bins[0].low == bins[-1].high:
        return
    yield from _title(title)
    each = -(-len(bins) // _PLOT_ROWS)
    joined = [bins[first : first + each] for first in range(0, len(bins), each)]
    counts = [sum(one.videos for one in some) for some in joined]
    for some, count in zip(joined, counts, strict=True):
        yield _counted(f"{some[0].low:,.3g} to {some[-1].high:,.3g}", count, max(counts), width)


def _texts(title: str, found: Sequence[Frequent], among: int, width: int) -> Iterator[Line]:
    if among:
        yield from _title(title, f"of {plural(among, 'video')}")
        most = max((one.videos for one in found), default=1)
        for one in found[:MOST_ROWS]:
            yield _counted(one.text, one.videos, most, width)


def _counted(name: str, count: int, most: int, width: int) -> Line:
    """Return a name with a bar and its figure."""
    room = min(_NAME, max(12, width // 2))
    done, rest = bar(count / most if most else 0.0, max(4, min(40, width - room - 12)), "bar")
    return cell(name, room), Cell("  "), done, rest, cell(f"{count:,}", 9, right=True)


def _title(title: str, more: str = "") -> Iterator[Line]:
    yield ()
    yield (Cell(title, "accent"), Cell(f"  {more}" if more else "", "quiet"))


def _more(count: int, one: str, many: str, most: int = MOST_ROWS) -> Iterator[Line]:
    if count > most:
        left = count - most
        yield (Cell(f"and {left:,} more {one if left == 1 else many}; the reports have all", "quiet"),)
