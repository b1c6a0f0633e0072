"""The words in which a worker tells how a job ended."""

import pytest

from pipeline.outcome import loss_sentence


@pytest.mark.parametrize(
    ("seconds", "frames", "told"),
    [
        (2.5, 60, "2.5 s (60 frames) could not be read"),
        (1.0, 0, "1.0 s could not be read"),
        (0.0, 1, "1 frame could not be read"),
    ],
)
def test_a_loss_is_told_in_what_is_known_of_it(seconds: float, frames: int, told: str) -> None:
    assert loss_sentence(seconds, frames) == told
