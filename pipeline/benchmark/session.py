"""The process that measures a whole benchmark for the engine: `python -m pipeline.benchmark.session FOLDER`.

It reads the order in FOLDER, keeps what an unfinished report there has measured already, and writes a JSON object a
line to stdout: `planned`, `progress`, `result` (a `LabResult`) and at last `over`. After each subject the report is
written, so that nothing measured is lost however this ends. It ends early, and in order, when its stdin does.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.benchmark.facts import fact_of
from pipeline.benchmark.order import REPORT, read_order
from pipeline.benchmark.report import Missing, Result, measured_before
from pipeline.benchmark.runner import Progress, run
from pipeline.benchmark.write import write_json, write_reports


def main() -> int:
    """Measure what the folder's order asks for."""
    folder = os.fsencode(sys.argv[1])
    prefix = os.path.join(folder, REPORT)
    scratch = tempfile.mkdtemp(prefix=b".measuring-", dir=folder)
    order = read_order(folder, os.fsdecode(scratch))
    threading.Thread(target=_stop_with_stdin, daemon=True).start()
    try:
        _tell("planned", names=[subject.name for subject in order.subjects], wanted=order.method.iterations)
        known = measured_before(Path(os.fsdecode(prefix + b".json")))
        for result in known:
            _over(result)
        report = run(order, _progress, _over, known, lambda so_far: write_json(so_far, prefix))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        write_reports(report, os.fsdecode(prefix))
        _tell("over", complete=report.complete)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


def _stop_with_stdin() -> None:
    while os.read(0, 1 << 12):
        pass
    os.kill(os.getpid(), signal.SIGINT)


def _progress(now: Progress) -> None:
    _tell("progress", name=now.name, phase=now.phase, calls=now.calls, last_s=now.last_s)


def _over(one: Result | Missing) -> None:
    _tell("result", **asdict(fact_of(one)))


def _tell(event: str, **fields: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
