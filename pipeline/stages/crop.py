"""Stage crop: where the picture is inside its black borders."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.errors import JobError
from pipeline.media.open import open_media, prepare_decoder, video_stream
from pipeline.media.picture import full_range, luma
from pipeline.model import FailureClass, Stage
from pipeline.shortage import refuse_shortage
from pipeline.stage_sections import CropSettings
from pipeline.stages.probe import Probe, coded_size

Box = tuple[int, int, int, int]

_PACKETS_A_PLACE = 300
_FRAMES_A_PLACE = 16
_WHOLE = 1 << 20
_FLAT = 3.0  # Compression leaves less noise than this in a border that was drawn black.
_LIT = 24
_LEAST_BORDER_SHARE = 0.01


def find_crop(path: bytes, probe: Probe, settings: CropSettings) -> Box:
    """Return x, y, width, height in pixels of the upright picture inside its black borders.

    A few places over the video are looked at. What is lit in any of them belongs to the picture, so that a dark
    scene cannot take anything away; a border must be black and flat in all of them; places too dark to tell are left
    out, and so are pictures of another size than the first. All numbers are even. Raises JobError (stage crop) only
    for faults of the file system; a place that cannot be decoded is left out.
    """
    whole = (0, 0, probe.width, probe.height)
    if not settings.enabled or probe.is_picture or probe.width < 16 or probe.height < 16:
        return whole
    found: Box | None = None
    try:
        with open_media(path, Stage.CROP, probe.width * probe.height) as container:
            stream = video_stream(container, Stage.CROP)
            prepare_decoder(stream, probe.width * probe.height, 1)
            for frame in _places(container, stream, probe, settings):
                if (frame.width, frame.height) != coded_size(probe):
                    continue
                box = _lit_box(_upright_luma(frame, probe), settings.threshold)
                if box is not None:
                    found = box if found is None else _union(found, box)
    except JobError as error:
        if error.failure in {FailureClass.IO, FailureClass.OUT_OF_MEMORY}:
            raise
    return whole if found is None else _accept(found, probe, settings)


def _places(
    container: InputContainer, stream: VideoStream, probe: Probe, settings: CropSettings
) -> Iterator[VideoFrame]:
    if not settings.clip_s:
        stream.codec_context.skip_frame = "NONKEY"
    count = settings.probes if probe.duration_s else 1
    for place in range(count):
        if probe.duration_s:
            at_s = probe.start_s + probe.duration_s * (place + 0.5) / count
            try:
                container.seek(int(at_s * 1_000_000))
            except FFmpegError:
                continue
        wanted = settings.probes if count == 1 else 1
        yield from islice(
            _decode_place(container, stream, settings.clip_s), _FRAMES_A_PLACE if settings.clip_s else wanted
        )


def _decode_place(container: InputContainer, stream: VideoStream, clip_s: float) -> Iterator[VideoFrame]:
    """Yield the frames from where the container stands, at most a clip long and a bounded number of packets."""
    first_s: float | None = None
    try:
        for packet in islice(container.demux(stream), _PACKETS_A_PLACE):
            for frame in packet.decode():
                if not isinstance(frame, VideoFrame):
                    continue
                if first_s is None:
                    first_s = frame.time
                if clip_s and frame.time is not None and first_s is not None and frame.time > first_s + clip_s:
                    return
                yield frame
    except (FFmpegError, ValueError, LookupError) as error:
        refuse_shortage(error, Stage.CROP)
        return


def _upright_luma(frame: VideoFrame, probe: Probe) -> NDArray[np.float32]:
    grey = luma(frame, (0, 0, frame.width, frame.height), _WHOLE).astype(np.float32)
    if not full_range(frame):
        grey = (grey - 16) * (255 / 219)
    return np.rot90(grey, -probe.rotation_deg // 90)


def _lit_box(grey: NDArray[np.float32], threshold: int) -> Box | None:
    """Return the box outside which every row and column is black and flat, None if it is too dark to tell."""
    if np.percentile(grey[::4, ::4], 95) < threshold + _LIT:
        return None
    rows = _edges(grey, threshold)
    columns = _edges(grey[rows[0] : rows[1]].T, threshold)
    return columns[0], rows[0], columns[1] - columns[0], rows[1] - rows[0]


def _edges(grey: NDArray[np.float32], threshold: int) -> tuple[int, int]:
    """Return first and last + 1 of the rows that are picture."""
    bright = np.percentile(grey, 99, axis=1)
    lit = (bright > threshold) | (grey.std(axis=1) > _FLAT)
    places = np.flatnonzero(lit)
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, len(grey))


def _union(one: Box, other: Box) -> Box:
    left, top = min(one[0], other[0]), min(one[1], other[1])
    right = max(one[0] + one[2], other[0] + other[2])
    bottom = max(one[1] + one[3], other[1] + other[3])
    return left, top, right - left, bottom - top


def _accept(box: Box, probe: Probe, settings: CropSettings) -> Box:
    """Return the box in even numbers, without borders too thin to matter; the whole picture if little would remain."""
    left, right = _side(box[0], probe.width - box[0] - box[2], probe.width)
    top, bottom = _side(box[1], probe.height - box[1] - box[3], probe.height)
    width, height = probe.width - left - right, probe.height - top - bottom
    if width < settings.min_share * probe.width or height < settings.min_share * probe.height:
        return 0, 0, probe.width, probe.height
    return left, top, width, height


def _side(before: int, after: int, length: int) -> tuple[int, int]:
    least = max(4, int(_LEAST_BORDER_SHARE * length))
    before, after = (border // 2 * 2 if border >= least else 0 for border in (before, after))
    return before, after + (length - before - after) % 2
