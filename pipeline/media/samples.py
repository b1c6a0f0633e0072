"""Makes small videos whose content is known, for the demo and the tests.

    python -m pipeline.media.samples DIR [CODEC ...]

Coloured shapes move over plain grounds, a scene for each; `DIR.truth.json` says what is where. With codecs named, the
first sample is made in each of them instead, and nothing is said of it. A program of its own, because whoever asks (the
console) must never import av.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.media.shapes import Combination, Look, draw, random_look
from pipeline.media.truth import Sample, Scene, read_truth, truth_path, write_truth

RATE = 25
SEED = 7
DRIFT = 0.02
"""How far a shape moves from frame to frame within its scene, as a share of the picture's shorter side, at most."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a sample is to look like."""

    name: str
    shapes: tuple[tuple[str, str], ...]
    """(colour, shape) of each scene."""
    width: int = 320
    height: int = 240
    seconds: float = 1.6
    """Length of each scene."""
    bars: int = 0
    """Height of the black bar above and below, in pixels."""
    rotation_deg: int = 0
    """How far a player turns the picture, counter-clockwise."""
    codec: str = "h264"


RECIPES = (
    Recipe("shapes.mp4", (("red", "circle"), ("blue", "square"), ("yellow", "triangle"), ("green", "star"))),
    Recipe("letterbox.mp4", (("purple", "heart"), ("orange", "ring"), ("cyan", "cross")), bars=36),
    Recipe("rotated.mp4", (("pink", "arrow"), ("green", "circle")), rotation_deg=90),
    Recipe("folder/one shot.mkv", (("blue", "star"),), seconds=3.0),
)
ENCODERS: dict[str, tuple[str, str, dict[str, str]]] = {
    "h264": ("libx264", "yuv420p", {"preset": "veryfast", "crf": "23"}),
    "hevc": ("libx265", "yuv420p", {"preset": "ultrafast", "crf": "26", "x265-params": "log-level=none"}),
    "av1": ("libsvtav1", "yuv420p", {"preset": "10", "svtav1-params": "lp=1"}),
    "vp9": ("libvpx-vp9", "yuv420p", {"deadline": "realtime", "cpu-used": "8"}),
    "mpeg4": ("mpeg4", "yuv420p", {"qscale": "4"}),
    "prores": ("prores_ks", "yuv422p10le", {}),
}
"""Codec -> what encodes it here, in which pixels, and how."""
PICTURE = ("picture.jpg", ("yellow", "heart"))
BROKEN = "broken.mp4"
BROKEN_SHARE = 0.1
"""Share of a whole file that the broken one keeps; its index comes at the end, so no decoder can open it."""


def make(folder: Path) -> tuple[Sample, ...]:
    """Write the samples and their truth into `folder` and return what was made.

    Samples that have their truth are left as they are. Raises OSError.
    """
    if folder.is_dir() and truth_path(folder).is_file():
        return read_truth(folder)
    folder.mkdir(parents=True, exist_ok=True)
    samples = [make_video(folder, recipe) for recipe in RECIPES]
    samples.append(_make_picture(folder))
    samples.append(_make_broken(folder))
    write_truth(folder, samples)
    return tuple(samples)


def make_in(folder: Path, codec: str) -> Path:
    """Encode the first sample in a codec and return its path. Raises OSError."""
    recipe = replace(RECIPES[0], name=f"{codec}.mkv", codec=codec)
    make_video(folder, recipe)
    return folder / recipe.name


def make_video(folder: Path, recipe: Recipe) -> Sample:
    """Encode one video into `folder` and return its truth. Raises OSError."""
    encoder, pixels, options = ENCODERS[recipe.codec]
    path = folder / recipe.name
    path.parent.mkdir(parents=True, exist_ok=True)
    frames_per_scene = round(recipe.seconds * RATE)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=RATE, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = recipe.width, recipe.height, pixels
        stream.codec_context.thread_count = 1
        if recipe.rotation_deg:
            stream.set_display_rotation(recipe.rotation_deg)
        for number, picture in enumerate(_pictures(recipe, frames_per_scene)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return Sample(
        name=recipe.name,
        kind="video",
        width=recipe.width,
        height=recipe.height,
        rotation_deg=recipe.rotation_deg,
        crop_xywh=(0, recipe.bars, recipe.width, recipe.height - 2 * recipe.bars),
        scenes=tuple(_scenes(recipe, frames_per_scene)),
    )


def _scenes(recipe: Recipe, frames_per_scene: int) -> Iterator[Scene]:
    for number, (colour, shape) in enumerate(recipe.shapes):
        start, end = number * frames_per_scene, (number + 1) * frames_per_scene
        yield Scene(Combination(colour, shape).caption, start, end, start / RATE, end / RATE)


def _pictures(recipe: Recipe, frames_per_scene: int) -> Iterator[Picture]:
    rng = np.random.default_rng([SEED, *recipe.name.encode()])
    for number, (colour, shape) in enumerate(recipe.shapes):
        look = _ground(random_look(rng), number)
        for step in range(frames_per_scene):
            shift = DRIFT * np.sin(2 * np.pi * step / frames_per_scene)
            moved = look.moved(float(shift), 0.0, step)
            inside = draw(Combination(colour, shape), moved, width=recipe.width, height=recipe.height - 2 * recipe.bars)
            yield np.pad(inside, ((recipe.bars, recipe.bars), (0, 0), (0, 0)))


def _ground(look: Look, number: int) -> Look:
    """Return `look` on a ground clearly apart from that of the scene before, so that each cut is one."""
    grey = (70, 200, 120, 235)[number % 4]
    return Look(background=(grey, grey, grey), radius=max(look.radius, 0.3), rotation_rad=look.rotation_rad)


def _make_picture(folder: Path) -> Sample:
    name, (colour, shape) = PICTURE
    picture = draw(Combination(colour, shape), Look(background=(200, 200, 200)))
    Image.fromarray(picture).save(folder / name, quality=92)
    height, width, _ = picture.shape
    scene = Scene(Combination(colour, shape).caption, 0, 1, 0.0, 0.0)
    return Sample(name, "picture", width, height, crop_xywh=(0, 0, width, height), scenes=(scene,))


def _make_broken(folder: Path) -> Sample:
    whole = (folder / RECIPES[0].name).read_bytes()
    (folder / BROKEN).write_bytes(whole[: int(len(whole) * BROKEN_SHARE)])
    return Sample(BROKEN, "broken")


def main(arguments: Sequence[str]) -> int:
    """Make the samples in the folder named and print how many there are. Returns the exit code."""
    if not arguments or not set(arguments[1:]) <= set(ENCODERS):
        sys.stderr.write(f"usage: python -m pipeline.media.samples DIR [{'|'.join(ENCODERS)} ...]\n")
        return 2
    av.logging.set_level(None)
    folder, *codecs = arguments
    made = [make_in(Path(folder), codec) for codec in codecs] if codecs else make(Path(os.fsdecode(folder)))
    sys.stdout.write(f"{len(made)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
