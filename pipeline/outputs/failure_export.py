"""Failed videos as files for other programs: JSON with all that is known, CSV with a line a video."""

import csv
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pipeline.job_facts import AttemptFacts, JobFacts
from pipeline.outputs.atomic import atomic_file
from pipeline.outputs.cells import plain_cell

_COLUMNS = (
    *("class", "stage", "video_codec", "video", "path", "status", "message", "remedy", "detail", "attempts"),
    *("bytes", "duration_s", "width", "height", "fps", "container", "audio_codec", "ended_utc", "dismissed"),
)


def export(run_id: int, folder: bytes, videos: Iterable[tuple[JobFacts, bool]]) -> tuple[int, tuple[bytes, bytes]]:
    """Write both files into `folder`, which is made if need be; return how many videos they hold, and their paths.

    The flag beside a video says whether it was dismissed. In the CSV, text from outside stands as it is shown: control
    characters and bytes that are no UTF-8 as symbols. Each file is whole or as it was before. Raises OSError.
    """
    stem = os.path.join(folder, b"failed-videos-run-%d" % run_id)
    paths = stem + b".json", stem + b".csv"
    count = 0
    with (
        atomic_file(paths[0]) as json_part,
        atomic_file(paths[1]) as csv_part,
        open(json_part, "w", encoding="ascii") as listing,
        open(csv_part, "w", encoding="utf-8", newline="") as lines,
    ):
        table = csv.DictWriter(lines, _COLUMNS)
        table.writeheader()
        listing.write("[")
        for count, entry in enumerate(_entries(videos), 1):
            listing.write(("\n" if count == 1 else ",\n") + json.dumps(entry))
            table.writerow(_flat(entry))
        listing.write("\n]\n")
    return count, paths


def _entries(videos: Iterable[tuple[JobFacts, bool]]) -> Iterator[dict[str, Any]]:
    for facts, dismissed in videos:
        yield {
            "video": facts.name,
            "path": facts.source,
            "status": facts.state,
            "class": facts.failure,
            "stage": facts.stage,
            "message": facts.message or facts.reason,
            "remedy": facts.remedy,
            "detail": facts.detail,
            "attempts": [_attempt(attempt) for attempt in facts.attempts],
            "bytes": facts.size_bytes,
            "streams": asdict(facts.streams) if facts.streams else {},
            "ended_utc": _utc(facts.ended_s),
            "dismissed": dismissed,
        }


def _attempt(attempt: AttemptFacts) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "outcome": attempt.outcome,
        "class": attempt.failure,
        "message": attempt.message,
        "started_utc": _utc(attempt.started_s),
        "ended_utc": _utc(attempt.ended_s),
    }


def _flat(entry: dict[str, Any]) -> dict[str, Any]:
    cells = entry | entry["streams"] | {"attempts": len(entry["attempts"])}
    return {name: plain_cell(cells.get(name, "")) for name in _COLUMNS}


def _utc(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at_s else ""
