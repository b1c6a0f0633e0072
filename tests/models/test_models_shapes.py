"""The pictures of shapes and the script that trains on them are reproducible, and held-out means held out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.media.shapes import ALL, COLOURS, HELD_OUT, SHAPES, TRAINED, Combination, Look, draw, outline, random_look


def test_equal_seeds_draw_equal_pictures() -> None:
    first, second = (draw(ALL[5], random_look(np.random.default_rng(4))) for _ in range(2))
    assert first.shape == (240, 320, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)


def test_every_combination_shows_its_colour_in_the_centred_square() -> None:
    rng = np.random.default_rng(1)
    for pair in ALL:
        look = random_look(rng)
        picture = draw(pair, look, width=160, height=120).astype(int)
        ink = np.clip(np.add(COLOURS[pair.colour], look.tint), 0, 255)
        inside = np.abs(picture - ink).max(axis=2) == 0
        assert inside.sum() > 100
        assert not inside[:, :20].any()
        assert not inside[:, 140:].any()


def test_the_shapes_differ() -> None:
    pictures = {draw(Combination("red", shape), Look()).tobytes() for shape in SHAPES}
    assert len(pictures) == len(SHAPES)


def test_held_out_combinations_are_not_trained_but_their_words_are() -> None:
    assert not set(HELD_OUT) & set(TRAINED)
    assert set(HELD_OUT) | set(TRAINED) == set(ALL)
    assert len(HELD_OUT) == 16
    assert {pair.colour for pair in TRAINED} == {pair.colour for pair in HELD_OUT} == set(COLOURS)
    assert {pair.shape for pair in TRAINED} == {pair.shape for pair in HELD_OUT} == set(SHAPES)


def test_captions_are_english() -> None:
    assert Combination("red", "circle").caption == "a red circle"
    assert Combination("orange", "star").caption == "an orange star"


def test_an_unknown_shape_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="heart"):
        outline("dodecahedron")


def test_training_again_gives_the_same_weights(tmp_path: Path, open_clip: Any) -> None:
    import torch

    from pipeline.models.tiny_shapes.train import Trainer, save

    for name in ("a", "b"):
        torch.manual_seed(1)
        trainer = Trainer(seed=1, steps=1)
        trainer.run()
        save(trainer.model, tmp_path / name, trainer.tokens_seen)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
