"""The report as a table (`P.csv`): a row a result, times in seconds an item."""

import csv
import io

from pipeline.benchmark.report import Report, Result
from pipeline.outputs.cells import plain_cell

FIELDS = (
    "name", "kind", "target", "input", "codec", "parameters", "verdict", "reasons", "unit", "items", "calls",
    "load_s", "first_s", "mean_s", "std_s", "min_s", "p50_s", "p90_s", "p99_s", "max_s",
    "items_per_s", "video_s_per_s", "mb_per_s", "floor", "floor_share", "stable", "outliers", "errors", "retries",
    "notes",
)  # fmt: skip


def table(report: Report) -> str:
    """Return the rows under their headings."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(FIELDS)
    for result in report.results:
        writer.writerow(_row(result))
    return stream.getvalue()


def _row(result: Result) -> list[object]:
    figures, rates, floor = result.statistics, result.rates, result.floor
    return [
        plain_cell(result.name), result.kind, plain_cell(result.target), result.input,
        plain_cell(result.codec),
        " ".join(f"{key}={value}" for key, value in result.parameters.items()), result.verdict,
        " ".join(reason.code for reason in result.reasons), result.unit, result.items, figures.count,
        result.load_s, result.first_s, figures.mean, figures.std, figures.min, figures.p50, figures.p90, figures.p99,
        figures.max, rates.items_per_s, rates.video_s_per_s, rates.mb_per_s, floor.name if floor else "",
        floor.share if floor else "", result.stable, len(result.outliers), sum(result.errors.values()), result.retries,
        plain_cell(" ".join(result.notes)),
    ]  # fmt: skip
