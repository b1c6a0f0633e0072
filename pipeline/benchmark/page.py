"""The report as one HTML page (`P.html`) that needs no network: the Markdown report, and plots beside it."""

from collections.abc import Iterator, Sequence

from pipeline.benchmark.markdown import markdown
from pipeline.benchmark.report import Report, Result
from pipeline.reports.page import html_page
from pipeline.reports.plot import Line, plot


def page(report: Report) -> str:
    """Return the page."""
    return html_page(f"Benchmark {report.created_utc}", markdown(report), _plots(report.results))


def _plots(results: Sequence[Result]) -> Iterator[str]:
    yield from _throughput(results)
    for result in results:
        times_ms = [(number + 1.0, 1000 * seconds) for number, seconds in enumerate(result.times_s)]
        yield plot(result.name, "call", "ms a call", [Line("", times_ms, dots=True)])
    for result in results:
        if len(result.samples) > 1:
            yield _cores(result)
            yield from _gpus(result)


def _throughput(results: Sequence[Result]) -> Iterator[str]:
    """Yield throughput against batch size, concurrency or workers, where they were swept."""
    for key in ("batch_size", "concurrency", "workers"):
        lines: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = {}
        for one in (result for result in results if key in result.parameters):
            fixed = [f"{name}={value}" for name, value in sorted(one.parameters.items()) if name != key]
            name = " ".join([one.target, one.input, *fixed])
            points = lines.setdefault((one.kind, one.unit), {}).setdefault(name, [])
            points.append((float(one.parameters[key]), one.rates.items_per_s))
        for (kind, unit), named in lines.items():
            if any(len(points) > 1 for points in named.values()):
                drawn = [Line(name, sorted(points), dots=True) for name, points in named.items()]
                yield plot(f"{kind}: throughput against {key}", key, f"{unit}s/s", drawn)


def _cores(result: Result) -> str:
    own = [(sample.at_s, sample.cpu_cores) for sample in result.samples]
    other = [(sample.at_s, sample.other_cores) for sample in result.samples]
    return plot(f"{result.name}: CPU", "s", "cores", [Line("what is measured", own), Line("others", other)])


def _gpus(result: Result) -> Iterator[str]:
    for index in sorted({gpu.index for sample in result.samples for gpu in sample.gpus}):
        points = [
            (sample.at_s, 100 * gpu.utilisation)
            for sample in result.samples
            for gpu in sample.gpus
            if gpu.index == index and gpu.utilisation is not None
        ]
        if points:
            yield plot(f"{result.name}: GPU {index}", "s", "% busy", [Line("", points)])
