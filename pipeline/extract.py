"""One extract job: a whole video, one chunk of a long one, or the one result of its chunks."""

from pipeline.divided import ChunkExtraction
from pipeline.extract_job import ExtractJob, RunContext
from pipeline.extraction import Extraction
from pipeline.joined import JoinedExtraction
from pipeline.outcome import Outcome
from pipeline.progress import Reporter


def extract(job: ExtractJob, run: RunContext, report: Reporter) -> Outcome:
    """Do one job and return how it ended, failures included; only what `report` raises comes out as an exception.

    A job that may be divided is answered with state `queued` and its division, if the video is long.
    """
    if job.division is None or job.division.whole:
        return Extraction(job, run, report).outcome()
    if job.division.chunk is None:
        return JoinedExtraction(job, run, report).outcome()
    return ChunkExtraction(job, run, report).outcome()
