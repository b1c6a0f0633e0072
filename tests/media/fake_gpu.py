"""A decoder that stands for NVDEC: software pictures in NVDEC's pixel formats, and it fails when it is told to."""

from dataclasses import dataclass, field
from typing import Any, cast

import av
import pytest
from av.error import ExternalError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.media import engines, hwaccel

NATIVE = {"yuv420p": "nv12", "yuvj420p": "nv12", "yuv420p10le": "p010le"}
NAME = "NVIDIA T4, driver 1"


@dataclass
class FakeGpu:
    """Counts what it is asked for."""

    fails_after: int | None = None
    """Packets after which each decoder fails for good."""
    refuses: str = ""
    """Why no decoder can be opened."""
    wrong: bool = False
    """Whether its pictures are not those of software."""
    opened: int = 0
    decoded: int = 0
    failed: int = 0
    formats: set[str] = field(default_factory=set)

    def open(self, stream: VideoStream, gpu: int, max_pixels: int) -> Any:
        if self.refuses:
            raise ExternalError(-542398533, self.refuses)
        self.opened += 1
        codec = stream.codec_context.codec.canonical_name
        context = cast(VideoCodecContext, av.CodecContext.create(codec, "r"))
        hwaccel.set_up_like(context, stream.codec_context, max_pixels)
        return _Decoder(self, context)


class _Decoder:
    def __init__(self, gpu: FakeGpu, context: VideoCodecContext) -> None:
        self._gpu, self._context, self._packets = gpu, context, 0

    def decode(self, packet: Any = None) -> list[VideoFrame]:
        self._packets += 1
        if self._gpu.fails_after is not None and self._packets > self._gpu.fails_after:
            self._gpu.failed += 1
            raise ExternalError(-542398533, "CUDA_ERROR_LAUNCH_FAILED")
        frames = self._context.decode(packet)
        self._gpu.decoded += len(frames)
        return [self._native(frame) for frame in frames]

    def flush_buffers(self) -> None:
        self._context.flush_buffers()

    def _native(self, frame: VideoFrame) -> VideoFrame:
        native = frame.reformat(format=NATIVE[frame.format.name])
        self._gpu.formats.add(native.format.name)
        if self._gpu.wrong:
            memoryview(native.planes[0])[0] ^= 255
        return native


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    """A machine with one GPU."""
    fake = FakeGpu()
    monkeypatch.setattr(engines, "gpus", lambda: (NAME,))
    monkeypatch.setattr(engines, "_REFUSED", {})
    monkeypatch.setattr(hwaccel, "hardware_context", fake.open)
    return fake
