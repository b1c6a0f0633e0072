"""Small odd videos made on the spot, and the way a job is given to the transcoder."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.identity import content_id, identity_of
from pipeline.model import Stage
from pipeline.outcome import Outcome
from pipeline.settings import PipelineSettings
from pipeline.transcode.asked import TranscodeContext, TranscodeJob
from pipeline.transcode.job import transcode
from pipeline.transcode.settings import SUFFIXES, TRANSCODE_PRESETS, TranscodeSettings

Pixels = NDArray[np.uint8]


def corners(width: int, height: int, number: int = 0) -> Pixels:
    """A picture whose corners are red, green, blue and white (from the top left, clockwise) around a moving bar."""
    picture = np.full((height, width, 3), 60, np.uint8)
    rows, columns = height // 3, width // 3
    picture[:rows, :columns] = (220, 30, 30)
    picture[:rows, -columns:] = (30, 200, 30)
    picture[-rows:, -columns:] = (40, 40, 220)
    picture[-rows:, :columns] = (235, 235, 235)
    place = width // 3 + number % max(1, width // 3)
    picture[rows:-rows, place : place + 4] = 180
    return picture


@dataclass
class Film:
    """What a film to be made is like."""

    frames: int = 50
    fps: Fraction = Fraction(25)
    width: int = 320
    height: int = 180
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    options: dict[str, str] = field(default_factory=lambda: {"preset": "ultrafast"})
    rotation: int = 0
    sar: Fraction = Fraction(1)
    gop: int = 25
    range: int = 0
    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    times: Callable[[int], int] | None = None
    """Milliseconds at which each picture is shown."""
    picture: Callable[[int, int, int], Pixels] = corners
    sounds: tuple[tuple[str, tuple[float, ...]], ...] = ()
    """Language and loudness of each channel, for each track."""
    sound_codec: str = "aac"
    sound_rate: int = 48_000
    muxer: dict[str, str] = field(default_factory=lambda: {"movflags": "+faststart"})
    tags: dict[str, str] = field(default_factory=dict)
    chapters: tuple[tuple[int, int, str], ...] = ()


def make(path: Path, film: Film) -> Path:
    """Write a film."""
    is_mov = path.suffix in (".mp4", ".mov")
    with av.open(str(path), "w", container_options=film.muxer if is_mov else {}) as output:
        output.metadata.update(film.tags)
        output.set_chapters(
            [
                {"id": i, "start": a, "end": b, "time_base": Fraction(1, 1000), "metadata": {"title": title}}
                for i, (a, b, title) in enumerate(film.chapters)
            ]
        )
        video = output.add_stream(film.codec, rate=film.fps, options=film.options)
        context = video.codec_context
        context.width, context.height, context.pix_fmt = film.width, film.height, film.pixel_format
        context.thread_count, context.gop_size = 1, film.gop
        context.sample_aspect_ratio = film.sar
        context.color_range, context.colorspace = film.range, film.matrix
        context.color_primaries, context.color_trc = film.primaries, film.transfer
        if film.times is not None:
            context.time_base = Fraction(1, 1000)
        if film.rotation:
            video.set_display_rotation(film.rotation)
        sounds = []
        for language, _ in film.sounds:
            sound = output.add_stream(film.sound_codec, rate=film.sound_rate)
            sounds.append(sound)
            sound.metadata["language"] = language
        for sound, (_, levels) in zip(sounds, film.sounds, strict=True):
            sound.codec_context.layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(levels)]
        seconds = film.frames / float(film.fps) if film.times is None else film.times(film.frames) / 1000
        for number in range(film.frames):
            picture = film.picture(film.width, film.height, number)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=film.pixel_format)
            frame.pts = number if film.times is None else film.times(number)
            frame.time_base = 1 / film.fps if film.times is None else Fraction(1, 1000)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        for sound, (_, levels) in zip(sounds, film.sounds, strict=True):
            _hum(output, sound, levels, seconds, film.sound_rate)
    return path


def _hum(output: Any, stream: Any, levels: tuple[float, ...], seconds: float, rate: int) -> None:
    at = np.arange(int(seconds * rate)) / rate
    wave = np.sin(2 * np.pi * 440 * at)
    samples = np.stack([wave * level for level in levels]).astype(np.float32)
    for start in range(0, samples.shape[1], 1024):
        block = np.ascontiguousarray(samples[:, start : start + 1024])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=stream.codec_context.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


class Report:
    """Hears how a job gets on."""

    def __init__(self) -> None:
        self.shares: list[float] = []
        self.stages: list[str] = []

    def progress(self, stage: Stage, share: float, **_: Any) -> None:
        self.shares.append(share)

    def passed(self, stage: Stage, seconds: float, items: int, *, reused: bool = False) -> None:
        self.stages.append(str(stage))


def settings(preset: str = "standardize", **values: Any) -> TranscodeSettings:
    """The settings of a preset, with `values` laid over them."""
    return TranscodeSettings.model_validate({**TRANSCODE_PRESETS[preset][1], **values})


def run(
    source: Path,
    out: Path,
    wanted: TranscodeSettings | None = None,
    *,
    report: Any = None,
    hwaccel: str = "none",
    **job: Any,
) -> Outcome:
    """Do one job; `hwaccel` says what decodes."""
    wanted = wanted or settings(speed="ultrafast")
    out.mkdir(exist_ok=True)
    path = os.fsencode(source)
    with open(source, "rb") as file:
        content = content_id(file.fileno())
    given = {
        "source": path,
        "relative": os.fsencode(source.name),
        "output": os.fsencode(source.stem) + SUFFIXES[wanted.output_format],
        "identity": identity_of(os.stat(path)),
        "content_id": content,
        "key": "0123456789abcdef0123",
        "decode_threads": 1,
        "encode_threads": 1,
        **job,
    }
    chosen = PipelineSettings.model_validate({"transcode": wanted, "decode": {"hwaccel": hwaccel}})
    context = TranscodeContext(chosen, os.fsencode(out), state_dir=str(out.parent))
    return transcode(TranscodeJob(**given), context, report or Report())


def decode_all(path: Path) -> tuple[list[Any], list[Any]]:
    """Every picture and every sound of a file, decoded strictly: any error is raised."""
    with av.open(str(path), options={"err_detect": "explode"}) as container:
        pictures, sounds = [], []
        for frame in container.decode(*container.streams.video[:1], *container.streams.audio[:1]):
            (pictures if isinstance(frame, av.VideoFrame) else sounds).append(frame)
    return pictures, sounds


def colour_at(frame: Any, x: float, y: float) -> tuple[int, int, int]:
    """The colour at a place given as shares of width and height."""
    pixels = frame.to_ndarray(format="rgb24")
    red, green, blue = pixels[int(y * frame.height), int(x * frame.width)]
    return int(red), int(green), int(blue)


def named(colour: tuple[int, int, int]) -> str:
    """What a colour of `corners` is called."""
    known = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (40, 40, 220), "white": (235, 235, 235)}
    return min(known, key=lambda name: sum((a - b) ** 2 for a, b in zip(known[name], colour, strict=True)))


def clockwise(frame: Any) -> list[str]:
    """The colours of the corners, from the top left clockwise."""
    places = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))
    return [named(colour_at(frame, x, y)) for x, y in places]
