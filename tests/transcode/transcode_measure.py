"""Measures of fidelity: SSIM, colours of bars, and how far apart a flash and a beep are."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.filter import Graph
from transcode_make import Film, Pixels, make

BARS = ((191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191))
"""Colour bars at 75 %: white, yellow, cyan, green, magenta, red, blue."""
FLASHES_S = (1.0, 2.0, 3.0)
FLASH_S = 0.2


def ssim(source: Path, output: Path, *, rotation_chain: tuple[str, ...] = ()) -> tuple[float, float, int]:
    """Mean and lowest SSIM of the pictures of two files of equal length, and how many there are.

    Pictures of the source go through `rotation_chain` first.
    """
    values = []
    with av.open(str(source)) as one, av.open(str(output)) as other:
        for stream in (one.streams.video[0], other.streams.video[0]):
            stream.codec_context.thread_count = 2
            stream.codec_context.thread_type = "AUTO"
        pairs = zip(one.decode(video=0), other.decode(video=0), strict=True)
        graph: Graph | None = None
        for number, (reference, picture) in enumerate(pairs):
            if graph is None:
                graph, inputs, sink = _ssim_graph(reference, picture, rotation_chain)
            for source_pad, frame in zip(inputs, (reference, picture), strict=True):
                frame.pts, frame.time_base = number, Fraction(1, 25)
                source_pad.push(frame)
            values += _pulled(sink)
    return float(np.mean(values)), float(np.min(values)), len(values)


def _ssim_graph(reference: Any, picture: Any, chain: tuple[str, ...]) -> tuple[Graph, list[Any], Any]:
    graph = Graph()
    inputs = []
    for frame in (reference, picture):
        inputs.append(
            graph.add(
                "buffer",
                video_size=f"{frame.width}x{frame.height}",
                pix_fmt=frame.format.name,
                time_base="1/25",
                pixel_aspect="1/1",
                colorspace="bt709",
                range="tv",
            )
        )
    measure, sink = graph.add("ssim"), graph.add("buffersink")
    last = inputs[0]
    for name, arguments in (*(step.partition("=")[::2] for step in chain), ("format", "yuv420p")):
        step = graph.add(name, arguments or None)
        last.link_to(step)
        last = step
    last.link_to(measure, 0, 1)
    inputs[1].link_to(measure, 0, 0)
    measure.link_to(sink)
    graph.configure()
    return graph, inputs, sink


def _pulled(sink: Any) -> Iterator[float]:
    while True:
        try:
            yield float(sink.pull().metadata["lavfi.ssim.All"])
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def bars(width: int, height: int, _: int) -> Pixels:
    """Colour bars."""
    columns = (np.arange(width) * len(BARS) // width)[None, :].repeat(height, 0)
    return np.array(BARS, np.uint8)[columns]


def colours(path: Path) -> Pixels:
    """The colour in the middle of each bar, as a program sees it that minds range and matrix."""
    with av.open(str(path)) as container:
        pixels = next(container.decode(video=0)).to_ndarray(format="rgb24")
    places = [(2 * number + 1) * pixels.shape[1] // (2 * len(BARS)) for number in range(len(BARS))]
    return pixels[pixels.shape[0] // 2, places]


def flash_and_beep(path: Path, film: Film, *, delay_s: float = 0.0) -> Path:
    """A film that turns white while it beeps; its sound begins `delay_s` after its pictures."""
    rate = film.sound_rate
    fps = float(film.fps)

    def lit(at_s: float) -> bool:
        return any(start - 1e-6 <= at_s < start + FLASH_S for start in FLASHES_S)

    def shown_s(number: int) -> float:
        return film.times(number) / 1000 if film.times is not None else number / fps

    film.picture = lambda width, height, number: np.full(
        (height, width, 3), 235 if lit(shown_s(number)) else 16, np.uint8
    )
    silent = make(path.with_suffix(".silent.mkv"), film)
    seconds = shown_s(film.frames)
    at = np.arange(int((seconds - delay_s) * rate)) / rate + delay_s
    loud = np.zeros_like(at)
    for start in FLASHES_S:
        loud += (at >= start) & (at < start + FLASH_S)
    wave = (0.8 * loud * np.sin(2 * np.pi * 1000 * at)).astype(np.float32)
    with av.open(str(silent)) as source, av.open(str(path), "w") as output:
        video = output.add_stream_from_template(source.streams.video[0])
        sound = output.add_stream(film.sound_codec, rate=rate, layout="stereo")
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = video
                output.mux(packet)
        for start in range(0, len(wave), 1024):
            block = np.stack([wave[start : start + 1024]] * 2)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = rate, start + round(delay_s * rate), Fraction(1, rate)
            output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    silent.unlink()
    return path


def apart_ms(path: Path) -> list[float]:
    """How many milliseconds each beep begins after its flash."""
    flashes, beeps = [], []
    with av.open(str(path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        bright, quiet_until = False, -1.0
        for frame in container.decode(video, sound):
            if isinstance(frame, av.VideoFrame):
                now = float(np.frombuffer(frame.planes[0], np.uint8)[: frame.width].mean()) > 125
                if now and not bright:
                    flashes.append(frame.time)
                bright = now
            else:
                samples = np.abs(frame.to_ndarray()[0].astype(np.float64))
                samples /= 1.0 if frame.format.name.startswith("flt") else 32768.0
                for place in np.flatnonzero(samples > 0.25):
                    time_s = frame.time + place / frame.sample_rate
                    if time_s > quiet_until:
                        beeps.append(time_s)
                    quiet_until = time_s + FLASH_S
    assert len(flashes) == len(beeps) == len(FLASHES_S), (flashes, beeps)
    return [1000 * (beep - flash) for flash, beep in zip(flashes, beeps, strict=True)]
