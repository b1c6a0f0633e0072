"""Pictures of coloured shapes with captions: what `tiny-shapes` is trained on and the sample videos show.

Nothing here is media from outside: every picture is drawn by Pillow from a seeded generator, so equal
seeds give equal pictures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (215, 30, 30),
    "orange": (245, 135, 20),
    "yellow": (240, 225, 40),
    "green": (40, 165, 55),
    "cyan": (50, 205, 215),
    "blue": (35, 65, 215),
    "purple": (125, 40, 175),
    "pink": (250, 130, 190),
}
"""Colour name -> RGB, 0-255."""

SHAPES: tuple[str, ...] = ("circle", "square", "triangle", "star", "cross", "ring", "heart", "arrow")
"""Names of the shapes that `draw` knows."""

OVERSAMPLING = 2
"""Shapes are drawn this many times larger and reduced, so that edges are smooth."""


@dataclass(frozen=True, slots=True)
class Combination:
    """A colour and a shape."""

    colour: str
    shape: str

    @property
    def caption(self) -> str:
        """The words for it, e.g. "a red circle"."""
        article = "an" if self.colour[0] in "aeiou" else "a"
        return f"{article} {self.colour} {self.shape}"


ALL: tuple[Combination, ...] = tuple(Combination(colour, shape) for colour in COLOURS for shape in SHAPES)
"""Every combination of a colour and a shape."""

HELD_OUT: tuple[Combination, ...] = tuple(
    Combination(colour, SHAPES[(row + step) % len(SHAPES)]) for row, colour in enumerate(COLOURS) for step in (0, 3)
)
"""Combinations that `tiny-shapes` never sees in training; two of each colour and two of each shape."""

TRAINED: tuple[Combination, ...] = tuple(pair for pair in ALL if pair not in HELD_OUT)
"""Combinations that `tiny-shapes` is trained on."""


@dataclass(frozen=True, slots=True)
class Look:
    """How one picture is drawn. Lengths are shares of the picture's shorter side, so any size looks alike."""

    background: tuple[int, int, int] = (120, 120, 120)
    """RGB, 0-255."""
    gradient: float = 0.0
    """Change of brightness from top to bottom, in levels of 255."""
    noise: float = 0.0
    """Standard deviation of the noise of the background, in levels of 255."""
    x: float = 0.0
    """Centre of the shape, measured to the right from the centre of the picture."""
    y: float = 0.0
    """Centre of the shape, measured downwards from the centre of the picture."""
    radius: float = 0.3
    rotation_rad: float = 0.0
    tint: tuple[int, int, int] = (0, 0, 0)
    """Added to the colour of the shape."""
    seed: int = 0
    """Seed of the noise."""

    def moved(self, x: float, y: float, seed: int) -> "Look":
        """Return the same look with the shape moved by (x, y) and other noise: the next frame of a scene."""
        return replace(self, x=self.x + x, y=self.y + y, seed=seed)


def random_look(rng: np.random.Generator) -> Look:
    """Return a look whose shape lies whole inside the centred square of any picture."""
    radius = float(rng.uniform(0.2, 0.42))
    room = 0.46 - radius
    grey = rng.uniform(0, 255)
    background = np.clip(grey + rng.uniform(-14, 14, 3), 0, 255)
    return Look(
        background=_rgb(background),
        gradient=float(rng.uniform(-50, 50)),
        noise=float(rng.choice([0.0, 4.0, 12.0])),
        x=float(rng.uniform(-room, room)),
        y=float(rng.uniform(-room, room)),
        radius=radius,
        rotation_rad=float(rng.uniform(-0.25, 0.25)),
        tint=_rgb(rng.uniform(-14, 14, 3)),
        seed=int(rng.integers(1 << 31)),
    )


