"""The report for people (`P.md`)."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from statistics import fmean

from pipeline.benchmark.doubts import doubts
from pipeline.benchmark.findings import findings, notes
from pipeline.benchmark.gate import gate
from pipeline.benchmark.numbers import change, megabytes, percent, rate, seconds, share, throughput
from pipeline.benchmark.report import Comparison, Machine, Report, Result
from pipeline.reports.markdown import table, text
from pipeline.text import plural


def markdown(report: Report) -> str:
    """Return the whole report."""
    return "\n".join(_lines(report)) + "\n"


def comparison_markdown(found: Comparison) -> str:
    """Return a comparison by itself."""
    return "\n".join(_comparison(found)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    valid = sum(result.valid for result in report.results)
    yield "# Benchmark"
    yield ""
    yield (
        f"{text(report.created_utc)}, {report.elapsed_s:.0f} s on {text(report.machine.host)}: {len(report.results)} "
        f"results, {valid} VALID; {len(report.missing)} could not be measured."
    )
    yield ""
    if not report.complete:
        yield "It was interrupted: what follows is what was measured by then."
        yield ""
    yield from _list("What limits what", findings(report))
    yield from _list("What was done", notes(report))
    yield from _results(report.results)
    yield from _doubts(report)
    verdicts = gate(report.comparison, report.allowed_percent)
    yield from _list("Regression gate", (f"{verdict}: {sentence}." for verdict, sentence in verdicts))
    if report.comparison:
        yield from _comparison(report.comparison)
    yield from _stages(report.results)
    yield from _resources(report.results)
    yield from _surroundings(report)


def _results(results: Sequence[Result]) -> Iterator[str]:
    yield "## Results"
    yield ""
    yield "Median and 99th percentile of seconds an item, warm; a floor is the least time that this work can take here."
    yield ""
    yield from table(("Subject", "Verdict", "p50", "p99", "Rate", "Share of its floor"), map(_row, results))
    yield "## Times"
    yield ""
    yield "Seconds an item, warm; cold is loading and the first call."
    yield ""
    headings = ("Subject", "calls", "mean", "std", "min", "p50", "p90", "p99", "max", "cold")
    yield from table(headings, map(_times_row, results))


def _row(result: Result) -> tuple[str, ...]:
    figures, floor = result.statistics, result.floor
    return (
        result.name,
        result.verdict,
        seconds(figures.p50),
        seconds(figures.p99),
        throughput(result),
        f"{share(floor.share)} of {floor.name}" if floor else "",
    )


def _times_row(result: Result) -> tuple[str, ...]:
    figures = result.statistics
    times = (figures.mean, figures.std, figures.min, figures.p50, figures.p90, figures.p99, figures.max)
    return (
        result.name,
        str(figures.count),
        *(seconds(value) if value else "0" for value in times),
        f"{seconds(result.load_s)} + {seconds(result.first_s)}",
    )


def _doubts(report: Report) -> Iterator[str]:
    found = doubts(report.results)
    if found:
        yield "## Why INVALID, and what to do"
        yield ""
        for one in found:
            yield f"- {text(one.advice)}"
            yield from (f"  - {text(held)}" for held in one.held)
        yield ""
    yield from _list("Not measured", (f"{one.name}: {one.message} {one.remedy}".rstrip() for one in report.missing))
    yield from _list("Calls that do not count", (
        f"{one.name}: beside {plural(len(one.disturbed_s), 'call')} other programs kept the machine busy."
        for one in report.results if one.disturbed_s
    ))  # fmt: skip
    yield from _list("Outliers", (
        f"{one.name}: {len(one.outliers)} of {one.statistics.count} calls lie beyond the far fences (3 IQR)."
        for one in report.results if one.outliers
    ))  # fmt: skip


def _list(heading: str, sentences: Iterable[str]) -> Iterator[str]:
    """Yield sentences under a heading; nothing where there are none."""
    told = [f"- {text(sentence)}" for sentence in sentences]
    if told:
        yield from (f"## {heading}", "", *told, "")


def _comparison(found: Comparison) -> Iterator[str]:
    yield "## Compared with an earlier report"
    yield ""
    yield (
        f"Before: {text(found.before)}. After: {text(found.after)}. The change of "
        "the tenth percentile, to which other work adds least, with its 95 % interval, and that of the median; out of "
        "both is taken by how much the machine itself was slower, as a fixed piece of work beside the calls tells:"
    )
    yield ""
    rows = (
        (
            one.name,
            seconds(one.before_s),
            seconds(one.after_s),
            percent(one.pace),
            change(one),
            percent(one.median_change),
            one.verdict,
            "yes" if one.trusted else "no",
        )
        for one in found.differences
    )
    yield from table(
        ("Subject", "Before", "After", "Machine", "Change", "Of the median", "Verdict", "Both VALID"), rows
    )
    for what, names in (("before", found.only_before), ("after", found.only_after)):
        if names:
            yield f"Only {what}: {text(', '.join(names))}."
            yield ""
    if found.surroundings:
        yield "What else differs:"
        yield ""
        yield from table(("What", "Before", "After"), ((f.what, f.before, f.after) for f in found.surroundings), 3)


def _stages(results: Sequence[Result]) -> Iterator[str]:
    rows = [
        (result.name, stage, seconds(figures.p50), seconds(figures.mean), seconds(figures.max))
        for result in results
        for stage, figures in result.stages.items()
    ]
    if rows:
        yield "## Stages"
        yield ""
        yield "Seconds of one call in each stage; stages overlap where one hands over to the next."
        yield ""
        yield from table(("Subject", "Stage", "p50", "mean", "max"), rows, 2)


def _resources(results: Sequence[Result]) -> Iterator[str]:
    rows = [_resource_row(result) for result in results if result.samples]
    if rows:
        yield "## Memory and load while calls were timed"
        yield ""
        headings = ("Subject", "Client", "Workers", "Model host", "Cores", "Others", "GPU", "GPU memory", "Power")
        told = [any(row[place] for row in rows) for place in range(len(headings))]  # without a GPU nothing of one
        yield from table(tuple(compress(headings, told)), (tuple(compress(row, told)) for row in rows))


def _resource_row(result: Result) -> tuple[str, ...]:
    samples = result.samples
    gpus = [gpu for sample in samples for gpu in sample.gpus]
    busy = [gpu.utilisation for gpu in gpus if gpu.utilisation is not None]
    memory = [gpu.memory_bytes for gpu in gpus if gpu.memory_bytes is not None]
    power = [gpu.power_w for gpu in gpus if gpu.power_w is not None]
    return (
        result.name,
        *(megabytes(max(sizes)) if max(sizes) else "" for sizes in (
            [sample.client_bytes for sample in samples],
            [sample.worker_bytes for sample in samples],
            [sample.host_bytes for sample in samples],
        )),
        f"{fmean(sample.cpu_cores for sample in samples):.2f}",
        f"{fmean(sample.other_cores for sample in samples):.2f}",
        share(fmean(busy)) if busy else "",
        megabytes(max(memory)) if memory else "",
        f"{fmean(power):.0f} W" if power else "",
    )  # fmt: skip


def _surroundings(report: Report) -> Iterator[str]:
    yield "## Machine and method"
    yield ""
    yield from table(("What", "Value"), [*_machine(report.machine), *_method(report)], 2)


def _machine(here: Machine) -> Iterator[tuple[str, str]]:
    yield "System", here.system
    yield "CPU", f"{here.cpu}, {here.cores} cores"
    yield "Memory", f"{here.memory_bytes / 2**30:.1f} GiB"
    for gpu in here.gpus:
        yield "GPU", f"{gpu.name}, {(gpu.memory_bytes or 0) / 2**30:.0f} GiB, driver {here.driver}"
    yield "Commit", here.commit or "unknown"
    yield "Versions", ", ".join(f"{name} {told}" for name, told in here.versions.items())


def _method(report: Report) -> Iterator[tuple[str, str]]:
    method = report.method
    yield "Warm-up", plural(method.warmup_iterations, "call")
    yield (
        "Timed",
        f"at least {method.iterations} calls and {rate(method.min_seconds)} s, at most {method.max_seconds:g} s",
    )
    yield "Command", " ".join(report.command)
