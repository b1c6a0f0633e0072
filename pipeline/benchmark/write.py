"""Writes the four forms of a report, each whole or not at all."""

import os

from pipeline.benchmark.markdown import markdown
from pipeline.benchmark.page import page
from pipeline.benchmark.report import Report
from pipeline.benchmark.table import table
from pipeline.outputs.atomic import atomic_file

ENDINGS = (".json", ".md", ".csv", ".html")


def write_json(report: Report, prefix: bytes) -> None:
    """Write PREFIX.json. Raises OSError."""
    with atomic_file(prefix + b".json") as part, open(part, "wb") as file:
        file.write(report.model_dump_json(indent=1).encode() + b"\n")


def write_reports(report: Report, prefix: str) -> tuple[str, ...]:
    """Write PREFIX.json, .md, .csv and .html and return their paths. Raises OSError."""
    forms = report.model_dump_json(indent=1) + "\n", markdown(report), table(report), page(report)
    paths = tuple(prefix + ending for ending in ENDINGS)
    for path, text in zip(paths, forms, strict=True):
        with atomic_file(os.fsencode(path)) as part, open(part, "wb") as file:
            file.write(text.encode())
    return paths
