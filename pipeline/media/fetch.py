"""Getting single pictures of a video again, by seeking, when it is known which ones are wanted."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.media.open import open_media, prepare_decoder
from pipeline.media.picture import Box, coded_box, to_rgb
from pipeline.media.result import KeptFrame
from pipeline.model import Stage
from pipeline.settings import PipelineSettings
from pipeline.shortage import refuse_shortage
from pipeline.stages.dedupe import frame_dhash
from pipeline.stages.probe import Probe, coded_size

_ONWARD_S = 5.0


def fetch(
    path: bytes,
    probe: Probe,
    crop: Box,
    settings: PipelineSettings,
    frames: Iterable[KeptFrame],
    *,
    on_frame: Callable[[KeptFrame], None],
    progress: Callable[[float, int], None],
) -> int | None:
    """Decode these frames alone and hand each to `on_frame`; return how many were decoded on the way.

    A frame is recognised by its presentation time and its hash. Returns None if one cannot be found so, because the
    file cannot be sought in or its times are made up; then only a whole sweep finds it. Raises JobError where the
    file cannot be opened.
    """
    box = coded_box(crop, probe.rotation_deg, *coded_size(probe))
    with open_media(path, Stage.FRAMES, settings.probe.max_pixels) as container:
        stream = container.streams[probe.video_stream]
        assert isinstance(stream, VideoStream)
        # A decoder with frame threads that is freed in mid-stream after a seek has hung in libavcodec 62.28.
        prepare_decoder(stream, settings.probe.max_pixels, 1)
        hunt = _Hunt(container, stream, probe, progress)
        for frame in sorted(frames, key=lambda kept: kept.time_s):
            found = hunt.find(frame.time_s)
            if found is None or frame_dhash(found, box, probe.rotation_deg) != frame.dhash:
                return None
            on_frame(replace(frame, source=partial(to_rgb, found, probe.rotation_deg, crop)))
        return hunt.decoded


class _Hunt:
    """Goes forward through the file, by seeking where the way is long."""

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        probe: Probe,
        progress: Callable[[float, int], None],
    ) -> None:
        self._container, self._stream, self._probe, self._progress = container, stream, probe, progress
        self._near_s = 0.5 * probe.tick_s + 1e-9
        self._frames: Iterator[VideoFrame] = container.decode(stream)
        self._at_s = 0.0
        self.decoded = 0

    def find(self, time_s: float) -> VideoFrame | None:
        """Return the frame at `time_s`, which is later than the one found before; None if it is not met."""
        try:
            if time_s - self._at_s > _ONWARD_S:
                self._container.seek(int((time_s + self._probe.start_s) * 1e6))
                self._frames = self._container.decode(self._stream)
            for frame in self._frames:
                self.decoded += 1
                if frame.pts is None:
                    return None
                self._at_s = frame.pts * self._probe.tick_s - self._probe.start_s
                self._progress(max(0.0, self._at_s), self.decoded)
                if self._at_s > time_s - self._near_s:
                    return frame if self._at_s < time_s + self._near_s else None
        except (FFmpegError, ValueError, LookupError) as error:
            refuse_shortage(error, Stage.FRAMES)
            return None
        return None
