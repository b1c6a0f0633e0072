"""Where a job stands in the queue of its run: when it is taken in, and when an attempt at it or a chunk of it ends."""

from pipeline.engine.active import ActiveRun
from pipeline.engine.records import JobRecord
from pipeline.engine.scheduler import Verdict, runs_alone
from pipeline.model import TERMINAL, JobState

_TO_DO = frozenset({JobState.QUEUED, JobState.WAITING})


def queue_job(run: ActiveRun, job: JobRecord) -> None:
    """Queue a job that is to be done; of one that is done in chunks, those that are not over."""
    if job.state not in _TO_DO:
        return
    chunks = [chunk for chunk in job.chunks if chunk.state in _TO_DO]
    if not chunks:
        run.queue.add(job.job_id, alone=runs_alone(job, run.settings.engine))
        return
    lonely = sum(runs_alone(chunk, run.settings.engine) for chunk in chunks)
    for _ in range(lonely):
        run.queue.add(job.job_id, alone=True)
    if len(chunks) > lonely:
        run.queue.add_first(job.job_id)
    run.queue.spread(job.job_id, max(0, len(chunks) - lonely - 1))


def requeue(run: ActiveRun, before: JobRecord, after: JobRecord, verdict: Verdict, now_s: float) -> None:
    """Queue what is left of a job, `before` as an attempt ran, `after` as its end left it."""
    if before.chunk is not None and after.open_chunks() + after.running_chunks():
        _requeue_chunks(run, before.chunk, after, verdict, now_s)
        return
    if before.chunk is not None:
        run.queue.drop(after.job_id)
    if after.open_chunks() or after.state not in _TO_DO:
        queue_job(run, after)
    elif after.state is JobState.WAITING:
        run.queue.add_later(after.job_id, now_s + verdict.pause_s, alone=verdict.alone)
    else:
        alone = before.chunk is None and (verdict.alone or runs_alone(after, run.settings.engine))
        run.queue.add_first(after.job_id, alone=alone)


def _requeue_chunks(run: ActiveRun, number: int, job: JobRecord, verdict: Verdict, now_s: float) -> None:
    """Queue the chunks of a job that are not over; if none of them runs it has the next turn, so it always goes on."""
    queue, chunk = run.queue, job.chunks[number]
    if job.state in TERMINAL:
        queue.drop(job.job_id)
        return
    alone = verdict.alone or runs_alone(chunk, run.settings.engine)
    if chunk.state is JobState.WAITING:
        queue.add_later(job.job_id, now_s + verdict.pause_s, alone=alone)
    elif chunk.state is JobState.QUEUED and alone:
        queue.add(job.job_id, alone=True)
    ready = sum(chunk.state is JobState.QUEUED for chunk in job.chunks) - queue.alone(job.job_id)
    if ready > 0 and not job.running_chunks():
        queue.add_first(job.job_id)
        ready -= 1
    queue.spread(job.job_id, max(0, ready))
