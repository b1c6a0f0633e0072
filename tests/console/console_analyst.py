"""An analysis that is known, and an analyst whose work goes on when a test says so."""

import threading
from collections.abc import Iterator
from typing import Any

from console_script import HOSTILE

from pipeline.analysis_report import Analysis, AnalysisStep, Bin, ClassCount, Duplicate, Frequent, Problem, Spread
from screens.ports import Refusal


def spread(total: float = 240.0, mean: float = 60.0) -> Spread:
    return Spread(total=total, mean=mean, p10=12.5, p50=55.0, p90=118.0, max=120.0)


REPORT = Analysis(
    created_utc="2026-11-21T20:00:00+00:00",
    folder="/data/videos-features",
    run=8,
    videos=1234,
    partial=2,
    duration_s=spread(74_040.0),
    durations=tuple(Bin(low=6.0 * step, high=6.0 * (step + 1), videos=step * 9) for step in range(20)),
    scenes=spread(),
    cuts_per_min=spread(),
    cuts=(),
    resolutions={"1920x1080": 1234},
    codecs={"h264": 1234},
    languages={},
    classes=(
        ClassCount(name="a dog", videos=700, seconds=1.0, scenes=2100),
        ClassCount(name="", videos=534, seconds=1.0, scenes=9),
    ),
    with_text=1234,
    with_speech=0,
    lines=(Frequent(text="breaking news", videos=40, amount=300.0),),
    words=(),
    vectors="clip-vit-b-32",
    duplicates=(Duplicate(one="a.mp4", other=f"copy{HOSTILE}.mp4", similarity=0.9934, hash_share=0.75),),
    duplicates_complete=True,
    groups=(("a.mp4", f"copy{HOSTILE}.mp4"),),
    problems=(Problem(features="bad.mp4.h5", problem="not readable"),),
)


class ScriptedAnalysing:
    """An analysis whose steps come when the test says so."""

    def __init__(self, *steps: AnalysisStep) -> None:
        self._steps = steps
        self.may_go_on = threading.Semaphore(1)
        self.closed = threading.Event()

    def steps(self) -> Iterator[AnalysisStep]:
        for step in self._steps:
            self.may_go_on.acquire()
            if self.closed.is_set():
                return
            yield step

    def close(self) -> None:
        self.closed.set()
        self.may_go_on.release()


class ScriptedAnalyst:
    """What is known of one folder, and an analysis of it."""

    def __init__(self, known: Analysis | Refusal | None, *steps: AnalysisStep) -> None:
        self.answer = known
        self.analysing = ScriptedAnalysing(*steps)
        self.asked: list[Any] = []

    def known(self, out: str) -> Analysis | Refusal | None:
        self.asked.append(out)
        return self.answer

    def analyse(self, run_id: int) -> ScriptedAnalysing:
        self.asked.append(run_id)
        return self.analysing
