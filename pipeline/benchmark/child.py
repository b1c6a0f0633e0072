"""The process that measures one subject: `python -m pipeline.benchmark.child`.

It reads a `Request` as JSON from stdin and writes a JSON object a line to stdout: `phase` (loading, warming, measuring,
over), `calls`, and at last `measured` or `failed`.
"""

import asyncio
import importlib
import json
import os
import signal
import sys
import time
from typing import Any

from pipeline.benchmark.measure import measure
from pipeline.benchmark.others import Others
from pipeline.benchmark.pace import piece_of_work
from pipeline.benchmark.plan import Kind
from pipeline.benchmark.request import Request
from pipeline.errors import VconsoleError

OPENERS = {
    "extractor image": "pipeline.benchmark.models:pictures",
    "extractor text": "pipeline.benchmark.models:texts",
    "extractor video": "pipeline.benchmark.media:stages",
    "forward image": "pipeline.benchmark.models:forward",
    "forward text": "pipeline.benchmark.models:forward_texts",
    "preset video": "pipeline.benchmark.media:stages",
    "transcode video": "pipeline.benchmark.transcodes:transcodes",
    "stage video": "pipeline.benchmark.media:stages",
    "decode video": "pipeline.benchmark.media:decode",
    "demux video": "pipeline.benchmark.media:demux",
    "read file": "pipeline.benchmark.storage:read",
    "write file": "pipeline.benchmark.storage:write",
    "copy file": "pipeline.benchmark.storage:copy",
}
"""Kind and input of a subject -> what opens it."""
TOLD_EVERY_S = 0.25
"""Seconds between two lines about calls: telling must cost nothing that is measured."""


class Teller:
    """Writes what happens; the parent reads it."""

    def __init__(self) -> None:
        self._stream = os.fdopen(os.dup(1), "w")
        # Libraries that chatter on stdout must not spoil what is told.
        os.dup2(2, 1)
        self._told_s = 0.0

    def tell(self, event: str, **fields: Any) -> None:
        """Write one line."""
        self._stream.write(json.dumps({"event": event, **fields}) + "\n")
        self._stream.flush()

    def phase(self, phase: str) -> None:
        """Say what begins."""
        self.tell("phase", phase=phase)

    def call(self, count: int, seconds: float) -> None:
        """Tell of a timed call, now and then."""
        now = time.monotonic()
        if now - self._told_s >= TOLD_EVERY_S:
            self._told_s = now
            self.tell("calls", count=count, seconds=seconds)


def main() -> int:
    """Measure what stdin asks for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    request = Request.from_json(sys.stdin.read())
    teller = Teller()
    try:
        _measure(request, teller)
    except VconsoleError as error:
        teller.tell("failed", message=str(error), remedy=error.remedy)
    except Exception as error:  # noqa: BLE001 - whatever a library raises, the report says that this was not measured
        teller.tell("failed", message=f"{type(error).__name__}: {error}"[:2000], remedy="")
    return 0


def _measure(request: Request, teller: Teller) -> None:
    if request.subject.kind is Kind.SERVICE:
        from pipeline.benchmark.services import measure_service

        teller.tell("measured", **asyncio.run(measure_service(request, teller.call, teller.phase)))
        return
    module, _, function = OPENERS[f"{request.subject.kind} {request.subject.input}"].partition(":")
    began = time.perf_counter()
    teller.phase("loading")
    with getattr(importlib.import_module(module), function)(request) as opened:
        load_s = time.perf_counter() - began
        teller.phase("warming")
        found = measure(
            opened.make,
            request.method,
            teller.call,
            lambda: teller.phase("measuring"),
            others=Others().cores,
            piece=piece_of_work(),
        )
        teller.phase("over")
        notes, copied = opened.notes(), opened.copied()
        problem, vectors = "", list[list[float]]()
        try:
            checked = opened.check()
            vectors = [] if checked is None else checked.tolist()
        except ValueError as error:
            problem = str(error)
    names = sorted({name for work in found.works for name in work.stages})
    teller.tell(
        "measured",
        load_s=load_s,
        first_s=found.first_s,
        warmup_s=found.warmup_s,
        times_s=found.times_s,
        paces_s=found.paces_s,
        unit=opened.unit,
        items=[work.items for work in found.works],
        video_s=sum(work.video_s for work in found.works),
        size_bytes=sum(work.size_bytes for work in found.works),
        stages={name: [work.stages.get(name, 0.0) for work in found.works] for name in names},
        vectors=vectors,
        problem=problem,
        notes=notes,
        copied=copied,
        disturbed_s=found.disturbed_s,
        other_cores=found.other_cores,
    )


if __name__ == "__main__":
    sys.exit(main())
