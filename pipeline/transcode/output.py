"""The file that is written: its container, its tags and chapters, and its encoders."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import Any

import av
from av import CodecContext
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.subtitles.codeccontext import SubtitleCodecContext
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

from pipeline.errors import JobError
from pipeline.model import FailureClass, Stage
from pipeline.outputs.atomic import FULL, disk_error
from pipeline.shortage import is_short, shortage
from pipeline.transcode import words
from pipeline.transcode.facts import NO_HDR, HdrFacts, MediaFacts
from pipeline.transcode.hdr import encoder_words
from pipeline.transcode.part import BUFFER_BYTES, PartFile
from pipeline.transcode.picture import PicturePlan
from pipeline.transcode.recipe import AudioPlan
from pipeline.transcode.settings import HARDWARE, TranscodeSettings

_MUXERS = {"mp4": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm"}
_LEAST_TICKS = 10_000

os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 writes its settings to the terminal otherwise.


class EncodingError(Exception):
    """An encoder refused a picture or its settings."""


@contextmanager
def writing(part: bytes) -> Iterator[None]:
    """Turn what FFmpeg raises where the disk fails into what the system would raise: a JobError."""
    try:
        yield
    except FFmpegError as error:
        number = getattr(error, "errno", 0) or 0
        if number in FULL or number in (errno.EIO, errno.EROFS, errno.EFBIG, errno.ENODEV, errno.ESTALE):
            failure = disk_error(OSError(number, os.strerror(number)), "write", part)
            failure.stage = Stage.TRANSCODE
            raise failure from error
        if number in (errno.ENOMEM, errno.EAGAIN) and is_short(number):
            raise shortage(number, Stage.TRANSCODE, repr(error)) from error
        raise JobError(
            FailureClass.UNSUPPORTED,
            f"The output cannot be written in this format: {error.strerror}.",
            stage=Stage.TRANSCODE,
            detail=repr(error),
        ) from error


def open_output(file: PartFile, settings: TranscodeSettings, mark: str) -> OutputContainer:
    """Return the container that is written to the temporary file, whose name says nothing of its format."""
    name = settings.output_format
    options: dict[str, str] = {}
    if name in ("mp4", "mov"):
        flags = ["+faststart"] if settings.faststart else []
        if name == "mov":
            flags.append("+use_metadata_tags")
        options["movflags"] = "".join(flags)
    container = av.open(file, "w", format=_MUXERS[name], container_options=options, buffer_size=BUFFER_BYTES)
    if mark:
        container.metadata["encoding_tool" if name == "mp4" else "vconsole"] = mark
    return container


def carry_tags(source: InputContainer, output: OutputContainer, facts: MediaFacts) -> None:
    """Copy tags, timecode and chapters; chapters move with the clock of the file."""
    tags = {key: value for key, value in source.metadata.items() if key.lower() not in words.OF_THE_CONTAINER and value}
    plain = {words.PLAIN_NAMES[key.lower()]: value for key, value in tags.items() if key.lower() in words.PLAIN_NAMES}
    output.metadata.update(plain | tags)
    if facts.timecode:
        output.metadata["timecode"] = facts.timecode
    chapters: list[Any] = []
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        shift = round(facts.start_s / float(base))
        start, end = max(0, chapter["start"] - shift), chapter["end"] - shift
        if end > start:
            told = chapter["metadata"]
            chapters.append({"id": chapter["id"], "start": start, "end": end, "time_base": base, "metadata": told})
    output.set_chapters(chapters)


def stream_tags(source: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a stream that are true of its copy, too."""
    return {key: source[key] for key in ("language", "title") if source.get(key)}


