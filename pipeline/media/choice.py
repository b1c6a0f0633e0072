"""Which frames of a video are kept: chosen scene by scene, or spread over all of it; like ones are left out."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from pipeline.media.decode import View, is_candidate
from pipeline.media.picture import Box, to_rgb
from pipeline.media.result import KeptFrame, Picture, no_picture
from pipeline.media.score import weigh
from pipeline.media.seen import Candidate, Seen
from pipeline.model import Stage
from pipeline.settings import PipelineSettings
from pipeline.stages.dedupe import Dedupe, candidate_dhash
from pipeline.stages.frames import Reservoir, SceneChooser, rank
from pipeline.stages.probe import Probe

OnFrame = Callable[[KeptFrame], None]


class Spent:
    """Wall seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[Stage, float] = {}

    @contextmanager
    def on(self, stage: Stage) -> Iterator[None]:
        """Count what goes on inside for a stage."""
        began = time.monotonic()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.monotonic() - began


class Choice:
    """The frames that are kept of one attempt at a video; each is handed on when it is chosen."""

    def __init__(self, probe: Probe, crop: Box, settings: PipelineSettings, view: View, on_frame: OnFrame) -> None:
        self._turn, self._crop, self._view = probe.rotation_deg, crop, view
        self._settings, self._on_frame = settings, on_frame
        self._chooser = SceneChooser(settings.frames, view.grid_s)
        self._reservoir = Reservoir(settings.frames, view.grid_s)
        self._dedupe = Dedupe(settings.dedupe)
        self._chosen = self._scene = 0
        self._scene_start_s = self._high = 0.0
        self.kept: list[KeptFrame] = []
        self.spent = Spent()

    def consider(self, seen: Seen, index: int, last_s: float | None, score: float) -> None:
        """Take the next frame, number `index`; `last_s` is when the one before was shown, None for the first."""
        if last_s is None:
            self._scene_start_s = seen.time_s
        high, self._high = self._high, score
        candidate = seen.candidate
        if candidate is None:
            return
        view, frames = self._view, self._settings.frames
        if view.grid_s and not is_candidate(view, last_s is None, last_s or 0.0, seen.time_s, high, score):
            return
        candidate.frame_index = index
        if frames.method in ("interval", "keyframes"):
            self._keep_new(candidate)
            return
        if frames.method == "scenes":
            self._chooser.add(candidate)
        if frames.method == "uniform" or frames.min_coverage:
            self._reservoir.add(candidate)

    def close_scene(self, end_s: float) -> None:
        """End the scene at hand, and choose from its frames where that is done scene by scene."""
        if self._settings.frames.method == "scenes":
            with self.spent.on(Stage.FRAMES):
                chosen = self._chooser.close(self._scene_start_s, end_s)
            new = [self._keep_new(candidate) for candidate in chosen]
            if chosen and not any(new) and self._settings.dedupe.every_scene:
                best = max(chosen, key=rank)
                self._keep(best, self._hash(best))
        self._scene_start_s = end_s
        self._scene += 1

    def sampling(self, duration_s: float) -> str:
        """Return how frames were sampled, after falling back to uniform sampling where scenes gave too few."""
        frames = self._settings.frames
        if frames.method in ("interval", "keyframes"):
            return frames.method
        enough = self._chosen >= frames.min_coverage * duration_s / 60
        if frames.method == "scenes" and enough:
            return "scenes"
        self.kept = []
        self._dedupe = Dedupe(self._settings.dedupe)
        for candidate in self._reservoir.spread(duration_s):
            self._keep_new(candidate)
        return "uniform"

    def _keep_new(self, candidate: Candidate) -> bool:
        """Keep the candidate unless it resembles a frame that was kept; return whether it was kept."""
        with self.spent.on(Stage.DEDUPE):
            self._chosen += 1
            value = self._hash(candidate)
            new = self._dedupe.is_new(value)
        if new:
            self._keep(candidate, value)
        return new

    def _hash(self, candidate: Candidate) -> int:
        return candidate_dhash(candidate, self._view.box, self._turn)

    def _keep(self, candidate: Candidate, value: int) -> None:
        with self.spent.on(Stage.FRAMES):
            self.kept.append(replace(self._hand_on(candidate, value), source=no_picture))

    def _hand_on(self, candidate: Candidate, value: int) -> KeptFrame:
        sharpness, frame = candidate.sharpness, candidate.frame
        source: Callable[[], Picture] = no_picture
        if frame is not None:
            if self._view.weighing is None:  # No candidate was weighed; the frames that are kept are.
                sharpness = weigh(frame, self._view.box)[0]
            source = partial(to_rgb, frame, self._turn, self._crop)
        kept = KeptFrame(candidate.time_s, candidate.frame_index, self._scene, value, sharpness, source)
        self._on_frame(kept)
        return kept
