"""Small videos made on the spot with PyAV, each with something known about it."""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

WIDTH, HEIGHT, FPS = 320, 180, 25


def textured(seed: int, width: int = WIDTH, height: int = HEIGHT) -> Pixels:
    """A coloured picture with detail, different for each seed."""
    random = np.random.default_rng(seed)
    coarse = random.integers(30, 226, (height // 20 + 1, width // 20 + 1, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((20, 20, 1), np.uint8))[:height, :width].copy()


def shots(lengths: Iterable[int], first_seed: int = 0, width: int = WIDTH, height: int = HEIGHT) -> Iterator[Pixels]:
    """Frames of one picture a shot, moving slowly sideways, with a hard cut after each length."""
    for seed, length in enumerate(lengths, first_seed):
        still = textured(seed, width, height)
        for number in range(length):
            yield np.roll(still, number // 2, axis=1)


def write_video(
    path: Path,
    frames: Iterable[Pixels],
    *,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    fps: int = FPS,
    rotation: int = 0,
    times: Callable[[int], int] | None = None,
    audio_s: float = 0.0,
    pixel_format: str = "yuv420p",
) -> Path:
    """Encode RGB frames. `times` maps a frame's number to milliseconds (variable rate)."""
    with av.open(str(path), "w") as container:
        stream = None
        sound = container.add_stream("aac", rate=44_100) if audio_s else None
        for number, picture in enumerate(frames):
            if stream is None:
                stream = container.add_stream(codec, rate=fps, options=options or {"preset": "ultrafast"})
                stream.width, stream.height = picture.shape[1], picture.shape[0]
                stream.pix_fmt = pixel_format
                stream.codec_context.thread_count = 1
                if times is not None:
                    stream.codec_context.time_base = Fraction(1, 1000)
                if rotation:
                    stream.set_display_rotation(rotation)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number if times is None else times(number)
            frame.time_base = Fraction(1, fps) if times is None else Fraction(1, 1000)
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))
        if sound is not None:
            _write_silence(container, sound, audio_s)
    return path


def remuxed(path: Path, out: Path, movflags: str) -> Path:
    """Write the video of `path` again as an MP4 with these flags of the muxer."""
    with av.open(str(path)) as source, av.open(str(out), "w", options={"movflags": movflags}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return out


def _write_silence(container: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    for start in range(0, int(seconds * 44_100), 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = 44_100, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
