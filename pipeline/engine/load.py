"""Takes the rows of a run in that has been before; what is to be done begins before all of them are there."""

from pipeline.engine.active import ActiveRun
from pipeline.engine.core import Core
from pipeline.engine.dispatch import Dispatcher
from pipeline.engine.records import RunRecord
from pipeline.engine.scheduler import runs_alone
from pipeline.errors import SettingsError
from pipeline.settings import PipelineSettings

LOAD_ROWS = 2000
"""Rows of the ledger that are taken in at once."""
BEGUN_AHEAD = 256
"""Jobs to do that are queued before the rows are taken in: a run may have a million done ones in front of them."""


async def load(core: Core, run: ActiveRun, dispatcher: Dispatcher) -> None:
    """Take in the rows of `run` in the order of discovery and queue what is to be done."""
    run_id = run.record.run_id
    first, last, to_do = await core.ledger.submit(
        lambda ledger: (*ledger.job_span(run_id), ledger.jobs_to_do(run_id, BEGUN_AHEAD))
    )
    queued = {job.job_id for job in to_do if not runs_alone(job, run.settings.engine)}
    for job in to_do:
        if job.job_id in queued:
            dispatcher.enqueue(run, job)
    dispatcher.hand_out()
    while first <= last:
        jobs = await core.ledger.submit(
            lambda ledger, first=first: ledger.jobs_from(run_id, first, LOAD_ROWS)  # type: ignore[misc]
        )
        for job in jobs:
            run.add(job)
            if job.job_id not in queued:
                dispatcher.enqueue(run, job)
        for worker in core.pool.running():
            if worker.running:
                run.set(worker.running.job.job_id, worker=worker.slot)
        dispatcher.hand_out()
        first = jobs[-1].job_id + 1 if jobs else last + 1
    run.begun = core.dirty = True


def past_run(core: Core, record: RunRecord) -> ActiveRun:
    """Return a run that is over, still without its rows, as it is to be shown."""
    try:
        settings = PipelineSettings.model_validate(record.settings)
    except ValueError as error:
        raise SettingsError(
            f"The settings of run {record.run_id} are of another version: {error}", remedy="See it in the run history."
        ) from error
    run = ActiveRun(record, settings, {}, now_s=core.clock(), wall_s=record.ended_s)
    run.state, run.past, run.reported, run.discovering = record.state, True, True, False
    return run
