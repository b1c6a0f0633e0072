"""`--dry-run`: says what a run would do with each input, and which weights it needs."""

import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.commands import StartRun
from pipeline.engine.kinds import KINDS
from pipeline.engine.plan import plan
from pipeline.forecast import PlannedJob
from pipeline.model import RunKind
from pipeline.models.registry import catalogue, locate
from pipeline.reading.engines import choose
from pipeline.text import plural, visible
from vconsole.exits import Exit
from vconsole.output import write_json


def show(command: StartRun, folder: Path, *, as_json: bool) -> int:
    """Print the plan of `command` against the ledger in `folder` and return the exit code; changes nothing."""
    counts: Counter[str] = Counter()
    for job in plan(command, folder):
        counts[job.verdict] += 1
        if as_json:
            write_json({"event": "plan", **_job_object(job)}, sys.stdout)
        else:
            sys.stdout.write(_line(job) + "\n")
    weights = _weights(command)
    if as_json:
        out = os.fsdecode(command.out)
        summary = {"exit_code": int(Exit.OK), "total": counts.total(), "counts": counts, "out": out, "weights": weights}
        write_json({"event": "summary", **summary}, sys.stdout)
        return Exit.OK
    told = ", ".join(f"{number} {verdict}" for verdict, number in counts.most_common())
    sys.stdout.write(f"{plural(counts.total(), 'input')}: {told or 'nothing found'}\n")
    sys.stdout.write(f"outputs would go to {visible(command.out)}\n")
    for entry in weights:
        sys.stdout.write(f"model {visible(entry['model'])}: {visible(entry['weights'])}\n")
    if command.kind is RunKind.EXTRACT and command.settings.text.enabled:
        sys.stdout.write(f"text is read by {choose(command.settings.text)}\n")
    return Exit.OK


def _line(job: PlannedJob) -> str:
    told = " ".join([*([f"-> {visible(job.output)}"] if job.output else []), visible(job.reason)])
    return f"{job.verdict:<12} {visible(job.relative)}  {told}".rstrip()


def _job_object(job: PlannedJob) -> dict[str, Any]:
    return {
        "name": os.fsdecode(job.relative),
        "verdict": job.verdict,
        "reason": job.reason,
        "size_bytes": job.size_bytes,
        "output": os.fsdecode(job.output),
    }


def _weights(command: StartRun) -> list[dict[str, str]]:
    """Return the model keys that the run needs and where their weights are; `check` has seen that they are here."""
    models = catalogue(command.settings)
    keys = KINDS[command.kind].models(command.settings)
    return [{"model": key, "weights": locate(key, models[key]).place} for key in keys]
