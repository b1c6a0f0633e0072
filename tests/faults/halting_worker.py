"""The real worker, held half way through each video that is asked for, once in an attempt, until it is let go.

python halting_worker.py FOLDER --fd N --nice N: half way through the video `name`, FOLDER/name.hold becomes
FOLDER/name.half, and the worker waits until that is gone.
"""

import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from pipeline import desk, worker
from pipeline.extract_job import ExtractJob, RunContext
from pipeline.model import Stage
from pipeline.outcome import Outcome
from pipeline.progress import Reporter

HALF_WAY = 0.4
"""Share of a job from which its video is half read: decoding is nine tenths of it."""
LOOK_S = 0.005


class Halting:
    """Passes on how a job gets on, and keeps it at its half."""

    def __init__(self, report: Reporter, hold: Path) -> None:
        self._report = report
        self._hold: Path | None = hold
        self.passed = report.passed

    def progress(self, stage: Stage, share: float, **told: Any) -> None:
        """Tell it; wait if this is the half of a video that is to be held."""
        self._report.progress(stage, share, **told)
        if share > HALF_WAY and self._hold and self._hold.exists():
            half = self._hold.rename(self._hold.with_suffix(".half"))
            self._hold = None
            while half.exists():
                time.sleep(LOOK_S)


def extract(folder: Path, whole: Any, job: ExtractJob, run: RunContext, report: Reporter) -> Outcome:
    """Stand in for `extract`, which is `whole`."""
    outcome: Outcome = whole(job, run, Halting(report, folder / f"{os.fsdecode(job.relative)}.hold"))
    return outcome


if __name__ == "__main__":
    desk.extract = partial(extract, Path(sys.argv[1]), desk.extract)
    worker.main(sys.argv[2:])
