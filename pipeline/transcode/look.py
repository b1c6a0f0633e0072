"""Looking at the first pictures and at some of the sound: what only decoding tells."""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.model import Stage
from pipeline.shortage import refuse_shortage
from pipeline.transcode.facts import NO_HDR, HdrFacts
from pipeline.transcode.hdr import hdr_facts

_PACKETS, _BYTES = 240, 16 << 20
_PICTURES = 12
_PLACES, _FRAMES_A_PLACE, _PACKETS_A_PLACE = 4, 60, 400
_SILENT, _HEARD = 10 ** (-72 / 20), 10 ** (-54 / 20)
_ERRORS = (FFmpegError, UnicodeError, AttributeError, LookupError, ValueError)


@dataclass(frozen=True, slots=True)
class Picture:
    """What the first pictures tell; `frame` is the first, None where none can be decoded."""

    frame: VideoFrame | None
    interlaced: bool
    rotation_deg: int
    mirrored: bool
    encrypted: bool
    hdr: HdrFacts = NO_HDR
    disordered: bool = False
    """Whether the times of the pictures go back as they come out of the decoder."""


def first_pictures(container: InputContainer, stream: VideoStream) -> Picture:
    """Decode the first few pictures; damage on the way is passed over."""
    first: VideoFrame | None = None
    count = interlaced = 0
    times: list[int] = []
    locked = "enc_key_id" in stream.metadata or stream.codec_context.codec_tag == "encv"
    read = 0
    try:
        for number, packet in enumerate(container.demux(stream)):
            if locked or packet.has_sidedata("encryption_info"):
                return Picture(None, False, 0, False, encrypted=True)
            for frame in _decoded(stream, packet if packet.size else None):
                first = first or frame
                count += 1
                interlaced += frame.interlaced_frame
                times += [] if frame.pts is None else [frame.pts]
            read += packet.size
            if count >= _PICTURES or number >= _PACKETS or read >= _BYTES:
                break
    except _ERRORS as error:
        refuse_shortage(error, Stage.PROBE)
    turn, mirrored = orientation(first) if first is not None else (0, False)
    hdr = hdr_facts(side_data(first)) if first is not None else NO_HDR
    disordered = any(later < earlier for earlier, later in pairwise(times))
    return Picture(first, 2 * interlaced > count, turn, mirrored, False, hdr, disordered)


def _decoded(stream: VideoStream, packet: Any) -> list[VideoFrame]:
    try:
        return stream.codec_context.decode(packet)
    except EOFError:
        return []
    except _ERRORS as error:
        refuse_shortage(error, Stage.PROBE)
        return []


def orientation(frame: VideoFrame) -> tuple[int, bool]:
    """Return the clockwise turn (0, 90, 180, 270) that makes a frame upright, and whether to mirror it after that."""
    for data in side_data(frame):
        if data.type.name == "DISPLAYMATRIX" and len(bytes(data)) >= 36:
            a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data)[:36])
            mirrored = a * d - b * c < 0
            if mirrored:
                a, c = -a, -c
            if not (a or b):
                return 0, False
            return round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360, mirrored
    return round(-frame.rotation / 90) * 90 % 360, False


def side_data(frame: VideoFrame) -> list[Any]:
    """Return what comes with a frame; nothing where PyAV has no word for a kind of it: a second view, say."""
    try:
        return list(frame.side_data)
    except ValueError:
        return []


def lone_channel(container: InputContainer, stream: AudioStream, duration_s: float) -> int:
    """Return the only channel in which anything is heard in a few places of the file, -1 where there is no such one."""
    channels = stream.codec_context.channels
    if channels < 2:
        return -1
    peaks = np.zeros(channels)
    for place in range(_PLACES):
        try:
            if place:
                container.seek(int((container.start_time or 0) + duration_s * 1e6 * place / _PLACES))
            for frame in _sounds(container, stream):
                peaks = np.maximum(peaks, _peaks(frame, channels))
        except _ERRORS as error:
            refuse_shortage(error, Stage.PROBE)
    heard = np.flatnonzero(peaks > _SILENT)
    return int(heard[0]) if len(heard) == 1 and peaks[heard[0]] > _HEARD else -1


def _sounds(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    count = 0
    for number, packet in enumerate(container.demux(stream)):
        for frame in stream.codec_context.decode(packet if packet.size else None):
            yield frame
            count += 1
        if count >= _FRAMES_A_PLACE or number >= _PACKETS_A_PLACE:
            return


def _peaks(frame: AudioFrame, channels: int) -> Any:
    samples = frame.to_ndarray()
    samples = samples if frame.format.is_planar else samples.reshape(-1, channels).T
    if samples.shape[0] != channels:
        return np.full(channels, 1.0)  # Another layout than the header says: nothing can be told.
    if samples.dtype.kind == "u":
        return np.abs(samples.astype(np.float64) - 128).max(axis=1, initial=0) / 128
    full = 1.0 if samples.dtype.kind == "f" else float(np.iinfo(cast(Any, samples.dtype)).max)
    return np.abs(samples.astype(np.float64)).max(axis=1, initial=0) / full
