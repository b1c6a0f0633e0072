"""A scripted benchmark lab: two benchmarks of the past, a comparison, and one that is measured now."""

import os
from dataclasses import replace

from console_script import busy

from pipeline.commands import StartRun
from pipeline.history import PastRun
from pipeline.lab import LabChange, LabChoices, LabComparison, LabReport, LabRequest, LabResult, LabView
from pipeline.model import JobState, RunKind, RunState
from pipeline.settings import Settings, with_preset
from pipeline.snapshot import RunSummary, Snapshot
from screens.ports import Exported, Refusal

NOW_S = 1_763_700_000.0
VALID = LabResult(
    "extractor tiny-shapes image", unit="picture", calls=20, p50_s=0.00213, p99_s=0.0031, items_per_s=468.0,
    floor="forward tiny-shapes image", floor_share=0.81,
)  # fmt: skip
DOUBTFUL = replace(
    VALID, name="preset scenes video", unit="video", p50_s=1.2, items_per_s=0.83, floor="", floor_share=0.0,
    reasons=("unstable: the last three windows lie 19% apart. Measure longer.",),
)  # fmt: skip
LOST = LabResult("service remote text concurrency=8", "no connection. Start the service, or correct its url.")


def past(run_id: int, state: RunState = RunState.DONE) -> PastRun:
    counts = ((JobState.DONE, 2), (JobState.FAILED, 1))
    return PastRun(
        run_id, RunKind.BENCHMARK, state, "tiny-shapes scenes", ("/data/a.mp4",), f"/state/benchmarks/{run_id}", False,
        NOW_S, NOW_S, 42.0, counts,
    )  # fmt: skip


def measuring() -> Snapshot:
    """Return the picture of a benchmark in mid-way; no run of videos is there."""
    at_hand = LabView(
        5, (VALID.name, DOUBTFUL.name, LOST.name), DOUBTFUL.name, "measuring", 12, 20, (0.03, 0.05, 0.0341), (VALID,)
    )
    line = RunSummary(5, RunKind.BENCHMARK, RunState.RUNNING, "tiny-shapes scenes", "/state/5", NOW_S, 0, 0)
    return replace(busy(), run=None, jobs=(), failures=(), stages=(), runs=(line,), lab=at_hand)


class ScriptedLab:
    """Keeps what it is asked for; what a request is answered with can be a refusal."""

    def __init__(self, refusal: Refusal | None = None) -> None:
        self.refusal = refusal
        self.asked: list[LabRequest] = []
        self.exported: list[tuple[int, bytes]] = []

    def choices(self) -> LabChoices:
        return LabChoices(
            (("tiny-shapes", True), ("clip-vit-b-32", False)), ("probe", "scenes"), ("standard",), ("standardize",)
        )

    def prepare(self, request: LabRequest) -> StartRun | Refusal:
        self.asked.append(request)
        settings = with_preset(Settings(), "standard")
        return self.refusal or StartRun(RunKind.BENCHMARK, (), b"/state/benchmarks/6", "tiny-shapes", settings)

    def again(self, run_id: int) -> StartRun | Refusal:
        return self.prepare(LabRequest(extractors=(f"of run {run_id}",)))

    def reports(self) -> tuple[PastRun, ...]:
        return past(5), past(4)

    def report(self, run: PastRun) -> LabReport:
        sentence = "preset scenes video: stage scenes limits it, 97% of the time of all stages."
        facts, gate = (
            (("machine", "box: a CPU, 2 cores"),),
            (("regression", f"{VALID.name}: +20.0 %, 10 % is allowed"),),
        )
        against = self.compare(past(3), run)
        doubts = (("unstable, 1 result. Measure longer.", (f"{DOUBTFUL.name}: the windows lie 19% apart.",)),)
        results = (VALID, DOUBTFUL, LOST)
        return LabReport(run, results, (sentence,), facts, comparison=against, gate=gate, doubts=doubts)

    def compare(self, before: PastRun, after: PastRun) -> LabComparison:
        change = LabChange(VALID.name, 0.00213, 0.00256, 0.01, 0.2, 0.18, 0.23, 0.21, "slower", trusted=True)
        differs = (("commit", "abc", "def"),)
        return LabComparison(f"run {before.run_id}", f"run {after.run_id}", (change,), (LOST.name,), (), differs)

    def export(self, run: PastRun, folder: bytes) -> Exported:
        self.exported.append((run.run_id, folder))
        return Exported(2, (os.path.join(folder, b"benchmark.html"),))
