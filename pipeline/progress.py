"""How a job tells how it gets on: which stage runs, how long each took, how far it is."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from pipeline.model import Stage

Tick = Callable[[], object]
"""Called again and again while something long goes on; it may raise to stop it."""


def no_tick() -> None:
    """Say nothing: nobody waits for it."""


class Reporter(Protocol):
    """Hears how a job gets on; any call may raise to stop the job."""

    def progress(
        self,
        stage: Stage,
        share: float,
        *,
        video_s: float = 0.0,
        frames: int = 0,
        waiting: str = "",
        duration_s: float = 0.0,
        bytes_out: int = 0,
    ) -> None:
        """Say that something moved: `share` of the job is done, 0 to 1; `duration_s` is the video's, 0 = not known.

        `bytes_out` is the size of the output so far, where it grows with the video.
        """

    def passed(self, stage: Stage, seconds: float, items: int, *, reused: bool = False) -> None:
        """Say that a stage is over."""


class StageClock:
    """Knows the stage a job is in and sums up the seconds of each."""

    def __init__(self, report: Reporter) -> None:
        self._report = report
        self.stage = Stage.PROBE
        self.seconds: dict[str, float] = {}
        self.share = 0.0
        self.duration_s = 0.0
        """Length of the video in seconds, 0 while it is not known."""
        self._video_s = 0.0
        self._frames = 0

    @contextmanager
    def timed(self, stage: Stage, items: int) -> Iterator[None]:
        """Run a stage; it is told as passed unless the block raises, and `stage` stays where it broke then."""
        with self.within(stage):
            self.moved()
            yield
        self._report.passed(stage, self.seconds[stage], items)

    @contextmanager
    def within(self, stage: Stage) -> Iterator[None]:
        """Count the seconds of the block as `stage`'s, in the midst of another stage."""
        before, self.stage = self.stage, stage
        started = time.monotonic()
        yield
        self.add(stage, time.monotonic() - started)
        self.stage = before

    def add(self, stage: Stage, seconds: float) -> None:
        """Add to the seconds of a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def told(self, stage: Stage, seconds: float, items: int) -> None:
        """Count a stage that ran inside another one as passed."""
        self.add(stage, seconds)
        self._report.passed(stage, self.seconds[stage], items)

    def reused(self, *stages: Stage) -> None:
        """Tell stages as passed whose results were there already."""
        for stage in stages:
            self._report.passed(stage, 0.0, 0, reused=True)

    def moved(
        self,
        *,
        share: float | None = None,
        video_s: float = 0.0,
        frames: int = 0,
        waiting: str = "",
        bytes_out: int = 0,
    ) -> None:
        """Report progress in the present stage; what is not given stays as it was."""
        self.share = self.share if share is None else max(self.share, min(1.0, share))
        self._video_s, self._frames = max(self._video_s, video_s), max(self._frames, frames)
        self._report.progress(
            self.stage,
            self.share,
            video_s=self._video_s,
            frames=self._frames,
            waiting=waiting,
            duration_s=self.duration_s,
            bytes_out=bytes_out,
        )
