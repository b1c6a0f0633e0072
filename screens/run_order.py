"""The order of the run history, and the filter that narrows it."""

from collections.abc import Callable, Iterable
from typing import Any

from pipeline.history import PastRun
from pipeline.model import BAD
from pipeline.text import visible

SORTS: dict[str, Callable[[PastRun], Any]] = {
    "newest first": lambda run: -run.run_id,
    "longest first": lambda run: -run.elapsed_s,
    "most failed first": lambda run: -run.count(*BAD),
    "most videos first": lambda run: -run.total,
}
"""Name of an order -> what it sorts by; equal runs are the newest first."""


def next_sort(name: str) -> str:
    """Return the name of the order after one."""
    names = list(SORTS)
    return names[(names.index(name) + 1) % len(names)]


def arranged(runs: Iterable[PastRun], needle: str, sort: str) -> tuple[PastRun, ...]:
    """Return the runs that contain `needle`, whatever its case, in an order; `runs` are the newest first."""
    wanted = needle.casefold()
    return tuple(sorted((run for run in runs if wanted in _words(run)), key=SORTS[sort]))


def _words(run: PastRun) -> str:
    return visible(" ".join((f"run {run.run_id}", run.state, run.kind, run.preset, run.out, *run.inputs))).casefold()
