"""Writes `benchmark_report.md`: what every field of a benchmark report means, as its schema says.

python docs/benchmark_report.py
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.benchmark.report import SCHEMA_VERSION, Report

PAGE = Path(__file__).with_suffix(".md")
HEAD = f"""# The report of a benchmark, `P.json`

Version {SCHEMA_VERSION} of the schema, written by `python docs/benchmark_report.py`;
`vconsole benchmark --schema` prints the same as JSON Schema. `format` and `schema_version` stand at the top of each
file, and a report of another version is refused. `P.md`, `P.csv` and `P.html` are made of it and say nothing else.
"""


def page() -> str:
    """Return the whole page."""
    schema = Report.model_json_schema()
    parts = {"Report": schema, **schema["$defs"]}
    return "\n".join([HEAD, *(line for name, part in parts.items() for line in _part(name, part))])


def _part(name: str, part: dict[str, Any]) -> Iterator[str]:
    yield from (f"## {name}", "", part["description"], "")
    yield from ("| Field | Type | What it is |", "| --- | --- | --- |")
    for field, told in part["properties"].items():
        yield f"| `{field}` | {_type(told)} | {told.get('description', '')} |"
    yield ""


def _type(told: dict[str, Any]) -> str:
    if "$ref" in told:
        return str(told["$ref"]).rpartition("/")[2]
    if "anyOf" in told:
        return " or ".join(map(_type, told["anyOf"]))
    if "const" in told:
        return repr(told["const"])
    if "enum" in told:
        return ", ".join(told["enum"])
    if told["type"] == "array":
        return f"list of {_type(told['items'])}"
    if told["type"] == "object":
        return f"object of {_type(told['additionalProperties'])}"
    return str(told["type"])


if __name__ == "__main__":
    PAGE.write_text(page())