def draw(pair: Combination, look: Look, *, width: int = 320, height: int = 240) -> NDArray[np.uint8]:
    """Return a picture of `pair` as uint8 (height, width, 3), RGB.

    Raises KeyError for a colour, ValueError for a shape that is not known.
    """
    picture = Image.fromarray(_background(look, width, height))
    side = min(width, height)
    ink = _rgb(np.clip(np.add(COLOURS[pair.colour], look.tint), 0, 255))
    mask = Image.new("L", (width * OVERSAMPLING, height * OVERSAMPLING), 0)
    centre = (
        (width / 2 + look.x * side) * OVERSAMPLING,
        (height / 2 + look.y * side) * OVERSAMPLING,
    )
    _stamp(ImageDraw.Draw(mask), pair.shape, centre, look.radius * side * OVERSAMPLING, look.rotation_rad)
    picture.paste(ink, mask=mask.resize((width, height), Image.Resampling.BOX))
    return np.asarray(picture).copy()


def _rgb(values: NDArray[np.float64]) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in values)
    return red, green, blue


def _background(look: Look, width: int, height: int) -> NDArray[np.uint8]:
    slope = np.linspace(-0.5, 0.5, height, dtype=np.float32) * look.gradient
    canvas = np.broadcast_to(np.asarray(look.background, np.float32), (height, width, 3)) + slope[:, None, None]
    if look.noise:
        rng = np.random.default_rng(look.seed)
        canvas = canvas + rng.standard_normal((height, width, 1), dtype=np.float32) * look.noise
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _stamp(
    pen: ImageDraw.ImageDraw, shape: str, centre: tuple[float, float], radius: float, rotation_rad: float
) -> None:
    if shape in ("circle", "ring"):
        _disc(pen, centre, radius, 255)
        if shape == "ring":
            _disc(pen, centre, radius * 0.6, 0)
        return
    cos, sin = math.cos(rotation_rad), math.sin(rotation_rad)
    pen.polygon(
        [
            (centre[0] + radius * (x * cos - y * sin), centre[1] + radius * (x * sin + y * cos))
            for x, y in outline(shape)
        ],
        fill=255,
    )


def _disc(pen: ImageDraw.ImageDraw, centre: tuple[float, float], radius: float, fill: int) -> None:
    x, y = centre
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def outline(shape: str) -> Sequence[tuple[float, float]]:
    """Return the corners of `shape` in the unit circle, y downwards. Raises ValueError if it has none."""
    if shape == "square":
        return _regular(4, [1.0], turn=math.pi / 4)
    if shape == "triangle":
        return _regular(3, [1.0])
    if shape == "star":
        return _regular(10, [1.0, 0.42])
    if shape == "cross":
        arm = 0.3
        quarter = [(-arm, -0.95), (arm, -0.95), (arm, -arm)]
        return [_turned(point, turn) for turn in range(4) for point in quarter]
    if shape == "heart":
        return [_heart(step * math.tau / 48) for step in range(48)]
    if shape == "arrow":
        return [(-0.95, -0.25), (0.1, -0.25), (0.1, -0.7), (0.95, 0), (0.1, 0.7), (0.1, 0.25), (-0.95, 0.25)]
    raise ValueError(f"no shape called {shape!r}; there are {', '.join(SHAPES)}")


def _regular(corners: int, radii: Sequence[float], turn: float = 0.0) -> list[tuple[float, float]]:
    points = []
    for corner in range(corners):
        angle = corner * math.tau / corners + turn - math.pi / 2
        radius = radii[corner % len(radii)]
        points.append((radius * math.cos(angle), radius * math.sin(angle)))
    return points


def _turned(point: tuple[float, float], quarters: int) -> tuple[float, float]:
    x, y = point
    for _ in range(quarters):
        x, y = -y, x
    return x, y


def _heart(angle: float) -> tuple[float, float]:
    """Return a point of the curve 16 sin^3 t, 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t (MathWorld, heart curve)."""
    x = 16 * math.sin(angle) ** 3
    y = 13 * math.cos(angle) - 5 * math.cos(2 * angle) - 2 * math.cos(3 * angle) - math.cos(4 * angle)
    return x / 17, -y / 17
