"""Stage probe: what a file is, judged by its packets rather than by its header."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.errors import JobError
from pipeline.media.false_times import TimeSieve
from pipeline.media.header import header_seconds, track_end
from pipeline.media.open import PICTURE_FORMATS, open_media, prepare_decoder, translated, video_stream
from pipeline.media.promised import PICTURE, Promised, from_header, from_index
from pipeline.media.seen import VideoPacket
from pipeline.media.still import still_size
from pipeline.model import FailureClass, Stage
from pipeline.shortage import refuse_shortage
from pipeline.stage_sections import ProbeSettings

_PACKETS_SEEN = 240
_BYTES_SEEN = 16 << 20
_HDR = {16: "pq", 18: "hlg"}
_SPACES = {0: "rgb", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc", 10: "bt2020c"}
_FULL_RANGE = 2
_STILL_BRANDS = frozenset({"avif", "avis", "heic", "heix", "mif1", "msf1"})
_WEBP_FLAGS, _WEBP_ANIMATED = 20, 0x02  # Place and bit in the VP8X chunk of the WebP container.


@dataclass(frozen=True, slots=True)
class Probe:
    """What a file holds; plain values only (`dataclasses.asdict` gives JSON)."""

    container: str
    """FFmpeg's name of the format, e.g. `mov,mp4,m4a,3gp,3g2,mj2`."""
    video_codec: str
    audio_codec: str
    """Empty without sound."""
    width: int
    """Of the upright picture, rotation applied."""
    height: int
    rotation_deg: int
    """Clockwise turn that makes the decoded picture upright: 0, 90, 180 or 270."""
    duration_s: float
    """What the index of packets says where there is one, else what the header says; 0 when unknown or absurd."""
    header_duration_s: float
    track_end_s: float
    """Where the header says that the video track ends, in the file's own clock; 0 where it does not say."""
    fps: float
    """Average as far as header and index tell it, 0 for a single picture; a sweep knows the true one."""
    nominal_fps: float
    """What FFmpeg guesses from the header; PySceneDetect counts in it."""
    tick_s: float
    """The unit of the video stream's clock, in seconds."""
    variable_rate: bool
    """Judged by the index or by the first packets; a sweep knows better."""
    frames: int
    """Pictures that the index of packets promises; 0 when unknown."""
    start_s: float
    """Earliest start of any stream in the file's own clock: presentation time 0."""
    pixel_format: str
    bit_depth: int
    hdr: str
    """Empty, or the transfer: pq | hlg."""
    colour_space: str
    full_range: bool
    interlaced: bool
    audio_layout: str
    audio_rate_hz: int
    is_picture: bool
    """Whether the file is a still picture: a one-frame input."""
    video_stream: int
    """Index of the stream that is read."""
    subtitle_streams: int
    audio_streams: int
    size_bytes: int
    seconds: float
    """Wall time of the probe."""


def probe(path: bytes, settings: ProbeSettings) -> Probe:
    """Return what the file at `path` (absolute) holds.

    Raises JobError (stage probe): empty without a picture, corrupt, unsupported, encrypted, too_large, io.
    """
    began = time.monotonic()
    with (
        open_media(path, Stage.PROBE, settings.max_pixels) as container,
        _telling(container),
        translated(Stage.PROBE),
    ):
        stream = video_stream(container, Stage.PROBE)
        context = stream.codec_context
        check_size(context.width, context.height, settings.max_pixels, Stage.PROBE)
        header_s = header_seconds(container, stream)
        indexed = from_index(container, stream, header_s)
        prepare_decoder(stream, settings.max_pixels, 1)
        times, frame = _look_inside(container, stream)
        is_picture = container.format.name in PICTURE_FORMATS or _is_still(container, stream)
        if frame is None and is_picture:
            check_size(*still_size(path, container.format.name), settings.max_pixels, Stage.PROBE)
        if frame is None and is_picture and _is_animated_webp(path):
            raise JobError(
                FailureClass.UNSUPPORTED, "An animated WebP; FFmpeg reads only still ones.", stage=Stage.PROBE
            )
        timing = PICTURE if is_picture else indexed or from_header(stream, header_s, times)
        return _describe(container, stream, frame, timing, header_s, is_picture, os.stat(path).st_size, began)


@contextmanager
def _telling(container: InputContainer) -> Iterator[None]:
    """Let a failure of the probe say what the header told of the video before."""
    try:
        yield
    except JobError as error:
        error.seen = {"probe": {"container": container.format.name}}
        contexts = (stream.codec_context for stream in container.streams.video)
        context = next((context for context in contexts if context is not None), None)
        if context is not None:
            known = {"video_codec": context.codec.canonical_name, "width": context.width, "height": context.height}
            error.seen |= {name: value for name, value in known.items() if value}
        raise


def coded_size(probe: Probe) -> tuple[int, int]:
    """Return width and height of the picture as it is coded, before rotation."""
    return (probe.height, probe.width) if probe.rotation_deg in (90, 270) else (probe.width, probe.height)


