"""Asks, before the end of an attempt is judged, whether the surroundings are to blame for it."""

import asyncio
import os
from collections.abc import Callable

from pipeline.engine.active import ActiveRun
from pipeline.engine.faults import Fault, Trouble
from pipeline.engine.scheduler import Report
from pipeline.engine.slots import Running
from pipeline.engine.threads import in_thread
from pipeline.errors import SCARCE
from pipeline.model import FailureClass

SUSPECT = frozenset({FailureClass.IO, FailureClass.CHANGED, FailureClass.DISK_FULL, FailureClass.OUT_OF_MEMORY})
"""Failures for which the surroundings may be to blame."""
ANSWER_S = 20.0
"""How long a volume may take to say whether it stands; one that takes longer counts as gone."""


def is_suspect(report: Report) -> bool:
    """Whether the surroundings may be to blame."""
    if report.outcome == "stalled":
        return True
    return report.outcome == "failed" and (report.failure in SUSPECT or report.errno in SCARCE)


class Inquiry:
    """The questions under way; `answered` is called on the loop with each attempt and what was found."""

    def __init__(self, answered: Callable[[ActiveRun, Running, Report, Trouble | None], None]) -> None:
        self._answered = answered
        self._asked: dict[asyncio.Task[None], tuple[ActiveRun, Running]] = {}

    @property
    def under_way(self) -> bool:
        """Whether a question has not been answered."""
        return bool(self._asked)

    def begin(self, run: ActiveRun, running: Running, report: Report) -> None:
        """Ask about the end of an attempt."""
        task = asyncio.create_task(self._ask(run, running, report))
        self._asked[task] = (run, running)
        task.add_done_callback(lambda task: self._asked.pop(task, None))

    def abandon(self) -> list[tuple[ActiveRun, Running]]:
        """Wait for no answer any more; return the attempts it would have been about."""
        left = list(self._asked.items())
        for task, _ in left:
            task.cancel()
        return [about for _, about in left]

    async def _ask(self, run: ActiveRun, running: Running, report: Report) -> None:
        source = running.job.source
        trouble: Trouble | None
        try:
            async with asyncio.timeout(ANSWER_S):
                trouble = await in_thread(lambda: run.surroundings.at_fault(report, source, alone=running.alone))
        except TimeoutError:
            trouble = Trouble(Fault.IN_GONE, run.surroundings.input_of(source), "it does not answer")
        except OSError as error:
            trouble = Trouble(Fault.PROCESSES, why=os.strerror(error.errno or 0))
        self._answered(run, running, report, trouble)
