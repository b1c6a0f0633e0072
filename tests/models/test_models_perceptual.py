"""The perceptual descriptor: its parts equal a plain reading of their definitions, and near-duplicates are near."""

import io
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from pipeline.media.shapes import ALL, draw, random_look
from pipeline.models.client import HostClient, prepare
from pipeline.models.families.perceptual import (
    DIM,
    PerceptualModel,
    colour_layout,
    dct,
    edge_histogram,
    low_frequencies,
)

Picture = NDArray[np.uint8]


@pytest.fixture
def pictures() -> list[Picture]:
    """Drawn shapes, as unlike each other as their kinds."""
    rng = np.random.default_rng(4)
    return [draw(pair, random_look(rng), width=320, height=200) for pair in ALL[:24]]


def described(pictures: list[Picture]) -> NDArray[np.float32]:
    model = PerceptualModel("perceptual")
    return model.encode_pictures([prepare(picture, model.spec) for picture in pictures])


def luma_of(picture: Picture) -> NDArray[np.float64]:
    small = prepare(picture, PerceptualModel("perceptual").spec).astype(np.float64)
    return small @ np.array([0.299, 0.587, 0.114])


def test_vectors_are_of_length_one_and_equal_on_every_call(pictures: list[Picture]) -> None:
    vectors = described(pictures)
    assert vectors.shape == (24, DIM)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert np.array_equal(vectors[7], described([pictures[7]])[0]), "whatever batch it is in"


def test_the_transform_is_that_of_opencv() -> None:
    values = np.random.default_rng(1).normal(size=(3, 8, 8))
    for ours, one in zip(dct(values), values, strict=True):
        np.testing.assert_allclose(ours, cv2.dct(one), atol=1e-9)


def test_the_colour_layout_is_that_of_the_definition(pictures: list[Picture]) -> None:
    small = prepare(pictures[0], PerceptualModel("perceptual").spec)
    cells = np.asarray(
        [[small[y : y + 16, x : x + 16].mean((0, 1)) for x in range(0, 128, 16)] for y in range(0, 128, 16)]
    )
    red, green, blue = cells[..., 0], cells[..., 1], cells[..., 2]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    channels = [luma - 128, (blue - luma) / 1.772, (red - luma) / 1.402]
    zigzag = [(0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2)]
    expected = [cv2.dct(channel)[place] for channel, n in zip(channels, (6, 3, 3), strict=True) for place in zigzag[:n]]
    turn = np.array([[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]])
    np.testing.assert_allclose(colour_layout(small[None] @ turn.T)[0], expected, atol=1e-4)


def test_the_edge_histogram_is_that_of_the_definition(pictures: list[Picture]) -> None:
    luma, root = luma_of(pictures[3]), math.sqrt(2)
    filters = [(1, -1, 1, -1), (1, 1, -1, -1), (root, 0, 0, -root), (0, root, -root, 0), (2, -2, -2, 2)]
    expected = np.zeros((4, 4, 5))
    for y in range(0, 128, 4):
        for x in range(0, 128, 4):
            quarters = [luma[y + b : y + b + 2, x + a : x + a + 2].mean() for b in (0, 2) for a in (0, 2)]
            strengths = [round(abs(float(np.dot(quarters, one))), 6) for one in filters]
            if max(strengths) >= 11:
                expected[y // 32, x // 32, strengths.index(max(strengths))] += 1 / 64
    np.testing.assert_allclose(edge_histogram(luma[None])[0], expected.ravel(), atol=1e-9)
    assert expected.sum() > 0


def test_the_cosine_of_low_frequencies_is_the_hamming_distance_of_the_hashes(pictures: list[Picture]) -> None:
    lumas = [luma_of(picture) for picture in pictures[:2]]
    hashes = []
    for luma in lumas:
        low = cv2.dct(cv2.resize(luma, (32, 32), interpolation=cv2.INTER_AREA))[1:9, 1:9]
        hashes.append(low > np.median(low))
    signs = low_frequencies(np.stack(lumas))
    distance = int((hashes[0] != hashes[1]).sum())
    assert signs[0] @ signs[1] / 64 == pytest.approx(1 - 2 * distance / 64)


def changed(picture: Picture) -> list[Picture]:
    """The picture as a poor JPEG, at half the size, brighter, and with a thin border cut off."""
    image, buffer = Image.fromarray(picture), io.BytesIO()
    image.save(buffer, "JPEG", quality=25)
    smaller = image.resize((image.width // 2, image.height // 2))
    cut = image.crop((4, 3, image.width - 4, image.height - 3))
    return [np.asarray(one) for one in (Image.open(buffer), smaller, ImageEnhance.Brightness(image).enhance(1.1), cut)]


def test_near_duplicates_are_nearer_than_any_other_picture(pictures: list[Picture]) -> None:
    vectors, found = described(pictures), []
    for place, picture in enumerate(pictures):
        near = described(changed(picture)) @ vectors.T
        assert (near.argmax(axis=1) == place).all()
        found += near[:, place].tolist()
    assert np.median(found) > 0.9


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_plain_picture_has_a_vector_too(level: int) -> None:
    vector = described([np.full((50, 90, 3), level, np.uint8)])[0]
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1)


def test_it_comes_through_the_host_as_it_is(
    pictures: list[Picture], connect: Callable[..., HostClient], host: Any
) -> None:
    client = connect(host.socket_path)
    spec = client.spec("perceptual")
    for tag, picture in enumerate(pictures):
        client.submit("perceptual", tag, prepare(picture, spec))
    rows = client.collect()
    assert np.array_equal(np.stack([rows["perceptual", tag] for tag in range(24)]), described(pictures))


def test_it_needs_no_torch() -> None:
    code = (
        "import sys, numpy; from pipeline.models.load import load; from pipeline.settings import MODELS; "
        "from pipeline.sections import HostSettings; "
        "model = load('p', MODELS['perceptual'], HostSettings(device='cuda:7'), print); "
        "model.encode_pictures([numpy.zeros((128, 128, 3), numpy.uint8)]); "
        "print(sorted({'torch', 'timm', 'open_clip', 'cv2'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
