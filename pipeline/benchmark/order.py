"""What a benchmark is made of, and the file that tells it to the process that measures."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.benchmark.plan import Kind, Subject
from pipeline.benchmark.report import Method, Report
from pipeline.outputs.atomic import atomic_file
from pipeline.outputs.paths import ORDER
from pipeline.settings import PipelineSettings

REPORT = b"report"
"""What the reports in the folder of a benchmark are called, without their endings."""

BASELINE = b"baseline.json"
"""The report that it is compared with, a copy in the same folder."""


@dataclass(frozen=True, slots=True)
class Order:
    """All that a benchmark is made of."""

    subjects: tuple[Subject, ...]
    method: Method
    settings: PipelineSettings
    scratch: str
    presets: Mapping[str, PipelineSettings] = field(default_factory=dict)
    """What a run with each preset that is measured reads."""
    command: tuple[str, ...] = ()
    baseline: Report | None = None
    allowed_percent: float | None = None
    """By how much a subject may be slower than in the baseline, None = no gate."""


def subject_of(fields: dict[str, Any]) -> Subject:
    """Return the subject that `asdict` made `fields` of."""
    return Subject(**{**fields, "kind": Kind(fields["kind"]), "inputs": tuple(fields["inputs"])})


def write_order(order: Order, folder: bytes) -> None:
    """Write an order into a folder, its baseline beside it. Raises OSError."""
    if order.baseline:
        with atomic_file(os.path.join(folder, BASELINE)) as part, open(part, "w") as file:
            file.write(order.baseline.model_dump_json())
    fields = {
        "subjects": [asdict(subject) for subject in order.subjects],
        "method": order.method.model_dump(),
        "settings": order.settings.model_dump(mode="json"),
        "presets": {name: settings.model_dump(mode="json") for name, settings in order.presets.items()},
        "command": order.command,
        "allowed_percent": order.allowed_percent,
    }
    with atomic_file(os.path.join(folder, ORDER)) as part, open(part, "w") as file:
        json.dump(fields, file)


def read_order(folder: bytes, scratch: str) -> Order:
    """Return the order in a folder. Raises OSError, ValueError, LookupError and TypeError."""
    with open(os.path.join(folder, ORDER)) as file:
        fields = json.load(file)
    known = Path(os.fsdecode(os.path.join(folder, BASELINE)))
    return Order(
        subjects=tuple(subject_of(one) for one in fields["subjects"]),
        method=Method.model_validate(fields["method"]),
        settings=PipelineSettings.model_validate(fields["settings"]),
        scratch=scratch,
        presets={name: PipelineSettings.model_validate(one) for name, one in fields["presets"].items()},
        command=tuple(fields["command"]),
        baseline=Report.model_validate_json(known.read_bytes()) if known.exists() else None,
        allowed_percent=fields.get("allowed_percent"),
    )
