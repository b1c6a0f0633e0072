"""A scripted planner: it tells of the plans that a test gives it, and counts nothing."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.commands import StartRun
from pipeline.forecast import Check, Holding, Pace, Plan, PlannedJob, PlanState, Tally, Verdict
from pipeline.health import Grade
from pipeline.settings import Settings
from screens.ports import Refusal, RunRequest
from vconsole.planning import Planner

INPUTS = (
    PlannedJob(b"a.mp4", Verdict.TO_DO, "", 3_000_000),
    PlannedJob(b"copy-of-a.mp4", Verdict.DUPLICATE, "duplicate of a.mp4", 3_000_000),
    PlannedJob(b"readme.txt", Verdict.SKIPPED, "not a video or picture", 20),
)
PLANNED = Plan(
    state=PlanState.COMPLETE,
    checks=(
        Check("output", Grade.OK, "/out will be made."),
        Check("room", Grade.WARNING, "1.0 GB free, and about 2.0 GB are expected.", "Free some."),
    ),
    tallies=tuple(Tally(job.verdict, 1, job.size_bytes) for job in INPUTS),
    looked_at=3,
    jobs=INPUTS,
    pace=Pace((4, 2), 10_000, 20_000, 0.5, True),
)


class ScriptedPlanner(Planner):
    """Tells of `first`, and gives `last` once it may, or is stopped."""

    def __init__(self, first: Plan, last: Plan | Refusal, command: Refusal | None = None) -> None:
        super().__init__(Settings, Path("/nowhere"))
        self.first, self.last, self.refusal = first, last, command
        self.may_end = threading.Event()
        self.stopped = threading.Event()

    def count(self, path: bytes, stop: threading.Event, tell: Callable[[Holding], Any]) -> Holding:
        return Holding(videos=3, source_bytes=6_000_020, expected_s=95.0, over=True)

    def plan(self, request: RunRequest, stop: threading.Event, tell: Callable[[Plan], Any]) -> Plan | Refusal:
        tell(self.first)
        while not self.may_end.wait(0.01):
            if stop.is_set():
                self.stopped.set()
                return Plan(state=PlanState.CANCELLED, looked_at=7)
        return self.last

    def command(self, request: RunRequest) -> StartRun | Refusal:
        plain = self.settings("scenes", {})
        assert not isinstance(plain, Refusal)
        return self.refusal or StartRun(request.kind, request.inputs, request.out, request.preset, plain)
