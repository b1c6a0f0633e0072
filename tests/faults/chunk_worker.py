"""The real worker, which does to a chunk of a long video what a file asks for, and writes down each chunk it makes.

CHUNK_DEEDS names the folder. Of chunk N, N.crash ends the worker, N.fail fails the chunk, N.uncut finds that the video
must be read in one piece, N.hold becomes N.held and keeps the worker at the chunk until that is gone.
"""

import os
import time
from pathlib import Path

from pipeline import desk, divided, worker
from pipeline.errors import JobError
from pipeline.extract_job import ExtractJob, RunContext
from pipeline.media.chunk import UncuttableError
from pipeline.model import FailureClass, Stage
from pipeline.outcome import Outcome
from pipeline.outputs.chunks import StoredChunk
from pipeline.progress import Reporter

DEEDS = Path(os.environ["CHUNK_DEEDS"])
LOOK_S = 0.005


def note(line: str) -> None:
    """Write down what was done, also if the worker ends at once."""
    with (DEEDS / "log").open("a") as log:
        log.write(line + "\n")


class Extraction(divided.DividedExtraction):
    """Stands in for what makes a chunk."""

    def _make(self, number: int) -> StoredChunk:
        note(f"begin {number}")
        if (DEEDS / f"{number}.crash").exists():
            os.abort()
        if (DEEDS / f"{number}.fail").exists():
            raise JobError(FailureClass.CORRUPT, "It is rotten.", stage=Stage.SCENES)
        if (DEEDS / f"{number}.uncut").exists():
            raise UncuttableError("it is one piece")
        if (hold := DEEDS / f"{number}.hold").exists():
            held = hold.rename(hold.with_suffix(".held"))
            while held.exists():
                self._clock.moved()
                time.sleep(LOOK_S)
        chunk = MAKE(self, number)
        note(f"made {number}")
        return chunk


def extract(job: ExtractJob, run: RunContext, report: Reporter) -> Outcome:
    """Note which video is worked on in one piece."""
    if job.division is None or job.division.whole:
        note(f"whole {os.fsdecode(job.relative)}")
    return EXTRACT(job, run, report)


EXTRACT, MAKE = desk.extract, divided.DividedExtraction._make
if __name__ == "__main__":
    divided.DividedExtraction._make = Extraction._make  # type: ignore[method-assign]
    desk.extract = extract
    worker.main()