def check_size(width: int, height: int, max_pixels: int, stage: Stage) -> None:
    """Raise JobError (too_large) for a picture above the cap."""
    if width * height > max_pixels:
        raise JobError(
            FailureClass.TOO_LARGE,
            f"The picture is {width} x {height}; probe.max_pixels allows {max_pixels} pixels.",
            stage=stage,
        )


def _is_still(container: InputContainer, stream: VideoStream) -> bool:
    """Whether it is a picture in a film's container (AVIF, HEIF)."""
    return container.metadata.get("major_brand") in _STILL_BRANDS and len(stream.index_entries) == 1


def _is_animated_webp(path: bytes) -> bool:
    with open(path, "rb") as file:
        head = file.read(_WEBP_FLAGS + 1)
    return len(head) > _WEBP_FLAGS and head[8:16] == b"WEBPVP8X" and bool(head[_WEBP_FLAGS] & _WEBP_ANIMATED)


def _describe(
    container: InputContainer,
    stream: VideoStream,
    frame: VideoFrame | None,
    timing: Promised,
    header_s: float,
    is_picture: bool,
    size_bytes: int,
    began: float,
) -> Probe:
    context = stream.codec_context
    shown = frame if frame is not None else context
    rotation = round(-frame.rotation / 90) * 90 % 360 if frame is not None else 0
    width, height = shown.width, shown.height
    if rotation in (90, 270):
        width, height = height, width
    pixels = shown.format
    sound = container.streams.audio[0] if container.streams.audio else None
    heard = sound.codec_context if sound is not None else None
    return Probe(
        container=container.format.name,
        video_codec=context.codec.canonical_name,
        audio_codec=heard.codec.canonical_name if heard is not None else "",
        width=width,
        height=height,
        rotation_deg=rotation,
        duration_s=timing.duration_s,
        header_duration_s=header_s,
        track_end_s=track_end(container, stream),
        fps=timing.fps,
        nominal_fps=float(stream.guessed_rate or 0),
        tick_s=float(stream.time_base or 0),
        variable_rate=timing.variable,
        frames=timing.frames,
        start_s=start_seconds(container),
        pixel_format=pixels.name if pixels is not None else "",
        bit_depth=max((part.bits for part in pixels.components), default=0) if pixels is not None else 0,
        hdr=_HDR.get(int(shown.color_trc or 0), ""),
        colour_space=_SPACES.get(int(shown.colorspace or 0), ""),
        full_range=int(shown.color_range or 0) == _FULL_RANGE
        or (pixels is not None and pixels.name.startswith("yuvj")),
        interlaced=bool(frame is not None and frame.interlaced_frame),
        audio_layout=heard.layout.name if heard is not None else "",
        audio_rate_hz=heard.sample_rate or 0 if heard is not None else 0,
        is_picture=is_picture,
        video_stream=stream.index,
        subtitle_streams=len(container.streams.subtitles),
        audio_streams=len(container.streams.audio),
        size_bytes=size_bytes,
        seconds=time.monotonic() - began,
    )


def start_seconds(container: InputContainer) -> float:
    """Return the earliest start of any stream in the file's own clock, in seconds."""
    starts = [
        float(stream.start_time * stream.time_base)
        for stream in (*container.streams.video, *container.streams.audio)
        if stream.start_time is not None and stream.time_base
    ]
    return min(starts, default=0.0)


def _look_inside(container: InputContainer, stream: VideoStream) -> tuple[list[int], VideoFrame | None]:
    """Return the times of the first packets (none where many lack one) and the first picture.

    A place that cannot be read ends the look. Raises JobError (encrypted).
    """
    ticks: list[int] = []
    timeless = 0
    frame: VideoFrame | None = None
    seen_bytes = 0
    locked = "enc_key_id" in stream.metadata or stream.codec_context.codec_tag == "encv"
    sieve = TimeSieve(container)
    for number, packet in enumerate(_readable(container, stream)):
        sieve.sift(packet)
        locked = locked or packet.has_sidedata("encryption_info")
        if locked:
            raise JobError(FailureClass.ENCRYPTED, "The video is encrypted.", stage=Stage.PROBE)
        seen_bytes += packet.size
        if packet.pts is not None and packet.size:
            ticks.append(packet.pts)
        timeless += packet.pts is None and packet.size > 0
        if frame is None:
            frame = _first_picture(stream, packet)
        if number >= _PACKETS_SEEN or seen_bytes >= _BYTES_SEEN:
            break
    return sorted(ticks) if timeless <= len(ticks) // 20 else [], frame


def _readable(container: InputContainer, stream: VideoStream) -> Iterator[VideoPacket]:
    """Yield packets up to a place that cannot be read; raise what PyAV raises only if there is none before it."""
    some = False
    try:
        for packet in container.demux(stream):
            yield packet
            some = True
    except FFmpegError as error:
        refuse_shortage(error, Stage.PROBE)
        if not some:
            raise


def _first_picture(stream: VideoStream, packet: VideoPacket) -> VideoFrame | None:
    try:
        frames = stream.codec_context.decode(packet if packet.size else None)
    except FFmpegError as error:
        refuse_shortage(error, Stage.PROBE)
        return None  # The sweep judges damage; the probe goes on to the next packet.
    return frames[0] if frames else None
