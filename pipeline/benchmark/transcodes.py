"""Transcode presets as subjects: whole jobs as a worker does them, and outputs that are read back."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from pipeline.benchmark.jobs import Result, Seen, Silent, decoded_by, made, seen, side_by_side, work_of
from pipeline.benchmark.measure import Call, Opened, Work
from pipeline.benchmark.request import Request
from pipeline.engine.kinds import KINDS
from pipeline.engine.tuning import cores, free_memory_bytes, plan_workers
from pipeline.errors import JobError
from pipeline.model import RunKind, Stage
from pipeline.outputs.naming import candidates
from pipeline.settings import PipelineSettings
from pipeline.snapshot import WorkerPlan
from pipeline.stage_sections import ProbeSettings
from pipeline.stages.keys import transcode_keys
from pipeline.text import plural
from pipeline.transcode.asked import TranscodeContext, TranscodeJob
from pipeline.transcode.inspect import inspect
from pipeline.transcode.job import transcode

APART_S = 0.25
"""How much longer or shorter than its source an output may be; sound comes in blocks, and pictures in steps."""


@contextmanager
def transcodes(request: Request) -> Iterator[Opened]:
    """Yield calls that transcode all videos with a preset, into a folder that is empty before each."""
    settings, out = _settings_of(request), os.fsencode(os.path.join(request.scratch, "transcoded"))
    workers = int(request.subject.parameters.get("workers", "1"))
    kind = KINDS[RunKind.TRANSCODE]
    plan = plan_workers(
        settings.engine,
        core_count=cores(),
        free_memory_bytes=free_memory_bytes(),
        wanted=workers,
        share=kind.share(settings),
    )
    suffix = kind.suffix(settings)
    videos = seen(request.subject.inputs, workers)
    jobs = [_job(video, settings, suffix, plan) for video in videos]
    do = partial(_transcoded, TranscodeContext(settings, out, state_dir=request.scratch))
    last: list[Result] = []

    with side_by_side(workers) as done:

        def call() -> Work:
            last[:] = done(do, jobs)
            return work_of(last, videos)

        def make(_: int) -> Call:
            shutil.rmtree(out, ignore_errors=True)
            return call

        def check() -> None:
            for job, result in zip(jobs, last, strict=True):
                problem = wrong(os.path.join(out, job.output), result, settings.transcode.family, cores())
                if problem:
                    raise ValueError(f"the output of {os.fsdecode(job.source)}: {problem}")

        yield Opened(make, "video", check, notes=lambda: told(last, videos), copied=lambda: copied(last))


def wrong(path: bytes, result: Result, family: str, threads: int = 1) -> str:
    """Return what is wrong with an output, all of which is decoded; empty if it is as it should be.

    `family` is the codec that was asked for, empty for that of the source.
    """
    try:
        found = inspect(path, ProbeSettings(max_pixels=1 << 30), decode=True, threads=threads)
    except JobError as error:
        return f"it cannot be read: {error}"
    if found.decoded is None or not found.decoded.whole:
        return "not all of it decodes"
    codec = family or result["video_codec"]
    if found.video.codec != codec:
        return f"it is {found.video.codec}, not {codec}"
    if abs(found.duration_s - result["duration_s"]) > APART_S + result["lost_s"]:
        return f"it lasts {found.duration_s:.2f} s, and its source {result['duration_s']:.2f} s"
    return ""


def copied(results: Sequence[Result]) -> int:
    """Return of how many videos the picture was copied."""
    return sum(result["action"] == "remuxed" for result in results)


def told(results: Sequence[Result], videos: Sequence[Seen]) -> list[str]:
    """Return what was done to the videos of a call, how large they were and are, and where hardware did not serve."""
    encoders = sorted({result["encoder"] for result in results if result["encoder"]})
    remuxed = copied(results)
    before = sum(video.identity.size_bytes for video in videos)
    after = sum(result["output_bytes"] for result in results)
    how = [f"{plural(len(results) - remuxed, 'video')} encoded by {', '.join(encoders)}"] if encoders else []
    how += [f"{plural(remuxed, 'video')} copied without encoding the picture"] if remuxed else []
    return [f"{', '.join(how)}; {before / 1e6:.3g} MB became {after / 1e6:.3g} MB.", *decoded_by(results)]


def _settings_of(request: Request) -> PipelineSettings:
    fields = request.settings.model_dump()
    hwaccel = request.subject.parameters.get("hwaccel")
    if hwaccel:
        fields["transcode"]["hwaccel"] = fields["decode"]["hwaccel"] = hwaccel
    return PipelineSettings.model_validate(fields)


def _job(found: Seen, settings: PipelineSettings, suffix: bytes, plan: WorkerPlan) -> TranscodeJob:
    return TranscodeJob(
        source=found.source,
        relative=found.relative,
        output=next(candidates(found.relative, suffix)),
        identity=found.identity,
        content_id=found.content,
        key=transcode_keys(settings, found.content)[Stage.TRANSCODE],
        decode_threads=plan.decode_threads,
        encode_threads=plan.encode_threads,
    )


def _transcoded(context: TranscodeContext, job: TranscodeJob) -> Result:
    return made(transcode(job, context, Silent()), job.source)
