"""What happened between two snapshots, as a list of plain events."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from pipeline.model import TERMINAL, JobState, RunState
from pipeline.rows import Rows
from pipeline.snapshot import JobRow, Notice, RunView, Snapshot

ENDED = frozenset({RunState.DONE, RunState.CANCELLED, RunState.INTERRUPTED})
"""States of a run that nothing more happens in."""

_SILENT = frozenset({JobState.QUEUED, JobState.SETTLING})
"""States in which a row that was not there before is no news; of a run that is being loaded, the terminal ones too."""


@dataclass(frozen=True, slots=True)
class RunChanged:
    """A run began, or its state changed."""

    run: RunView


@dataclass(frozen=True, slots=True)
class JobChanged:
    """A video moved to another state."""

    row: JobRow


@dataclass(frozen=True, slots=True)
class Told:
    """The engine has something to say."""

    notice: Notice


Event = RunChanged | JobChanged | Told


def changes(before: Snapshot, after: Snapshot) -> Iterator[Event]:
    """Yield what happened since `before`, in the order an operator would tell it."""
    newest = before.notices[0] if before.notices else None
    for notice in reversed(tuple(takewhile(lambda notice: notice != newest, after.notices))):
        yield Told(notice)
    if after.run is None:
        return
    run_changed = _run_changed(before.run, after.run)
    if run_changed and after.run.state not in ENDED:
        yield RunChanged(after.run)
    same_run = before.run is not None and before.run.run_id == after.run.run_id
    loading = after.run.loading or (same_run and before.run is not None and before.run.loading)
    silent = _SILENT | TERMINAL if loading else _SILENT
    yield from _job_changes(Rows.of(before.jobs if same_run else ()), Rows.of(after.jobs), silent)
    if run_changed and after.run.state in ENDED:
        yield RunChanged(after.run)


def _run_changed(before: RunView | None, after: RunView) -> bool:
    return before is None or (before.run_id, before.state) != (after.run_id, after.state)


def _job_changes(before: Rows[JobRow], after: Rows[JobRow], silent: frozenset[JobState]) -> Iterator[Event]:
    known = len(before)
    for index in after.changed_since(before):
        row = after[index]
        old = before[index] if index < known and before[index].job_id == row.job_id else None
        if old is None and row.state in silent:
            continue
        if old is None or old.state is not row.state:
            yield JobChanged(row)
