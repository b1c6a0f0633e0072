"""Text of pictures becomes lines over time; a picture whose text areas look the same is known as such."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from pipeline.reading.areas import TextAreas
from pipeline.reading.engines import Box, Piece
from pipeline.reading.merge import LineMerger

LOW: Box = (0.1, 0.8, 0.5, 0.9)
HIGH: Box = (0.1, 0.1, 0.5, 0.2)


def merged(*pictures: tuple[float, list[Piece]], end_s: float = 10.0) -> list[tuple[float, float, str]]:
    merger = LineMerger()
    for time_s, pieces in pictures:
        merger.add(time_s, pieces)
    return [(line.start_s, line.end_s, line.text) for line in merger.finish(end_s)]


def piece(text: str, box: Box = LOW, confidence: float = 0.9) -> Piece:
    return Piece(text, confidence, box)


def test_a_line_lasts_from_its_first_picture_to_the_first_one_without_it() -> None:
    found = merged((1, []), (2, [piece("hello")]), (3, [piece("hello")]), (4, []), (5, []))
    assert found == [(2, 4, "hello")]


def test_a_line_still_there_lasts_to_the_end_and_two_stand_beside_each_other() -> None:
    found = merged((0, [piece("news", HIGH)]), (1, [piece("news", HIGH), piece("hello")]))
    assert found == [(0, 10, "news"), (1, 10, "hello")]


def test_one_picture_in_which_a_line_was_not_read_does_not_break_it_and_two_do() -> None:
    assert merged((0, [piece("hello")]), (1, []), (2, [piece("hello")])) == [(0, 10, "hello")]
    pictures = [(0.0, [piece("hello")]), (1.0, []), (2.0, []), (3.0, [piece("hello")])]
    assert merged(*pictures) == [(0, 1, "hello"), (3, 10, "hello")]


def test_like_readings_in_one_place_are_one_line_in_its_surest_reading() -> None:
    found = merged((0, [piece("he1lo world", confidence=0.6)]), (1, [piece("hello world", confidence=0.99)]))
    assert found == [(0, 10, "hello world")]


def test_another_text_in_the_same_place_is_another_line_and_a_text_that_moves_is_not() -> None:
    assert merged((0, [piece("hello")]), (1, [piece("goodbye")])) == [(0, 1, "hello"), (1, 10, "goodbye")]
    assert merged((0, [piece("hello", LOW)]), (1, [piece("hello", HIGH)])) == [(0, 10, "hello")]


def test_a_picture_like_the_one_before_ends_what_that_one_did_not_show() -> None:
    merger = LineMerger()
    merger.add(0, [piece("hello")])
    merger.add(1, [])
    merger.again()
    merger.add(3, [piece("hello")])
    assert [(line.start_s, line.end_s) for line in merger.finish(5)] == [(0, 1), (3, 5)]


def picture(text: str, shift: int = 0, noise: int = 0) -> np.ndarray:
    """A caption over a soft ground that moves by `shift`, with `noise` as a codec leaves it."""
    down, across = np.mgrid[:360, :640]
    ground = np.abs((across // 3 + down // 2 + shift) % 200 - 100).astype(np.uint8)
    drawn = Image.fromarray(ground)
    ImageDraw.Draw(drawn).text((40, 300), text, font=ImageFont.load_default(24), fill=255, stroke_width=2)
    spread = np.random.default_rng(shift).integers(-noise, noise + 1, ground.shape)
    return np.clip(np.asarray(drawn).astype(int) + spread, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("noise", [0, 6])
def test_a_caption_over_a_moving_ground_has_not_changed(noise: int) -> None:
    areas = TextAreas()
    assert areas.changed(picture("The quick brown fox"))
    assert not any(areas.changed(picture("The quick brown fox", shift, noise)) for shift in (10, 20, 30))


@pytest.mark.parametrize("text", ["", "The quick brown fix", "The quick brown fox 1", "A number: 42"])
def test_another_caption_has_changed(text: str) -> None:
    areas = TextAreas()
    areas.changed(picture("The quick brown fox"))
    assert areas.changed(picture(text, 10, 6))


def test_a_picture_of_another_size_has_changed_and_a_tiny_one_has_nothing_to_compare() -> None:
    areas = TextAreas()
    areas.changed(picture("hello"))
    assert areas.changed(picture("hello")[:200])
    tiny = TextAreas()
    assert tiny.changed(np.zeros((4, 4), np.uint8))
    assert not tiny.changed(np.zeros((4, 4), np.uint8))
