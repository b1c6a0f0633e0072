"""Videos as subjects: demuxed, decoded, and taken through the stages of a preset."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import av

from pipeline.benchmark.jobs import Result, Seen, Silent, decoded_by, made, seen, side_by_side, work_of
from pipeline.benchmark.measure import Opened, Work
from pipeline.benchmark.plan import Kind
from pipeline.benchmark.request import Request
from pipeline.engine.kinds import fingerprints
from pipeline.errors import SettingsError
from pipeline.extract import extract
from pipeline.extract_job import ExtractJob, RunContext
from pipeline.media.engines import gpus
from pipeline.model import RunKind, Stage
from pipeline.models.registry import held
from pipeline.models.standalone import standalone_host
from pipeline.settings import PipelineSettings

MOST_S = 60.0
"""Seconds of each video that are demuxed and decoded at most."""
OFF = {"enabled": False}
BARE = {
    "scenes": {"enabled": False},
    "frames": {"method": "uniform"},
    "dedupe": {"enabled": False},
    "crop": {"enabled": False},
}
"""An extractor on a video: frames spread evenly, and nothing else but their vectors."""

ALONE: dict[str, dict[str, dict[str, Any]]] = {
    Stage.PROBE: {},
    Stage.CROP: {"crop": {"enabled": True}},
    Stage.SCENES: {"scenes": {"enabled": True}},
    Stage.FRAMES: {"scenes": {"enabled": True}, "frames": {"method": "scenes"}},
    Stage.DEDUPE: {"dedupe": {"enabled": True}},
    Stage.EMBED: {"embed": {"enabled": True}},
    Stage.TEXT: {"text": {"enabled": True}},
    Stage.SPEECH: {"speech": {"enabled": True}},
    Stage.WRITE: {},
}
"""What a stage needs beside it, of the stages that can be switched off, to be measured alone."""


@contextmanager
def demux(request: Request) -> Iterator[Opened]:
    """Yield calls that read every packet of the videos and decode none."""
    yield Opened(lambda _: partial(_over, request.subject.inputs, _demuxed), "packet")


@contextmanager
def decode(request: Request) -> Iterator[Opened]:
    """Yield calls that decode every frame of the videos and look at none."""
    device = request.subject.parameters.get("hwaccel", "none")
    if device != "none" and not gpus():
        raise SettingsError("the NVIDIA driver reports no GPU that could decode")
    yield Opened(lambda _: partial(_over, request.subject.inputs, partial(_decoded, device)), "frame")


@contextmanager
def stages(request: Request) -> Iterator[Opened]:
    """Yield calls that take the videos through all stages, as a worker does, with a model host beside them."""
    settings = _settings_of(request)
    workers = int(request.subject.parameters.get("workers", "1"))
    alone = request.subject.target if request.subject.kind is Kind.STAGE else ""
    models = held(settings)
    with ExitStack() as stack:
        sockets = [stack.enter_context(standalone_host(settings.host, models, nice=0)).socket_path] if models else []
        context = RunContext(
            settings,
            os.fsencode(request.scratch),
            fingerprints(RunKind.EXTRACT, settings),
            sockets,
            state_dir=request.scratch,
        )
        videos = seen(request.subject.inputs, workers)
        do = partial(_extracted, context)
        done = stack.enter_context(side_by_side(workers))
        last: list[Result] = []

        def call() -> Work:
            last[:] = done(do, videos)
            return work_of(last, videos, alone)

        yield Opened(lambda _: call, "video", notes=lambda: decoded_by(last))


def _settings_of(request: Request) -> PipelineSettings:
    fields = request.settings.model_dump()
    if request.subject.kind is Kind.EXTRACTOR:
        fields |= {section: fields[section] | values for section, values in BARE.items()}
        fields["embed"] |= {"enabled": True, "models": (request.subject.target,)}
    if request.subject.kind is Kind.STAGE:
        for section, values in (
            *BARE.items(),
            ("embed", OFF),
            ("text", OFF),
            ("speech", OFF),
            *ALONE[request.subject.target].items(),
        ):
            fields[section] |= values
    if "hwaccel" in request.subject.parameters:
        fields["decode"]["hwaccel"] = request.subject.parameters["hwaccel"]
    fields["host"] = request.host.model_dump()
    return PipelineSettings.model_validate(fields)


def _extracted(context: RunContext, video: Seen) -> Result:
    job = ExtractJob(*video, decode_threads=1, known_sha256="", force=True)
    return made(extract(job, context, Silent()), job.source)


def _over(paths: Sequence[str], read: Callable[[str], tuple[int, float, int]]) -> Work:
    counts = [read(path) for path in paths]
    return Work(sum(row[0] for row in counts), sum(row[1] for row in counts), sum(row[2] for row in counts))


def _demuxed(path: str) -> tuple[int, float, int]:
    packets, size, last_s = 0, 0, 0.0
    with av.open(path) as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            if packet.pts is None:
                continue
            packets, size = packets + 1, size + packet.size
            last_s = max(last_s, float((packet.pts + (packet.duration or 0)) * (packet.time_base or 0)))
            if last_s >= MOST_S:
                break
    return packets, last_s, size


def _decoded(device: str, path: str) -> tuple[int, float, int]:
    from av.codec.hwaccel import HWAccel

    hwaccel = None if device == "none" else HWAccel(device_type=device, allow_software_fallback=False)
    frames, last_s = 0, 0.0
    with av.open(path, hwaccel=hwaccel) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            frames += 1
            last_s = max(last_s, float(frame.time or 0) + float(1 / (stream.average_rate or 25)))
            if last_s >= MOST_S:
                break
    return frames, last_s, 0
