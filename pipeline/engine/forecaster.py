"""Makes the forecast of a run: its checks, the verdict on each input, the time and the room it is expected to take."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from pipeline.commands import StartRun
from pipeline.engine.checks import checks, room
from pipeline.engine.past import pace
from pipeline.engine.plan import plan
from pipeline.errors import LedgerError, VconsoleError
from pipeline.forecast import NOTHING_TO_DO, WORK, Check, Plan, PlannedJob, PlanState, Tally, Verdict
from pipeline.health import Grade
from pipeline.model import RunKind
from pipeline.text import plural

MOST_LISTED = 100_000
"""Inputs that a plan lists one by one; all are counted."""
TELL_S = 0.2
"""How often the plan so far is told."""

Tell = Callable[[Plan], object]


def forecast(command: StartRun, state_dir: Path, stop: threading.Event, tell: Tell) -> Plan:
    """Return the plan of `command` against the ledger in `state_dir`; changes nothing on the disk.

    `tell` is given the plan so far; setting `stop` ends planning at the next input.
    """
    made = Plan()
    for check in checks(command):
        made = replace(made, checks=(*made.checks, check))
        tell(made)
    if made.refused:
        return replace(made, state=PlanState.REFUSED)
    made = replace(made, state=PlanState.LOOKING)
    try:
        made = _looked_through(made, plan(command, state_dir, stop), tell)
        made = replace(made, pace=pace(state_dir, command.kind, command.preset))
    except VconsoleError as error:
        fault = Check("ledger" if isinstance(error, LedgerError) else "plan", Grade.FAULT, str(error), error.remedy)
        return replace(made, state=PlanState.REFUSED, checks=(*made.checks, fault))
    if stop.is_set():
        return replace(made, state=PlanState.CANCELLED)
    found = (*made.checks, room(command.out, _to_be_written(command, made)), *_inputs(made))
    made = replace(made, checks=found)
    return replace(made, state=PlanState.REFUSED if made.refused else PlanState.COMPLETE)


def _looked_through(made: Plan, planned: Iterator[PlannedJob], tell: Tell) -> Plan:
    """Return `made` with the verdicts."""
    counts: dict[Verdict, int] = {}
    sizes: dict[Verdict, int] = {}
    listed: list[PlannedJob] = []
    told = time.monotonic()
    last = b""
    for job in planned:
        counts[job.verdict] = counts.get(job.verdict, 0) + 1
        sizes[job.verdict] = sizes.get(job.verdict, 0) + job.size_bytes
        last = job.relative
        if len(listed) < MOST_LISTED:
            listed.append(job)
        if time.monotonic() - told > TELL_S:
            told = time.monotonic()
            tell(replace(made, tallies=_tallies(counts, sizes), looked_at=sum(counts.values()), last=last))
    return replace(made, tallies=_tallies(counts, sizes), looked_at=sum(counts.values()), last=last, jobs=tuple(listed))


def _tallies(counts: dict[Verdict, int], sizes: dict[Verdict, int]) -> tuple[Tally, ...]:
    return tuple(Tally(verdict, counts[verdict], sizes[verdict]) for verdict in Verdict if verdict in counts)


def _to_be_written(command: StartRun, made: Plan) -> float | None:
    """Return how many bytes to find room for: what earlier runs tell, else for a transcode as much as is read."""
    if made.written_bytes is None and command.kind is RunKind.TRANSCODE:
        return float(made.bytes_of(*WORK))
    return made.written_bytes


def _inputs(made: Plan) -> Iterator[Check]:
    """Yield what is to be said of the inputs, now that they were looked through."""
    settling, unreadable = made.count_of(Verdict.SETTLING), made.count_of(Verdict.UNREADABLE)
    if unreadable:
        text = f"{plural(unreadable, 'input')} cannot be read and will be reported as failed."
        yield Check("inputs", Grade.WARNING, text, "Check the permissions, or start and retry them later.")
    if settling:
        text = f"{plural(settling, 'file')} changed moments ago, perhaps still being copied."
        yield Check("inputs", Grade.WARNING, text, "Nothing to do: the run waits until they are at rest.")
    if not made.count_of(*WORK):
        done = made.count_of(Verdict.DONE)
        text = "All that is there is done already." if done else "There is no video in what was chosen."
        yield Check(NOTHING_TO_DO, Grade.WARNING, text, "Choose other folders, or other settings.")
