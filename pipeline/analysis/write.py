"""Writes the four forms of an analysis: JSON, a row a video as CSV, Markdown, and one HTML page with plots."""

import csv
import os
from collections.abc import Iterator, Sequence

from pipeline.analysis.analyse import Row
from pipeline.analysis.markdown import UNNAMED, markdown
from pipeline.analysis_report import Analysis, Bin
from pipeline.outputs.atomic import atomic_file
from pipeline.outputs.cells import plain_cell
from pipeline.reports.page import html_page
from pipeline.reports.plot import bars

JSON, TABLE, TEXT, PAGE = b"analysis.json", b"analysis.csv", b"analysis.md", b"analysis.html"
COLUMNS = (
    *("source", "duration_s", "scenes", "cuts_per_min", "size", "video_codec", "partial", "language"),
    *("class", "probability", "near_duplicates"),
)
"""`near_duplicates` is the number of the group in which a video is, empty in none."""
PLOTTED = 30


def write_analysis(out: bytes, analysis: Analysis, rows: Sequence[Row], group_of: Sequence[int]) -> tuple[bytes, ...]:
    """Write the files into a folder, each whole or not at all, and return their paths. Raises OSError."""
    paths = tuple(os.path.join(out, name) for name in (JSON, TABLE, TEXT, PAGE))
    told = markdown(analysis)
    _write(paths[0], analysis.model_dump_json(indent=1) + "\n")
    with atomic_file(paths[1]) as part, open(part, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows(_cells(row, group) for row, group in zip(rows, group_of, strict=True))
    _write(paths[2], told)
    _write(paths[3], html_page(f"Analysis of {analysis.folder}", told, _plots(analysis)))
    return paths


def _write(path: bytes, text: str) -> None:
    with atomic_file(path) as part, open(part, "wb") as file:
        file.write(text.encode())


def _cells(row: Row, group: int) -> list[object]:
    return [
        plain_cell(row.source), round(row.duration_s, 3), row.scenes, round(row.cuts_per_min, 3), row.size,
        plain_cell(row.codec), row.partial, plain_cell(row.language), plain_cell(row.label),
        "" if row.probability is None else row.probability, group or "",
    ]  # fmt: skip


def _plots(analysis: Analysis) -> Iterator[str]:
    if analysis.classes:
        yield bars("Videos of each class", [(one.name or UNNAMED, one.videos) for one in analysis.classes[:PLOTTED]])
        yield bars("Scenes of each class", [(one.name or UNNAMED, one.scenes) for one in analysis.classes[:PLOTTED]])
    yield bars("Videos by their length in seconds", _histogram(analysis.durations))
    yield bars("Videos by their cuts a minute", _histogram(analysis.cuts))
    if analysis.lines:
        yield bars("Videos that show a line", [(one.text, one.videos) for one in analysis.lines[:PLOTTED]])
    if analysis.words:
        yield bars("Videos in which a word is spoken", [(one.text, one.videos) for one in analysis.words[:PLOTTED]])


def _histogram(bins: Sequence[Bin]) -> list[tuple[str, float]]:
    return [(f"{one.low:,.3g} to {one.high:,.3g}", one.videos) for one in bins]
