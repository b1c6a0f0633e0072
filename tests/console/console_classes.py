"""Classifications as the console meets them: one on its way, one of the past, and a desk that is asked."""

import os
from dataclasses import replace

from console_script import ScriptedHistory, busy, job, past_details, past_run, run_view

from pipeline.analysis.asked import ClassifyRun, command_of
from pipeline.commands import StartRun
from pipeline.history import RunDetails
from pipeline.job_facts import ClassFacts, ClassScene, ClassShare
from pipeline.model import JobState, RunKind, RunState
from pipeline.snapshot import ClassifyView, RunSummary, Snapshot
from screens.ports import ClassifyRequest, Refusal

FOLDER = "/data/videos-features"
ROWS = (
    job(1, JobState.DONE, name="a.mp4", label="red circle", scenes=2, frames=6),
    job(2, JobState.DONE, name="b.mp4", label="blue star", scenes=1, frames=3),
    job(3, JobState.DONE, name="c.mp4", scenes=1, frames=3),
)
FACTS = ClassFacts(
    label="red circle",
    shares=(ClassShare("red circle", 0.91), ClassShare("blue star", 0.08), ClassShare("none of [these]", 0.01)),
    scenes=(ClassScene(0.0, 4.0, "red circle", 0.97), ClassScene(4.0, 6.0, "", 0.4)),
    method="words",
    model="clip-vit-b-32",
)


class ScriptedClasses:
    """Answers every request with a command, unless it is given a refusal."""

    def __init__(self, refusal: Refusal | None = None) -> None:
        self.refusal = refusal
        self.asked: list[ClassifyRequest] = []

    def usual(self) -> ClassifyRequest:
        return ClassifyRequest(b"", "", b"", "centroid", "", "0.0")

    def command(self, request: ClassifyRequest) -> StartRun | Refusal:
        self.asked.append(request)
        return self.refusal or command_of(request.folder, ClassifyRun())


def with_classes() -> Snapshot:
    """Return the picture of a run that is over and whose videos are classified."""
    return replace(busy(), run=run_view(ROWS, state=RunState.DONE), jobs=ROWS, failures=())


def classifying(run_id: int = 70) -> Snapshot:
    """Return the picture of a classification in mid-way; no run of videos is there."""
    line = RunSummary(run_id, RunKind.CLASSIFY, RunState.RUNNING, "words", f"{FOLDER}/classes.csv", 1.0, 0, 0)
    idle = replace(busy(), run=None, jobs=(), failures=(), stages=())
    return replace(idle, runs=(line,), classify=ClassifyView(run_id, 300, 1200))


def a_classification(run_id: int, state: RunState) -> RunDetails:
    """Return what is remembered of a classification."""
    over = state in {RunState.DONE, RunState.INTERRUPTED}
    left = ((JobState.QUEUED, 2),) if state is RunState.INTERRUPTED else ()
    run = past_run(
        run_id, state, kind=RunKind.CLASSIFY, preset="words", inputs=(FOLDER,), out=os.path.join(FOLDER, "classes.csv"),
        counts=(*left, (JobState.DONE, 5), (JobState.FAILED, 1)) if over else (), elapsed_s=3.0 if over else 0.0,
    )  # fmt: skip
    why = "the weights are gone" if state is RunState.INTERRUPTED else ""
    classes = (("red [circle]", 4), ("", 1)) if over else ()
    return past_details(run, stages=(), versions=(), machine=(), classes=classes, why=why)


def classified(state: RunState) -> ScriptedHistory:
    """Return a history with a classification, number 70, above others."""
    return ScriptedHistory(a_classification(70, state), past_details(past_run(8)))
