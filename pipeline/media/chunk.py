"""Long videos in chunks: where they can be cut, the sweep of one chunk, and the one result of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

from av.container import InputContainer
from av.video.stream import VideoStream

from pipeline.media.choice import Choice, OnFrame
from pipeline.media.collect import Batches, Collector, Progress
from pipeline.media.decode import TextTimes
from pipeline.media.engines import Engines
from pipeline.media.open import open_media
from pipeline.media.picture import Box
from pipeline.media.record import FrameRecorder, Gap, Record, Replay
from pipeline.media.result import KeptFrame, Onlooker, Sweep
from pipeline.media.score import Measure
from pipeline.media.seen import IrregularError
from pipeline.media.stretch import Span, Tally, look_at_structure
from pipeline.media.sweep import Way, asked, conveyor_of, is_splittable, keys_only, view_of
from pipeline.model import Stage
from pipeline.settings import PipelineSettings
from pipeline.stages.frames import rank
from pipeline.stages.probe import Probe

INDEXED = {"mov,mp4,m4a,3gp,3g2,mj2": "MP4", "matroska,webm": "Matroska"}
"""Containers whose index names keyframes, by FFmpeg's name."""
_FIRST_PACKETS = 512
_SOFT = Way(split=False, decoders=1, codec_threads=1, strict=False)
"""Takes every damage as it is."""


class UncuttableError(Exception):
    """The video must be read in one piece; the message is a sentence that says why."""


def find_cuts(path: bytes, probe: Probe, settings: PipelineSettings, chunk_s: float) -> tuple[int, ...]:
    """Return the times (ticks) of the keyframes at which the video is cut into chunks of about `chunk_s` seconds.

    None where it is no longer than that. Raises UncuttableError, and JobError where it cannot be opened.
    """
    if not 0 < chunk_s < probe.duration_s:
        return ()
    if not is_splittable(probe):
        raise UncuttableError(f"{probe.video_codec} video of this kind cannot be decoded from its middle")
    if keys_only(probe, settings) or settings.probe.max_frames:
        raise UncuttableError("only a part of its frames is decoded")
    if probe.container not in INDEXED:
        raise UncuttableError("its container has no index of keyframes")
    with open_media(path, Stage.PROBE, settings.probe.max_pixels) as container:
        stream = container.streams[probe.video_stream]
        assert isinstance(stream, VideoStream)
        wanted = [
            round((place * chunk_s + probe.start_s) / probe.tick_s)
            for place in range(1, int(probe.duration_s / chunk_s) + 1)
            if probe.duration_s - place * chunk_s >= chunk_s / 2  # A short rest goes with the chunk before it.
        ]
        _check_index(container, stream, max(wanted, default=0) - round(chunk_s / probe.tick_s / 2))
        found = [_keyframe(container, stream, tick) for tick in wanted]
        begin = stream.start_time or 0
    cuts = tuple(sorted({tick for tick in found if tick > begin}))
    if wanted and not cuts:
        raise UncuttableError("it has no keyframe to cut it at")
    return cuts


def spans_of(cuts: Sequence[int]) -> tuple[Span, ...]:
    """Return the chunks between the cuts."""
    return tuple(Span(start, end) for start, end in pairwise([None, *cuts, None]))


def borders_s(cuts: Sequence[int], probe: Probe) -> tuple[float, ...]:
    """Return where the chunks begin, and where the last ends, in presentation seconds."""
    return (0.0, *(tick * probe.tick_s - probe.start_s for tick in cuts), probe.duration_s)


def _check_index(container: InputContainer, stream: VideoStream, last: int) -> None:
    container.seek(stream.start_time or 0, stream=stream)  # The index of a Matroska file is read by the first seek.
    entries = stream.index_entries
    if len(entries) < 2 or entries[len(entries) - 1].timestamp < last:
        raise UncuttableError("its index of keyframes is missing or does not reach its end")


def _keyframe(container: InputContainer, stream: VideoStream, tick: int) -> int:
    """Return the time of the keyframe that a seek to `tick` leads to."""
    container.seek(tick, stream=stream)
    for number, packet in enumerate(container.demux(stream)):
        if packet.is_keyframe and packet.pts is not None:
            return packet.pts
        if number >= _FIRST_PACKETS:
            break
    raise UncuttableError("its index of keyframes does not lead to them")


@dataclass(frozen=True, slots=True)
class Task:
    """What a sweep of a chunk and the deciding over all of them have in common."""

    path: bytes
    probe: Probe
    crop_xywh: Box
    settings: PipelineSettings


def text_times(task: Task, onlooker: Onlooker) -> TextTimes:
    """Return the times at which the pictures of the whole video are looked at for text."""
    return TextTimes(onlooker.interval_s, task.probe.duration_s / 2)


