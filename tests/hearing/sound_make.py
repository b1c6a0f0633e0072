"""Videos with known sound: given samples as one or more tracks beside a small moving picture."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
PICTURE_RATE = 5


def make_video(
    path: Path,
    tracks: Sequence[NDArray[np.int16]],
    *,
    codec: str = "aac",
    languages: Sequence[str] = (),
    length_s: float = 0,
) -> Path:
    """Write a video whose sound tracks hold 16 kHz mono samples; the picture lasts as long as the longest of them."""
    length_s = length_s or max((len(track) / RATE_HZ for track in tracks), default=3.0)
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=PICTURE_RATE, options={"g": "10", "preset": "ultrafast"})
        picture.width, picture.height, picture.pix_fmt = 96, 64, "yuv420p"
        sounds = [container.add_stream(codec, rate=RATE_HZ, layout="mono") for _ in tracks]
        for stream, language in zip(sounds, languages, strict=False):
            stream.metadata["language"] = language
        for number in range(round(length_s * PICTURE_RATE)):
            plane = np.full((64, 96, 3), 40 + number % 150, np.uint8)
            plane[:, number % 96] = 255
            container.mux(picture.encode(av.VideoFrame.from_ndarray(plane, format="rgb24")))
        container.mux(picture.encode())
        for stream, samples in zip(sounds, tracks, strict=True):
            for first in range(0, len(samples), 1024):
                frame = av.AudioFrame.from_ndarray(samples[None, first : first + 1024], format="s16", layout="mono")
                frame.sample_rate, frame.pts = RATE_HZ, first
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def speech(path: Path) -> NDArray[np.int16]:
    """Return a recording as 16 kHz mono samples."""
    from pipeline.media.sound import SoundTrack

    return np.concatenate([piece.samples for piece in SoundTrack(str(path).encode(), "", 1 << 20).pieces()])


def silence(seconds: float, seed: int = 0) -> NDArray[np.int16]:
    """Return the quiet noise of a room."""
    return np.random.default_rng(seed).normal(0, 8, round(16_000 * seconds)).astype(np.int16)
