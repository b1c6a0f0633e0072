"""The decoder engines of the GPUs: how many may be at work, which worker has one, and where one is worth having."""

import fcntl
import functools
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pynvml
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.errors import JobError
from pipeline.media import hwaccel
from pipeline.media.hwaccel import CODECS, FORMATS, REFUSALS, Decoding, HardwareDecoder, said
from pipeline.media.open import open_media, prepare_decoder, translated
from pipeline.media.seen import VideoPacket
from pipeline.model import FailureClass, Stage
from pipeline.models import remembered
from pipeline.stage_sections import DecodeSettings
from pipeline.visible_gpus import shown_to_cuda

FILE = "decoders.json"
"""Where measurements are kept, in the state folder."""
SLOTS = "decoders"
"""Folder of the files that are locked by who has an engine, in the state folder."""
NVDECS = {"A100": 5, "A30": 4, "A10": 2, "A2": 2, "A40": 2, "B200": 7, "H100": 7, "H200": 7, "L4": 4, "L40": 3, "T4": 2}
"""Decoder engines of a GPU, by a word of its name, as NVIDIA's support matrix has them."""
_USUAL_NVDECS = 2
_SAMPLE_BYTES, _MOST_SAMPLED, _LEAST_SAMPLED = 192 << 20, 96, 8


@dataclass(frozen=True, slots=True)
class Asked:
    """The video that is to be decoded, as far as the choice depends on it."""

    path: bytes
    stream: int
    codec: str
    pixel_format: str
    width: int
    height: int
    frames: int
    max_pixels: int
    threads: int
    """Decoder threads that software would have."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What decoding the beginning of a video both ways took."""

    refused: str
    """Why the GPU does not serve, empty if it gave the same pictures."""
    open_s: float = 0.0
    """Up to the first picture."""
    hardware_fps: float = 0.0
    software_fps: float = 0.0

    def wins(self, frames: int) -> bool:
        """Whether the GPU decodes this many pictures sooner than software."""
        if self.refused or not (self.hardware_fps and self.software_fps):
            return False
        return self.open_s + frames / self.hardware_fps < frames / self.software_fps


_FIGURES = ("open_s", "hardware_fps", "software_fps")
_REFUSED: dict[str, Measured] = {}
"""What this process need not try again; another may, for a GPU that was full may have room then."""


