"""The one decode of a video: every frame is scored, the best are kept and handed on while decoding goes on."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from pipeline.errors import JobError
from pipeline.media.choice import Choice
from pipeline.media.collect import Collector
from pipeline.media.conveyor import Conveyor
from pipeline.media.decode import TextTimes, View
from pipeline.media.engines import Asked, Engines
from pipeline.media.fetch import fetch
from pipeline.media.open import open_media, reorders
from pipeline.media.picture import coded_box
from pipeline.media.result import KeptFrame, LostSpan, Onlooker, SceneSpan, Sweep
from pipeline.media.seen import IrregularError
from pipeline.media.stretch import SPLITTABLE, WHOLE, Span
from pipeline.model import FailureClass, Stage
from pipeline.settings import PipelineSettings
from pipeline.stages.probe import Probe, coded_size

__all__ = ["KeptFrame", "LostSpan", "SceneSpan", "Sweep", "sweep"]

_MB = 1 << 20
_FPS, _ABSURD_FPS = 25.0, 1000.0
_NO_TIMES = frozenset({"avi"})
_NEVER_DRAINED = frozenset({"rv20"})
_PACKED = frozenset({"mpeg4"})
"""Codecs of which a packet may hold two pictures and the next one none."""
_TICK_S = 1 / 90_000


def sweep(
    path: bytes,
    probe: Probe,
    crop_xywh: tuple[int, int, int, int],
    settings: PipelineSettings,
    *,
    decode_threads: int,
    on_frame: Callable[[KeptFrame], None],
    progress: Callable[[float, int], None],
    known: Sweep | None = None,
    onlooker: Onlooker | None = None,
    engines: Engines | None = None,
) -> Sweep:
    """Decode the video at `path` (absolute) once and return what was found.

    The video is split at keyframes and decoded by `decode_threads` decoders at once. Where that turns out to be
    impossible it is decoded again from the start in one piece: what is returned never depends on `decode_threads`.
    `on_frame` and `progress` are called in this thread. A frame may be handed to `on_frame` again, with the same
    `frame_index`, after such a new start; the last one counts, and `Sweep.frames` says which frames count at all
    (and their scenes). With `known`, only those frames are decoded, by seeking, and the known result is returned;
    where they cannot be found so, the whole video is swept. An `onlooker` sees frames of the whole sweep, so it is not
    given with `known`. With `engines` a GPU may decode what can be split. Raises JobError, and whatever those two
    raise; nothing is left open or running then.
    """
    if not probe.width or not probe.height:
        raise JobError(FailureClass.CORRUPT, "None of its pictures can be decoded.", stage=Stage.SCENES)
    if known is not None:
        began = time.monotonic()
        if fetch(path, probe, crop_xywh, settings, known.frames, on_frame=on_frame, progress=progress) is not None:
            seconds = {Stage.SCENES: 0.0, Stage.FRAMES: time.monotonic() - began, Stage.DEDUPE: 0.0}
            return replace(known, seconds={str(stage): spent for stage, spent in seconds.items()})
    damaged, only_keys = False, keys_only(probe, settings)
    by_order = probe.container in _NO_TIMES and reorders(probe.video_codec)
    if engines and is_splittable(probe) and not only_keys:
        engines.choose(asked(path, probe, settings, decode_threads))
    for attempt in _attempts(probe, 1 if only_keys else max(1, decode_threads)):
        if damaged and attempt.strict:
            continue
        view = view_of(probe, crop_xywh, settings, attempt, only_keys, by_order)
        if onlooker:
            view = replace(view, text=TextTimes(onlooker.interval_s, probe.duration_s / 2))
            onlooker.begin()
        choice = Choice(probe, crop_xywh, settings, view, on_frame)
        collector = Collector(probe, settings, view, choice, progress, onlooker)
        try:
            with conveyor_of(path, probe, settings, view, attempt, engines=engines) as conveyor:
                return collector.collect(conveyor, conveyor.tally, strict=attempt.strict)
        except IrregularError as reason:
            damaged = damaged or reason.damaged
            by_order = by_order or reason.times
            only_keys = only_keys and not reason.keyless
    raise AssertionError("the last attempt takes everything")


@dataclass(frozen=True, slots=True)
class Way:
    """One way to decode a video."""

    split: bool
    decoders: int
    codec_threads: int
    strict: bool


def conveyor_of(
    path: bytes,
    probe: Probe,
    settings: PipelineSettings,
    view: View,
    attempt: Way,
    span: Span = WHOLE,
    engines: Engines | None = None,
) -> Conveyor:
    """Return the threads that decode a span of a video in one way; a GPU only where stretches are decoded singly."""
    return Conveyor(
        partial(open_media, path, Stage.SCENES, settings.probe.max_pixels),
        probe.video_stream,
        view,
        decoders=attempt.decoders,
        codec_threads=attempt.codec_threads,
        max_pixels=settings.probe.max_pixels,
        pending_bytes=settings.frames.hold_mb * _MB // 8,
        every_stream=not probe.frames,
        span=span,
        engines=engines if view.split else None,
    )


def asked(path: bytes, probe: Probe, settings: PipelineSettings, threads: int, share: float = 1.0) -> Asked:
    """Return what the choice of a decoder depends on, for a share of a video."""
    return Asked(
        path,
        probe.video_stream,
        probe.video_codec,
        probe.pixel_format,
        probe.width,
        probe.height,
        frames=round(share * (probe.frames or probe.duration_s * probe.fps)),
        max_pixels=settings.probe.max_pixels,
        threads=max(1, threads),
    )


def _attempts(probe: Probe, threads: int) -> list[Way]:
    """Return ways to decode, fastest first.

    The last takes every damage as it is, with one thread; thrice, because times that go back and keyframes that are
    hidden show only on the way.
    """
    ways = []
    if is_splittable(probe):
        ways.append(Way(True, threads, 1, True))
    if threads > 1:
        ways.append(Way(False, 1, threads, True))
    last = Way(False, 1, 1, False)
    return [*ways, last, last, last]


def is_splittable(probe: Probe) -> bool:
    """Whether a fresh decoder can start at each keyframe of a video, as far as its probe tells."""
    return probe.video_codec in SPLITTABLE and not (
        probe.is_picture or probe.interlaced or probe.container in _NO_TIMES
    )


def keys_only(probe: Probe, settings: PipelineSettings) -> bool:
    """Whether nothing but keyframes is needed, and the decoder gives each without the frame after it."""
    wanted = settings.frames.method == "keyframes" and not settings.scenes.enabled
    return wanted and probe.video_codec not in _NEVER_DRAINED


def view_of(
    probe: Probe,
    crop: tuple[int, int, int, int],
    settings: PipelineSettings,
    attempt: Way,
    only_keys: bool = False,
    by_order: bool = False,
) -> View:
    """Return what the decoders need to know of a video and of the settings."""
    coded_width, coded_height = coded_size(probe)
    box = coded_box(crop, probe.rotation_deg, coded_width, coded_height)
    frames, scenes = settings.frames, settings.scenes
    keyframes = frames.method == "keyframes"
    grid_s = 0.0 if keyframes else frames.interval_s if frames.method == "interval" else 1 / frames.candidates_per_s
    return View(
        box=box,
        tick_s=probe.tick_s or _TICK_S,
        start_s=probe.start_s,
        step_s=1 / (probe.fps or (probe.nominal_fps if probe.nominal_fps < _ABSURD_FPS else 0) or _FPS),
        grid_s=grid_s,
        detector=scenes.detector if scenes.enabled and not probe.is_picture else None,
        coded_width=coded_width,
        coded_height=coded_height,
        weighing=frames if frames.method == "scenes" else None,
        keys_only=only_keys,
        split=attempt.split and not only_keys,
        strict=attempt.strict,
        by_order=by_order,
        sparse=probe.container in _NO_TIMES and not by_order and probe.video_codec not in SPLITTABLE,
        exact=probe.video_codec in SPLITTABLE - _PACKED,
    )
