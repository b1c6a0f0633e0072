"""Has the reports of the active run written, beside the loop: at its end, or as far as it got when it is stopped."""

from collections.abc import Callable
from dataclasses import replace

from pipeline.engine.active import ActiveRun
from pipeline.engine.core import Core
from pipeline.engine.reports import write_report_file, write_reports
from pipeline.engine.threads import in_thread
from pipeline.errors import VconsoleError
from pipeline.model import JobState, RunKind, RunState
from pipeline.outputs.atomic import remove_chunks
from pipeline.outputs.paths import features_path


async def report(core: Core, run: ActiveRun, state: RunState, in_time: Callable[[], bool] = lambda: True) -> None:
    """Write the reports of a run that ends now in `state`. Raises what `write_reports` raises."""
    if run.record.is_redo:
        return
    ended = replace(run.record, state=state, ended_s=max(core.wall_clock(), run.record.started_s))
    wall_s = run.elapsed_s(core.clock())
    gpus = tuple(core.gpu_names())
    device = ", ".join(dict.fromkeys(host.device for host in core.hosts.views)) if run.needs_host else ""
    await in_thread(
        lambda: write_reports(core.state_dir, ended, wall_s=wall_s, gpus=gpus, device=device, in_time=in_time)
    )
    if run.record.kind is RunKind.EXTRACT and state is not RunState.INTERRUPTED:
        partial = await core.ledger.submit(
            lambda ledger: [
                features_path(run.record.out, job.relative)
                for job in ledger.jobs(run.record.run_id, (JobState.PARTIAL,))
                if job.result.get("missing")
            ]
        )
        await in_thread(lambda: remove_chunks(run.record.out, keep=partial))
    report_file = run.settings.transcode.report_file if run.record.kind is RunKind.TRANSCODE else ""
    if report_file and in_time():
        try:
            await in_thread(lambda: write_report_file(core.state_dir, ended, report_file))
        except OSError as error:
            core.note("error", f"The report {report_file} could not be written: {error}")


async def report_stopped(core: Core, run: ActiveRun, in_time: Callable[[], bool] = lambda: True) -> None:
    """Write the reports of a run that was stopped, as long as there is time; a failure is only told."""
    run.reported = True
    try:
        await report(core, run, RunState.INTERRUPTED, in_time)
    except (OSError, VconsoleError) as error:
        core.note("warning", f"The reports of run {run.record.run_id} could not be written: {error}")
