"""What the monitor's keys ask of the engine: a command with what is said of it, or the reason why there is none."""

from pipeline.commands import MOST_WORKERS, Command, Drain, Pause, ResumeRun, Retry, SetWorkers, Unpause
from pipeline.model import BAD, RETRYABLE, RunState
from pipeline.snapshot import FailureRow, JobRow, Snapshot, WorkerPlan
from pipeline.text import plural
from screens.presenters.header import interrupted, is_live

Request = tuple[Command | None, str]
"""A command, None where nothing can be asked, and a sentence; an empty one where the screen will tell."""

NOTHING_RUNS: Request = (None, "Nothing runs.")


def pause(snapshot: Snapshot) -> Request:
    """Pause, or go on."""
    run = snapshot.run
    if run is None or not is_live(run):
        return NOTHING_RUNS
    return Unpause() if run.state in (RunState.PAUSED, RunState.DRAINING) else Pause(), ""


def drain(snapshot: Snapshot) -> Request:
    """Finish what runs and start no more."""
    return (Drain(), "") if is_live(snapshot.run) else NOTHING_RUNS


def resume(snapshot: Snapshot) -> Request:
    """Go on with the run that is shown, if it was interrupted, or the newest that was."""
    newest, shown = interrupted(snapshot), snapshot.run
    if shown is not None and shown.state is RunState.INTERRUPTED:
        return ResumeRun(shown.run_id), ""
    if newest is not None and not is_live(shown):
        return ResumeRun(newest.run_id), ""
    return None, "There is no interrupted run to go on with."


def retry(row: JobRow | FailureRow) -> Request:
    """Try a video again."""
    if row.state not in RETRYABLE:
        return None, f"The selected video is {row.state}; there is nothing to retry."
    return Retry(job_ids=(row.job_id,)), f"Asked to retry {row.name}."


def retry_all(snapshot: Snapshot) -> Request:
    """Try all failed videos again."""
    failed = 0 if snapshot.run is None else snapshot.run.count(*BAD)
    return (Retry(), f"Asked to retry {plural(failed, 'video')}.") if failed else (None, "Nothing has failed.")


class WorkerCount:
    """How many workers were asked for since the plan of the workers was made."""

    def __init__(self) -> None:
        self._plan: WorkerPlan | None = None
        self._asked = 0

    def change(self, snapshot: Snapshot, step: int) -> Request:
        """Ask for fewer or more workers than the plan has, or than were asked for since it was made."""
        plan = snapshot.worker_plan
        if plan is None or not is_live(snapshot.run):
            return NOTHING_RUNS
        before = self._asked if self._plan is plan else plan.workers
        self._plan, self._asked = plan, min(max(before + step, 1), MOST_WORKERS)
        return SetWorkers(self._asked), ""