def tick_of(rate: Fraction | None, source: Fraction) -> Fraction:
    """Return the unit of the output's clock: so fine that a start can be kept, and a step is a whole number of it."""
    if rate is None:
        return source if source <= Fraction(1, 1000) else Fraction(1, 90_000)
    return Fraction(1, rate.numerator * -(-_LEAST_TICKS // rate.numerator))


def add_video(
    output: OutputContainer,
    plan: PicturePlan,
    settings: TranscodeSettings,
    *,
    rate: Fraction,
    tick: Fraction,
    threads: int,
) -> VideoStream:
    """Add the encoded video and open its encoder. Raises EncodingError."""
    options = encoder_options(plan.encoder, settings, threads, plan.hdr)
    stream = output.add_stream(plan.encoder, rate=rate, options=options, time_base=tick)
    assert isinstance(stream, VideoStream)
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = plan.width, plan.height, plan.pixel_format
    context.time_base, context.framerate = tick, rate
    context.sample_aspect_ratio = Fraction(plan.sar.replace(":", "/"))
    context.color_range = {"tv": 1, "pc": 2}.get(plan.range, 0)
    context.colorspace = words.number_of(words.MATRICES, plan.matrix)
    context.color_primaries = words.number_of(words.PRIMARIES, plan.primaries)
    context.color_trc = words.number_of(words.TRANSFERS, plan.transfer)
    context.thread_count, context.thread_type = threads, "AUTO"  # PyAV asks for slices, which cost time and bytes.
    if settings.keyframe_interval_s:
        context.gop_size = max(1, int(settings.keyframe_interval_s * rate))
    if settings.output_format in ("mp4", "mov") and settings.family == "hevc":
        context.codec_tag = "hvc1"
    with encoding(plan.encoder):
        context.open()
    return stream


@contextmanager
def encoding(encoder: str) -> Iterator[None]:
    """Turn what an encoder raises into EncodingError, or into the failure that a shortage is."""
    try:
        yield
    except FFmpegError as error:
        number = getattr(error, "errno", 0) or 0
        if number in (errno.ENOMEM, errno.EAGAIN) and is_short(number):
            raise shortage(number, Stage.TRANSCODE, repr(error)) from error
        raise EncodingError(f"{encoder}: {error.strerror or error}") from error


def encoder_options(encoder: str, settings: TranscodeSettings, threads: int, hdr: HdrFacts = NO_HDR) -> dict[str, str]:
    """Return what an encoder is told, in its own words."""
    same = encoder == settings.video_codec or settings.video_codec == "auto"
    speed, tune = (settings.speed, settings.tune) if same else ("", "")
    options: dict[str, str] = {}
    if encoder == "prores_ks":
        return {"profile": speed or "hq", "vendor": "apl0"}
    if speed:
        options["preset"] = speed
    if encoder in HARDWARE:
        quality = settings.cq if settings.cq is not None else settings.crf
        return {**options, **({"tune": tune} if tune else {}), "rc": "vbr", "cq": str(quality or 23), "b": "0"}
    if settings.crf is not None:
        options["crf"] = str(settings.crf)
    if encoder == "libsvtav1":
        parameters = [f"lp={threads}", *([f"tune={tune}"] if tune else []), *encoder_words(encoder, hdr)]
        return {**options, "svtav1-params": ":".join(parameters)}
    if tune:
        options["tune"] = tune
    if encoder == "libx265":
        options["x265-params"] = ":".join([f"pools={threads}:log-level=none", *encoder_words(encoder, hdr)])
    return options


def add_audio(output: OutputContainer, plan: AudioPlan, tags: Mapping[str, str]) -> AudioStream:
    """Add an encoded sound track and open its encoder. Raises EncodingError."""
    keywords: dict[str, Any] = {"layout": plan.layout}
    stream = output.add_stream(plan.encoder, rate=plan.rate_hz, **keywords)
    assert isinstance(stream, AudioStream)
    if plan.kbps:
        stream.codec_context.bit_rate = plan.kbps * 1000
    stream.metadata.update(stream_tags(tags))
    with encoding(plan.encoder):
        stream.codec_context.open()
    return stream


def subtitle_header(source: SubtitleStream, codec: str) -> bytes | None:
    """Return what an encoder of subtitles needs to know of the source, None where these texts cannot be encoded."""
    with suppress(FFmpegError, ValueError):
        source.codec_context.open(strict=False)
        header = source.codec_context.subtitle_header
        trial = CodecContext.create(codec, "w")
        assert isinstance(trial, SubtitleCodecContext)
        trial.subtitle_header = header
        trial.time_base = Fraction(1, 1000)
        trial.open()
        return header
    return None