@functools.cache
def gpus() -> tuple[str, ...]:
    """Return the names of the GPUs that CUDA may use, each with its driver; none without a driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        driver = pynvml.nvmlSystemGetDriverVersion()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        names = [f"{pynvml.nvmlDeviceGetName(handle)}, driver {driver}" for handle in handles]
        ids = [pynvml.nvmlDeviceGetUUID(handle) for handle in handles]
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()
    shown = shown_to_cuda(os.environ)
    known = dict(zip([*map(str, range(len(names))), *ids], names * 2, strict=True))
    return tuple(names) if shown is None else tuple(known.get(one, one) for one in shown)


class Engines:
    """What one job may use of them, and what became of it; decoder threads share it."""

    def __init__(self, settings: DecodeSettings, folder: str) -> None:
        """`folder` is the state folder, empty where there is none: then no GPU is used."""
        self._settings, self._folder = settings, folder
        self._chosen = False
        self._max_pixels = 0
        self._gpu = ""
        self._fallback = ""

    def told(self) -> dict[str, str]:
        """Return what a job's result says: the GPU that decoded, and why software went on where it did."""
        told = {"decoded_by": self._gpu, "decode_fallback": self._fallback}
        return {name: text for name, text in told.items() if text}

    def recall(self, told: Mapping[str, str]) -> None:
        """Take in what was told of a part of the video that was decoded before."""
        self._gpu = self._gpu or told.get("decoded_by", "")
        self._fallback = self._fallback or told.get("decode_fallback", "")

    def choose(self, asked: Asked) -> None:
        """Decide whether a GPU decodes the video that comes next. Raises JobError where one has to and none is here."""
        self._chosen = False
        wanted = self._settings.hwaccel
        if wanted == "none" or not self._folder:
            return
        if not gpus():
            if wanted == "cuda":
                raise _refusal("the NVIDIA driver reports no GPU")
            return
        self._max_pixels = asked.max_pixels
        if asked.codec in CODECS and asked.pixel_format in FORMATS:
            self._chosen = wanted == "cuda" or self._measured(asked).wins(asked.frames)

    @contextmanager
    def decoder(self, stream: VideoStream) -> Iterator[Decoding]:
        """Give the decoder to use: on a GPU if one was chosen and has an engine free, else the stream's own."""
        with ExitStack() as held:
            slot = self._slot(held) if self._chosen else None
            yield stream.codec_context if slot is None else self._on_gpu(stream, slot)

    def _on_gpu(self, stream: VideoStream, slot: int) -> Decoding:
        gpu = slot % len(gpus())
        try:
            hardware = hwaccel.hardware_context(stream, gpu, self._max_pixels)
        except REFUSALS as error:
            if self._settings.hwaccel == "cuda":
                raise _refusal(said(error)) from error
            self._fell_back(said(error))
            return stream.codec_context
        self._gpu = gpus()[gpu]
        return HardwareDecoder(hardware, stream.codec_context, self._fell_back)

    def _fell_back(self, why: str) -> None:
        self._fallback = f"the GPU did not decode all of it, so software went on: {why}"

    def _slot(self, held: ExitStack) -> int | None:
        """Take one of the engines until `held` closes; None if all are in use."""
        folder = Path(self._folder) / SLOTS
        folder.mkdir(exist_ok=True)
        for number in range(self._most()):
            with ExitStack() as tried, suppress(BlockingIOError):
                file = tried.enter_context((folder / str(number)).open("ab"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # The system gives it back, however a worker ends.
                held.push(tried.pop_all())
                return number
        return None

    def _most(self) -> int:
        most = self._settings.engines
        return most if most != "auto" else len(gpus()) * min(nvdecs(name) for name in gpus())

    def _measured(self, asked: Asked) -> Measured:
        """Return what is remembered of such videos on this machine, or measure it on this one."""
        pixels = (asked.width * asked.height).bit_length()
        parts = [gpus()[0], av.__version__, asked.codec, asked.pixel_format, f"2^{pixels}", f"{asked.threads} threads"]
        name, file = " ".join(parts), Path(self._folder) / FILE
        if name in _REFUSED:
            return _REFUSED[name]
        with suppress(TypeError, ValueError, KeyError):
            known = remembered.read(file)[name]
            return Measured("", *(float(known[field]) for field in _FIGURES))
        found = measure(asked)
        if found is None:
            return Measured("it cannot be sampled")
        if found.refused:
            _REFUSED[name] = found
        else:
            figures = {field: round(getattr(found, field), 4) for field in _FIGURES}
            remembered.write(file, name, {"key": asked.codec, "device": gpus()[0], **figures})
        return found


def nvdecs(name: str) -> int:
    """Return how many decoder engines a GPU has by its name."""
    words = name.replace("-", " ").replace(",", " ").split()
    return next((NVDECS[word] for word in words if word in NVDECS), _USUAL_NVDECS)


def measure(asked: Asked) -> Measured | None:
    """Decode the beginning of a video by software and by the first GPU; None where software cannot either."""
    size = asked.width * asked.height * 2
    most = max(_LEAST_SAMPLED, min(_MOST_SAMPLED, _SAMPLE_BYTES // max(1, size)))
    try:
        with open_media(asked.path, Stage.PROBE, asked.max_pixels) as container, translated(Stage.PROBE):
            stream = container.streams[asked.stream]
            assert isinstance(stream, VideoStream)
            prepare_decoder(stream, asked.max_pixels, asked.threads)
            packets = [packet for packet in islice(container.demux(stream), most) if packet.size]
            software = _Timed(stream.codec_context, packets)
            if not software.frames:
                return None
            stream.codec_context.flush_buffers()
            try:
                began = time.monotonic()
                context = hwaccel.hardware_context(stream, 0, asked.max_pixels)
                refused: list[str] = []
                hardware = _Timed(HardwareDecoder(context, stream.codec_context, refused.append), packets, began)
            except REFUSALS as error:
                return Measured(said(error))
    except JobError:
        return None
    if refused:
        return Measured(refused[0])
    if len(hardware.frames) != len(software.frames) or not all(map(_same, hardware.frames, software.frames)):
        return Measured("its pictures are not those of the software decoder")
    return Measured("", hardware.first_s, hardware.rate(), len(software.frames) / software.all_s)


class _Timed:
    """Decodes some packets and keeps the pictures."""

    def __init__(self, decoder: Decoding, packets: list[VideoPacket], began: float | None = None) -> None:
        began = time.monotonic() if began is None else began
        self.frames: list[VideoFrame] = []
        self.first_s = 0.0
        for packet in (*packets, None):
            self.frames += decoder.decode(packet)
            if self.frames and not self.first_s:
                self.first_s = time.monotonic() - began
        self.all_s = max(1e-9, time.monotonic() - began)

    def rate(self) -> float:
        """Return pictures a second after the first."""
        return (len(self.frames) - 1) / max(1e-9, self.all_s - self.first_s)


def _same(one: VideoFrame, other: VideoFrame) -> bool:
    if (one.pts, one.format.name, one.width, one.height) != (other.pts, other.format.name, other.width, other.height):
        return False
    left: Any = one.to_ndarray()
    return bool(np.array_equal(left, other.to_ndarray()))


def _refusal(why: str) -> JobError:
    return JobError(
        FailureClass.SETTINGS, f"decode.hwaccel is cuda, and no GPU decodes here: {why}.", stage=Stage.PROBE
    )