def sweep_chunk(
    task: Task,
    span: Span,
    *,
    decode_threads: int,
    on_frame: OnFrame,
    progress: Progress,
    onlooker: Onlooker | None = None,
    engines: Engines | None = None,
) -> Record:
    """Decode one chunk and return what was measured.

    `on_frame` is given the frames that may be kept in the end; the few others that will be are to be fetched then. A
    frame's `frame_index` counts from the start of the chunk. Raises UncuttableError where the chunk shows that the
    video must be read in one piece, JobError, and what the callbacks raise.
    """
    if engines:
        engines.choose(asked(task.path, task.probe, task.settings, decode_threads, _share(span, task.probe)))
    ways = (Way(True, max(1, decode_threads), 1, True), _SOFT)
    for way in ways:
        view = view_of(task.probe, task.crop_xywh, task.settings, way)
        if onlooker:
            view = replace(view, text=text_times(task, onlooker))
            onlooker.begin()
        recorder = FrameRecorder(view.box, task.probe.rotation_deg, weighed=view.weighing is not None)
        choice = _ChunkChoice(task.probe, task.crop_xywh, task.settings, view, on_frame)
        collector = _ChunkCollector(task.probe, task.settings, view, choice, progress, onlooker, recorder)
        try:
            with conveyor_of(task.path, task.probe, task.settings, view, way, span, engines) as conveyor:
                last = collector.gather(conveyor, conveyor.tally, strict=way.strict, at_end=span.end is None)
                return recorder.record(last, conveyor.tally)
        except IrregularError as reason:
            if not reason.damaged or way is _SOFT:
                raise UncuttableError(str(reason)) from reason
    raise AssertionError("the last way takes every damage or raises")


def _share(span: Span, probe: Probe) -> float:
    """Return how much of the video a chunk is."""
    ticks = probe.duration_s / probe.tick_s
    start = span.start or probe.start_s / probe.tick_s
    end = span.end if span.end is not None else start + ticks
    return max(0.0, min(1.0, (end - start) / ticks))


def decide(task: Task, parts: Sequence[Record | Gap], progress: Progress) -> Sweep:
    """Return what one sweep of the whole video would have found; no frame has a picture."""
    view = view_of(task.probe, task.crop_xywh, task.settings, Way(True, 1, 1, True))
    choice = Choice(task.probe, task.crop_xywh, task.settings, view, _pass)
    collector = Collector(task.probe, task.settings, view, choice, progress)
    replay = Replay(_counted(parts, task.probe), collector.miss, partial(_look_at_end, task, parts))
    return collector.collect(replay, replay.tally, strict=False)


def _pass(frame: KeptFrame) -> None:
    """Do nothing: which frames are kept is known when all are decided on."""


def _counted(parts: Sequence[Record | Gap], probe: Probe) -> list[Record | Gap]:
    """Return the parts with the number of frames of those that are missing: the index tells all of them together."""
    gaps = [part for part in parts if isinstance(part, Gap)]
    missing_s = sum(gap.span.end_s - gap.span.start_s for gap in gaps)
    left = probe.frames - sum(part.tally.packets for part in parts if isinstance(part, Record))
    left = left if probe.frames else round(missing_s * (probe.fps or probe.nominal_fps))
    counted: list[Record | Gap] = []
    for part in parts:
        if isinstance(part, Gap):
            share_s = part.span.end_s - part.span.start_s
            frames = round(left * share_s / missing_s) if missing_s > 0 else 0
            left, missing_s = left - frames, missing_s - share_s
            part = Gap(part.span, max(0, frames))
        counted.append(part)
    return counted


def _look_at_end(task: Task, parts: Sequence[Record | Gap], tally: Tally) -> None:
    """Complete what the packets say with what is known only of the whole file."""
    probe, last = task.probe, parts[-1]
    if isinstance(last, Gap):
        end_s = last.span.end_s + probe.start_s
        tally.end_tick, tally.end_s = round(end_s / probe.tick_s), max(tally.end_s, end_s)
    with open_media(task.path, Stage.SCENES, task.settings.probe.max_pixels) as container:
        look_at_structure(container.format.name, container.name, tally)


class _ChunkChoice(Choice):
    """Hands on, beside what is new here, what may be kept whatever the other chunks hold."""

    _at_end = False

    def close_last(self, end_s: float) -> None:
        """End the scene that may go on in the next chunk."""
        self._at_end = True
        self.close_scene(end_s)

    def close_scene(self, end_s: float) -> None:
        """Hand on the best of the scene too; of one that may reach across a border all that is held."""
        start_s, at_border = self._scene_start_s, self._at_end or not self._scene
        held = [one for one in self._chooser.held() if not one.time_s >= end_s > start_s]
        super().close_scene(end_s)
        for candidate in held if at_border else [max(held, key=rank)] if held else []:
            self._hand_on(candidate, self._hash(candidate))


class _ChunkCollector(Collector):
    """Goes through one chunk as if it were a video."""

    _choice: _ChunkChoice

    def gather(self, batches: Batches, tally: Tally, *, strict: bool, at_end: bool) -> Measure | None:
        """Take every frame and return the measure of the last; `at_end` says that the video ends with it."""
        last = self._take_all(batches, tally, strict)
        if last is not None and at_end:
            self._show_last(last.ending or self._ending)
        for cut_s in self._scenes.finish():
            self._choice.close_scene(cut_s)
        self._choice.close_last(self._last_s + self._view.step_s)
        return last.last if last is not None else None
