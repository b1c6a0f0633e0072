"""The report of a transcode run: for each input what it was, what became of it and why, as JSON and as a table."""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.model import BAD, JobState
from pipeline.outputs.atomic import atomic_file
from pipeline.outputs.cells import plain_cell

COLUMNS = (
    *("source", "status", "action", "output", "encoder", "bytes_in", "bytes_out", "ratio", "seconds", "x_real_time"),
    *("duration_s", "video_codec", "width", "height", "fps", "audio_codec", "problems", "problems_after", "dropped"),
    *("lost_s", "lost_frames", "class", "message", "reason", "remedy", "detail", "attempts"),
)
"""Columns of the table; lists stand in one cell, separated by semicolons."""

_TOLD = (
    *("action", "encoder", "ratio", "x_real_time", "duration_s", "video_codec", "width", "height", "fps"),
    *("audio_codec", "facts_in", "facts_out", "problems", "problems_after", "dropped", "fallback", "notes"),
    *("decoded_by", "decode_fallback"),
)
"""What a worker's result says and the report passes on as it is, where it is not empty."""

Entry = dict[str, Any]


def entry_of(
    source: bytes,
    status: JobState,
    size_bytes: int,
    result: Mapping[str, Any],
    *,
    reused: bool = False,
    failure: Mapping[str, Any] | None = None,
    reason: str = "",
) -> Entry:
    """Return one input as the report tells it; `failure` has class, message, remedy, detail and attempts."""
    whole = status in {JobState.DONE, JobState.PARTIAL}
    entry: Entry = {"source": os.fsdecode(source), "status": str(status), "bytes_in": size_bytes}
    if whole:
        entry |= {"output": result.get("output", ""), "bytes_out": result.get("output_bytes", 0)}
        entry["seconds"] = round(sum(map(float, result.get("seconds", {}).values())), 3)
        entry["reused"] = reused
    entry |= {name: result[name] for name in _TOLD if result.get(name) not in (None, "", [], {})}
    if status is JobState.PARTIAL:
        entry |= {"lost_s": result.get("lost_s", 0.0), "lost_frames": result.get("lost_frames", 0)}
        entry["reason"] = str(result.get("loss") or result.get("reason") or reason)
    elif status in BAD:
        entry |= dict(failure or {})
    elif status is JobState.SKIPPED:
        entry["reason"] = reason
    return entry


def write_report(path: bytes, head: Mapping[str, Any], entries: Iterable[Entry]) -> None:
    """Write the report as JSON: `head`, and below `files` an object for each input. Raises OSError.

    The file before stays whole if this one does not become it; not all entries are held at once.
    """
    with atomic_file(path) as part, open(part, "w", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in _lines(head, entries))


def write_table(path: bytes, entries: Iterable[Entry]) -> None:
    """Write the report as CSV, a line an input; text in it is made harmless for terminals and spreadsheets.

    Raises OSError; the file before stays whole then.
    """
    with atomic_file(path) as part, open(part, "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for entry in entries:
            table.writerow({name: plain_cell(_flat(entry.get(name, ""))) for name in COLUMNS})


def _lines(head: Mapping[str, Any], entries: Iterable[Entry]) -> Iterator[str]:
    yield json.dumps({**head, "files": []})[: -len("]}")]
    comma = ""
    for entry in entries:
        yield comma + json.dumps(entry)
        comma = ","
    yield "]}"


def _flat(value: Any) -> Any:
    """Return a list as one text: of problems their codes, of other things what they are."""
    if not isinstance(value, list):
        return value
    return "; ".join(str(item.get("code", "")) if isinstance(item, dict) else str(item) for item in value)
