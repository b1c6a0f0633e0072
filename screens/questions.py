"""Questions: whether a run goes on, starts again or is cancelled, how to leave, what becomes of unsaved changes."""

from collections.abc import Callable
from itertools import takewhile
from typing import Any

from textual.app import App

from pipeline.commands import ResumeRun
from pipeline.history import PastRun
from pipeline.model import STAGES, TERMINAL, JobState, RunState
from pipeline.snapshot import JobRow, RunSummary, Snapshot
from pipeline.text import plural
from screens.actions import key_of
from screens.dialogs import Choice, Question
from screens.ports import Source
from screens.presenters.header import is_live


def offer_to_resume(app: App[Any], source: Source, see_runs: Callable[[], None]) -> None:
    """Ask whether to go on with the runs that the last session left, if it left any."""
    left = left_behind(source.latest())
    if not left:
        return

    def answered(answer: str | None) -> None:
        if answer == "runs":
            see_runs()
        wanted = left if answer == "all" else left[:1] if answer == "newest" else ()
        for run in reversed(wanted):
            source.send(ResumeRun(run.run_id))

    app.push_screen(resume_question(left), answered)


def left_behind(snapshot: Snapshot) -> tuple[RunSummary, ...]:
    """Return the interrupted runs after which no other was started, newest first; none where a run is loaded."""
    if snapshot.run is not None or snapshot.fatal:
        return ()
    videos = (run for run in snapshot.runs if run.kind in STAGES)
    newest_first = sorted(videos, key=lambda run: -run.run_id)
    return tuple(takewhile(lambda run: run.state is RunState.INTERRUPTED, newest_first))


def resume_question(left: tuple[RunSummary, ...]) -> Question:
    """Return the question about the runs in `left`, newest first."""
    run, older = left[0], len(left) - 1
    what = f"Run {run.run_id} was interrupted: {run.kind} · {run.preset}, {plural(run.total, 'video')} → {run.out}"
    choices = [
        Choice("r", "newest", f"Resume run {run.run_id}", "What is done stays and is not done again."),
        Choice("h", "runs", "See the runs", "Look at all runs first."),
        Choice("s", "leave", "Leave it", f"Change nothing; {key_of('run.resume')} on the monitor resumes it later."),
    ]
    if older:
        what += f". {plural(older, 'run')} before it {'was' if older == 1 else 'were'} interrupted too."
        choices.insert(1, Choice("a", "all", f"Resume all {older + 1}", "One after another, the oldest first."))
    return Question("interrupted", what, tuple(choices))


def again_question(run: PastRun) -> Question:
    """Return the question whether to start a run once more."""
    whole = "Everything is done again, as it was then." if run.force else "What is whole is not done again."
    choices = (
        Choice("a", "again", "Start it again", f"With the inputs, output folder and settings of then. {whole}"),
        Choice("s", "stay", "Leave it", "Change nothing."),
    )
    return Question("start again", f"Start run {run.run_id} again? {run.kind} · {run.preset} → {run.out}", choices)


def unsaved_question(changes: int) -> Question:
    """Return the question what is to become of changes that are not saved."""
    save = Choice("w", "save", "Save", "Write them into the file, then leave.")
    drop = Choice("d", "drop", "Drop", "Leave without them.")
    stay = Choice("s", "stay", "Stay", "Change nothing.")
    return Question("settings", f"{plural(changes, 'change')} not saved yet.", (save, drop, stay))


def quit_question(running: int) -> Question:
    """Return the question how to leave while this many videos run; its answers are drain, now and stay."""
    choices = (
        Choice(
            "a",
            "drain",
            "After what runs",
            f"What runs now ({plural(running, 'video')}) is finished, then the console leaves.",
        ),
        Choice("n", "now", "Now", "The videos that run are given back; the next start offers to go on."),
        Choice("s", "stay", "Stay", "Change nothing."),
    )
    return Question("leave", "A run is under way. How do you want to leave?", choices, pressed_on="now")


def leaving_question(snapshot: Snapshot) -> Question | None:
    """Return the question how to leave, None where nothing goes on; its answers are now, stay and, of videos, drain."""
    if is_live(snapshot.run) and snapshot.run is not None:
        return quit_question(snapshot.run.count(JobState.RUNNING))
    if snapshot.lab is not None:
        return _aside_question("A benchmark", plural(len(snapshot.lab.results), "subject"), "measured")
    if snapshot.classify is not None:
        return _aside_question("A classification", plural(snapshot.classify.done, "video"), "classified")
    return None


def _aside_question(what: str, amount: str, done: str) -> Question:
    kept = f"What is {done} so far ({amount}) is kept; its run can be gone on with."
    choices = (Choice("n", "now", "Now", kept), Choice("s", "stay", "Stay", "Change nothing."))
    return Question("leave", f"{what} is under way. Leave all the same?", choices, pressed_on="now")


def run_cancel_question(run: PastRun) -> Question:
    """Return the question whether to cancel a run of the history that goes on or waits."""
    choices = (
        Choice("c", "cancel", "Cancel it", "What is done stays; the run can be gone on with."),
        Choice("s", "stay", "Go on", "Change nothing."),
    )
    return Question("cancel", f"Cancel run {run.run_id}? {run.kind} · {run.preset} → {run.out}", choices)


def lab_again_question(run: PastRun) -> Question:
    """Return the question whether to measure once more what a benchmark has measured."""
    choices = (
        Choice("r", "again", "Measure it again", "The same subjects in the same way, as a benchmark of its own."),
        Choice("s", "stay", "Leave it", "Change nothing."),
    )
    return Question("measure again", f"Measure run {run.run_id} again? {run.preset}", choices)


def lab_cancel_question(run_id: int, measured: int) -> Question:
    """Return the question whether to end what is measured now."""
    kept = f"What is measured so far ({plural(measured, 'subject')}) is kept, with its report."
    choices = (Choice("c", "cancel", "Cancel it", kept), Choice("s", "stay", "Go on", "Change nothing."))
    return Question("cancel", f"Cancel benchmark {run_id}?", choices)


def cancel_question(left: int, job: JobRow | None) -> Question:
    """Return the question what to cancel, with this many videos not finished; its answers are video, run and stay."""
    given_up = f"{plural(left, 'video')} not finished yet are given up; what is done stays."
    choices = [Choice("r", "run", "Cancel the run", given_up), Choice("s", "stay", "Go on", "Change nothing.")]
    if job is not None and job.state not in TERMINAL:
        choices.insert(0, Choice("v", "video", "Cancel the video", job.name))
    return Question("cancel", "What shall be cancelled?", tuple(choices))
