"""What happens to the frames of a sweep in order: scenes are told apart, frames offered for choice, losses noted."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

import numpy as np
from av.video.frame import VideoFrame

from pipeline.errors import JobError
from pipeline.media.choice import Choice
from pipeline.media.decode import View
from pipeline.media.loss import DAMAGED, MISSING, Losses
from pipeline.media.picture import Box, luma, to_rgb
from pipeline.media.result import LostSpan, Onlooker, SceneSpan, ShownFrame, Sweep
from pipeline.media.score import Measure, Score, compare
from pipeline.media.seen import IrregularError, Seen
from pipeline.media.stretch import Stretch, Tally
from pipeline.media.timing import Clockwork, Timing, timing
from pipeline.model import FailureClass, Stage
from pipeline.settings import PipelineSettings
from pipeline.stages.probe import Probe
from pipeline.stages.scenes import Scenes

_PROGRESS_S = 0.1
WHOLE_PICTURE: Box = (0, 0, 1 << 30, 1 << 30)
"""A crop that fits no picture, so that nothing is cut off."""

Progress = Callable[[float, int], None]
Batches = Iterable[tuple[Stretch | None, list[Seen]]]
"""The frames of each stretch in order."""


class Recorder(Protocol):
    """Writes down what was measured of each frame."""

    def note(self, seen: Seen, score: Score | None) -> None:
        """Note the next frame, with its score if it has one."""


class Collector:
    """Goes through the frames of one attempt at a video; `collect` is called once."""

    def __init__(
        self,
        probe: Probe,
        settings: PipelineSettings,
        view: View,
        choice: Choice,
        progress: Progress,
        onlooker: Onlooker | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._onlooker, self._recorder = onlooker, recorder
        self._ending: VideoFrame | None = None
        self._shown_index = -1
        self._probe, self._settings, self._view = probe, settings, view
        self._choice, self._spent, self._progress = choice, choice.spent, progress
        self._scenes = Scenes(settings.scenes, probe.nominal_fps)
        self._losses = Losses(view.step_s)
        self._most, self._cut_off = settings.probe.max_frames, False
        self._missed: list[LostSpan] = []
        self._count = self._last_rank = 0
        self._first_s = self._last_s = 0.0
        self._told_s = time.monotonic()
        self._told = (0, 0)

    def collect(self, batches: Batches, tally: Tally, *, strict: bool) -> Sweep:
        """Take every frame and return the result; `tally` is what the packets say by the end.

        With `strict`, IrregularError is raised as soon as anything is lost. Raises JobError where nothing can be
        decoded, and what the callbacks raise.
        """
        began = time.monotonic()
        current = self._take_all(batches, tally, strict)
        if current is not None and not self._cut_off:
            self._show_last(current.ending or self._ending)
        sweep = self._finish(tally)
        stages = (Stage.SCENES, Stage.FRAMES, Stage.DEDUPE, Stage.TEXT)
        seconds = {str(stage): self._spent.seconds.get(stage, 0.0) for stage in stages}
        seconds[Stage.SCENES] = max(0.0, time.monotonic() - began - sum(seconds.values()))
        self._progress(sweep.duration_s, self._count)
        return replace(sweep, seconds=seconds)

    def miss(self, span: LostSpan, frames: int) -> None:
        """Note that a part of the video with so many frames is not among the batches."""
        self._losses.part(span, frames)
        self._missed.append(span)

    def _take_all(self, batches: Batches, tally: Tally, strict: bool) -> Stretch | None:
        """Take every frame and return the stretch of the last."""
        current: Stretch | None = None
        measure: Measure | None = None
        for stretch, batch in batches:
            if stretch is not current:
                measure = current.last if current is not None else None
                self._ending = current.ending or self._ending if current is not None else None
                current = stretch
            for seen in batch:
                if strict and (seen.lost or seen.damaged):
                    raise IrregularError("pictures lost", damaged=True)
                if self._most and self._count >= self._most and seen.time_s >= 0:
                    self._cut_off = True
                    break
                self._take(seen, measure)
            self._tell(tally)
            if self._cut_off:
                break
        return current

    def _tell(self, tally: Tally) -> None:
        now = time.monotonic()
        state = (self._count, tally.packets)
        if now - self._told_s >= _PROGRESS_S and state != self._told:
            self._progress(self._last_s, self._count)
            self._told_s, self._told = now, state

    def _take(self, seen: Seen, before: Measure | None) -> None:
        for time_s in seen.lost:
            self._losses.picture(time_s, MISSING)
        if seen.time_s < 0:
            if self._recorder:
                self._recorder.note(seen, None)
            return
        if seen.damaged:
            self._losses.picture(seen.time_s, DAMAGED)
        before_s = self._last_s if self._count else None
        if before_s is None:
            self._first_s = seen.time_s
        elif seen.time_s <= before_s:
            raise IrregularError("times going back")
        score = seen.score
        if score is None and seen.measure is not None and self._view.detector is not None:
            score = compare(self._view.detector, before, seen.measure)
        if self._recorder:
            self._recorder.note(seen, score)
        cuts = self._scenes.feed(seen.time_s, 0.0 if score is None else score)
        index = seen.rank if seen.rank >= 0 else self._count
        self._choice.consider(seen, index, before_s, score if isinstance(score, float) else 0.0)
        text = self._view.text
        if seen.shown is not None and text is not None and (before_s is None or text.wanted(before_s, seen.time_s)):
            self._show(seen.shown, seen.time_s, index)
        self._last_s, self._last_rank = seen.time_s, seen.rank
        self._count += 1
        for cut_s in cuts:
            self._choice.close_scene(cut_s)

    def _show_last(self, frame: VideoFrame | None) -> None:
        index = self._last_rank if self._last_rank >= 0 else self._count - 1
        if frame is not None and index != self._shown_index:
            self._show(frame, self._last_s, index)

    def _show(self, frame: VideoFrame, time_s: float, index: int) -> None:
        if self._onlooker is None:
            return
        turn, whole = self._probe.rotation_deg, (0, 0, frame.width, frame.height)
        self._shown_index = index
        shown = ShownFrame(
            time_s,
            index,
            lambda longest: np.ascontiguousarray(np.rot90(luma(frame, whole, longest), -turn // 90)),
            lambda: to_rgb(frame, turn, WHOLE_PICTURE),
        )
        with self._spent.on(Stage.TEXT):
            self._onlooker.see(shown)

    def _finish(self, tally: Tally) -> Sweep:
        if not self._count:
            self._explain_nothing(tally.packets)
        timed = self._timing(tally)
        duration_s = timed.duration_s
        for cut_s in self._scenes.finish():
            self._choice.close_scene(cut_s)
        self._choice.close_scene(max(duration_s, self._last_s + self._view.step_s))
        if self._count >= tally.shown:
            self._losses.forget(MISSING)  # Every packet gave its picture; only the times did not agree.
        if not self._cut_off:
            self._losses.ending(self._probe, tally, duration_s)
        sampling = self._choice.sampling(duration_s)
        scenes = self._scenes.spans(duration_s)
        if self._view.keys_only:
            scenes = (SceneSpan(self._first_s, duration_s, 0, self._shown(tally)),)
        ends = np.array([scene.end_s for scene in scenes[:-1]])
        frames = tuple(
            replace(kept, scene=int(np.searchsorted(ends, kept.time_s, side="right"))) for kept in self._choice.kept
        )
        return Sweep(
            scenes=scenes,
            frames=frames,
            sampling=sampling,
            frames_decoded=self._count,
            frames_lost=self._losses.frames,
            lost=tuple(self._losses.spans),
            duration_s=duration_s,
            fps=timed.fps,
            seconds={},
            bytes_read=tally.bytes_read,
            variable_rate=timed.variable_rate,
            cut_off=self._cut_off,
            false_times=tally.false_times,
        )

    def _shown(self, tally: Tally) -> int:
        """Return how many frames there are up to where the sweep ended, the ones that were not decoded included."""
        if not self._view.keys_only:
            return self._count
        return self._last_rank + 1 if self._cut_off else tally.shown

    def _timing(self, tally: Tally) -> Timing:
        if self._probe.is_picture:
            return Timing(0.0, 0.0, False)
        view, times_s = self._view, self._scenes.times_s
        clock = Clockwork(
            view.tick_s, view.start_s, view.step_s, self._shown(tally), None if self._cut_off else tally.end_tick
        )
        paced_s = times_s
        every = len(tally.ticks) == tally.shown
        if every and not self._cut_off and (view.keys_only or self._losses.frames):
            # Packets tell the times of frames that were not decoded.
            paced_s = np.sort(np.array(tally.ticks) * view.tick_s - view.start_s)
        found = timing(clock, paced_s if view.keys_only else times_s, paced_s)
        return found if not self._missed else self._with_missed(found)

    def _with_missed(self, found: Timing) -> Timing:
        """Return what the times say of a video of which parts were not read: those do not thin out its frames."""
        length_s = found.duration_s - self._first_s
        inside = (span for span in self._missed if self._first_s < span.start_s and span.end_s <= self._last_s)
        read_s = length_s - sum(span.end_s - span.start_s for span in inside)
        duration_s = max(found.duration_s, self._missed[-1].end_s)
        return replace(found, fps=found.fps * length_s / max(read_s, self._view.step_s), duration_s=duration_s)

    def _explain_nothing(self, packets: int) -> None:
        if packets and self._view.keys_only:
            raise IrregularError("no keyframe to be seen", keyless=True)
        promised = max(packets, self._probe.frames)
        if promised:
            sentence = f"None of its {promised} pictures can be decoded."
            if promised == 1:
                sentence = "Its only picture cannot be decoded."
            raise JobError(FailureClass.CORRUPT, sentence, stage=Stage.SCENES)
        raise JobError(FailureClass.EMPTY, "The video track holds no picture.", stage=Stage.SCENES)
