"""Tries one codec: pictures or a tone are encoded into memory, decoded again and compared with what they were."""

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.doctor.recipes import SOUND, VIDEO, Recipe
from pipeline.health import Check, Grade

GROUP = "codecs"
WIDTH, HEIGHT, FRAMES, RATE = 320, 240, 8, 25
SAMPLE_RATE, SAMPLES, TONE_HZ = 48_000, 48_000, 440
MOST_DIFFERENCE = 12.0
"""Mean difference of luma (0-255) above which a decoded picture is not the one that was encoded."""

Luma = NDArray[np.uint8]


REPLACE = "Install PyAV's own build: pip install --force-reinstall -c constraints.txt av"


class CodecError(Exception):
    """What came out is not what went in."""


def video(name: str) -> list[Check]:
    """Encode and decode a few pictures with a software codec."""
    recipe = VIDEO[name]
    if not can_encode(recipe.encoder):
        return [_absent(name, recipe)]
    try:
        found, decoder = decode(encode(recipe))
        compare(found)
    except (av.FFmpegError, CodecError, ValueError) as error:
        return [Check(GROUP, name, Grade.FAULT, f"{recipe.encoder}: {said(error)}", REPLACE)]
    return [Check(GROUP, name, Grade.OK, f"{recipe.encoder} encodes, {decoder} decodes")]


def sound(name: str) -> list[Check]:
    """Encode and decode a second of a tone."""
    recipe = SOUND[name]
    if not can_encode(recipe.encoder):
        return [_absent(name, recipe)]
    try:
        decoder = decode_tone(encode_tone(recipe))
    except (av.FFmpegError, CodecError, ValueError) as error:
        return [Check(GROUP, name, Grade.FAULT, f"{recipe.encoder}: {said(error)}", REPLACE)]
    return [Check(GROUP, name, Grade.OK, f"{recipe.encoder} encodes, {decoder} decodes")]


def can_encode(encoder: str) -> bool:
    """Return whether this build of FFmpeg has an encoder."""
    try:
        av.Codec(encoder, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def encode(recipe: Recipe) -> bytes:
    """Return a file with the test pictures. Raises FFmpegError."""
    target = io.BytesIO()
    with av.open(target, "w", format=recipe.container) as container:
        stream = cast(av.VideoStream, container.add_stream(recipe.encoder, rate=RATE, options=dict(recipe.options)))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, recipe.pixels
        for number, luma in enumerate(pictures()):
            frame = av.VideoFrame.from_ndarray(luma, format="gray").reformat(format=recipe.pixels)
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def decode(file: bytes) -> tuple[list[Luma], str]:
    """Return the luma of every picture of a file, and the decoder's name. Raises FFmpegError."""
    with av.open(io.BytesIO(file), "r") as container:
        decoder = container.streams.video[0].codec_context.codec.name
        return [luma_of(frame) for frame in container.decode(video=0)], decoder


def luma_of(frame: av.VideoFrame) -> Luma:
    """Return the luma of a picture (height, width)."""
    return np.asarray(frame.to_ndarray(format="gray"), np.uint8)


def compare(found: list[Luma]) -> None:
    """Raise CodecError unless these are the test pictures."""
    if len(found) != FRAMES:
        raise CodecError(f"{len(found)} of {FRAMES} frames came back")
    for luma, wanted in zip(found, pictures(), strict=True):
        difference = float(np.abs(luma.astype(np.int16) - wanted).mean())
        if luma.shape != wanted.shape or difference > MOST_DIFFERENCE:
            raise CodecError(f"the pictures came back changed (mean difference {difference:.0f} of 255)")


def pictures() -> Iterator[Luma]:
    """Yield the test pictures: a slope of grey that moves, within the range that video allows."""
    across = np.arange(WIDTH)[None, :] + np.arange(HEIGHT)[:, None] / 2
    for number in range(FRAMES):
        wave = np.sin((across + 12 * number) / 40)
        yield np.asarray(128 + 80 * wave, np.uint8)


def encode_tone(recipe: Recipe) -> bytes:
    """Return a file with a tone. Raises FFmpegError."""
    wave = np.sin(2 * np.pi * TONE_HZ * np.arange(SAMPLES) / SAMPLE_RATE)
    pcm = np.asarray(wave * 16_000, np.int16)
    target = io.BytesIO()
    with av.open(target, "w", format=recipe.container) as container:
        stream = cast(av.AudioStream, container.add_stream(recipe.encoder, rate=SAMPLE_RATE, layout="mono"))
        frame = av.AudioFrame.from_ndarray(pcm[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def decode_tone(file: bytes) -> str:
    """Decode a file and return the decoder's name. Raises FFmpegError, CodecError if it holds another tone."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    with av.open(io.BytesIO(file), "r") as container:
        decoder = container.streams.audio[0].codec_context.codec.name
        parts = [part.to_ndarray()[0] for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    heard = np.concatenate(parts) if parts else np.zeros(1, np.int16)
    strongest = float(np.abs(np.fft.rfft(heard)).argmax()) * SAMPLE_RATE / len(heard)
    if abs(strongest - TONE_HZ) > 10 or len(heard) < SAMPLES * 0.9:
        raise CodecError(f"the tone came back as {strongest:.0f} Hz, {len(heard):,} of {SAMPLES:,} samples")
    return decoder


def said(error: Exception) -> str:
    """Return what an error says, in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _absent(name: str, recipe: Recipe) -> Check:
    found = f"this build of FFmpeg has no {recipe.encoder}, so encoding and decoding could not be tried"
    return Check(GROUP, name, Grade.WARNING, found, REPLACE)
