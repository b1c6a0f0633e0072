"""Reads the run history from the ledger, and of one run all that ledger and reports tell; changes nothing."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.engine.ledger import recorded
from pipeline.engine.past import covered_s
from pipeline.engine.reader import LedgerReader
from pipeline.engine.records import RunRecord
from pipeline.engine.reports import utc
from pipeline.errors import SettingsError
from pipeline.history import History, PastRun, RunDetails, SettingValue
from pipeline.identity import open_regular
from pipeline.model import JobState, RunKind, Stage
from pipeline.outputs import paths
from pipeline.sections import ModelSettings
from pipeline.settings import PipelineSettings

MOST_RUNS = 1000
"""Runs that the history shows, the newest ones."""
MOST_REPORT_BYTES = 1 << 20
"""A larger `run.json` is none of ours; they have a few thousand bytes."""
_MACHINE = ("system", "processor", "cores", "memory_bytes", "gpus", "device")
"""What `run.json` tells of the machine."""


def history(state_dir: Path) -> History:
    """Return the newest runs. Raises LedgerError."""
    with LedgerReader.read_only(state_dir) as ledger:
        records = ledger.runs(limit=MOST_RUNS)
        counts = ledger.counts_by_run(records[-1].run_id) if records else {}
        runs = tuple(past_run(record, counts.get(record.run_id, {})) for record in records)
        return History(runs, ledger.run_count())


def details(state_dir: Path, run_id: int) -> RunDetails:
    """Return all that is remembered of one run. Raises LedgerError, and SettingsError if there is no such run."""
    with LedgerReader.read_only(state_dir) as ledger:
        record = ledger.run(run_id)
        if record is None:
            raise SettingsError(f"There is no run {run_id} in the ledger.")
        stages = sorted(ledger.stage_times(run_id), key=lambda one: tuple(Stage).index(one.stage))
        totals, reused, made_video_s = ledger.totals(run_id), *ledger.made(run_id)
        versions, machine, untold = _reported(record)
        return RunDetails(
            run=past_run(record, ledger.counts(run_id)),
            read_s=time.time(),
            reused=reused,
            at_work_s=covered_s(ledger.attempt_spans(run_id)),
            made_video_s=made_video_s,
            scenes=int(totals["scenes"]),
            frames=int(totals["frames"]),
            source_bytes=int(totals["source_bytes"]),
            output_bytes=int(totals["output_bytes"]),
            stages=tuple(stages),
            settings=tuple(_settings(record.settings)),
            versions=versions,
            machine=machine,
            untold=untold,
            why=ledger.why_left(run_id) if record.kind is RunKind.CLASSIFY else "",
            classes=ledger.classes(run_id) if record.kind is RunKind.CLASSIFY else (),
        )


def past_run(record: RunRecord, counts: Mapping[JobState, int]) -> PastRun:
    """Return a line of the history."""
    return PastRun(
        run_id=record.run_id,
        kind=record.kind,
        state=record.state,
        preset=record.preset,
        inputs=tuple(map(os.fsdecode, record.inputs)),
        out=os.fsdecode(record.out),
        force=record.force,
        created_s=record.created_s,
        started_s=record.started_s,
        elapsed_s=max(0.0, record.ended_s - record.started_s) if record.started_s and record.ended_s else 0.0,
        counts=tuple((state, counts[state]) for state in JobState if state in counts),
    )


def _settings(values: Mapping[str, Any]) -> Iterator[SettingValue]:
    defaults = dict(_flat(recorded(PipelineSettings())))
    flat = dict(_flat(values))
    for name in [*(name for name in defaults if name in flat), *(name for name in flat if name not in defaults)]:
        yield SettingValue(name, flat[name], defaults.get(name) or _of_a_model(name))


def _of_a_model(name: str) -> str:
    """Return the default of a value of a model that the operator described, empty where it has none."""
    section, _, value = name.rpartition(".")
    field = ModelSettings.model_fields.get(value) if section.startswith("models.") else None
    return "" if field is None or field.is_required() else _plain(field.default)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each value with its dotted name; lists are read as a person would write them."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        else:
            yield name, _plain(value)


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "none"
    return value if isinstance(value, str) and value else json.dumps(value)


_Pairs = tuple[tuple[str, str], ...]


def _reported(record: RunRecord) -> tuple[_Pairs, _Pairs, str]:
    """Return versions and machine as `run.json` in the run's folder tells them, and else why it does not."""
    try:
        info = _read_report(os.path.join(record.out, paths.RUN))
    except FileNotFoundError:
        return (), (), "There is no run.json in its output folder, where a run that ends or is stopped writes them."
    except (OSError, ValueError) as error:
        return (), (), f"The run.json in its output folder cannot be read: {error}"
    if (info.get("run_id"), info.get("created_utc")) != (record.run_id, utc(record.created_s)):
        return (), (), "The run.json in its output folder is now that of another run."
    machine = info.get("machine")
    known = {name: machine[name] for name in _MACHINE if name in machine} if isinstance(machine, dict) else {}
    versions = info.get("versions")
    return tuple(_flat(versions if isinstance(versions, dict) else {})), tuple(_flat(known)), ""


def _read_report(path: bytes) -> dict[str, Any]:
    descriptor = open_regular(path)
    with open(descriptor, "rb") as file:
        data = file.read(MOST_REPORT_BYTES + 1)
    info = json.loads(data) if len(data) <= MOST_REPORT_BYTES else None
    if not isinstance(info, dict):
        raise ValueError("it is no report of a run")  # noqa: TRY004 - what is wrong is the file
    return info
