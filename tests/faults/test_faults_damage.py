"""Outputs that were cut, flipped, replaced or removed behind our back are found, each time, and done again."""

import random
from pathlib import Path

import pytest
from damage_harness import Archive, Vandal, round_of

SEED = 3


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return Archive(tmp_path_factory.mktemp("archive"), videos=6)


def test_any_damage_is_found_and_done_again_and_what_is_whole_is_left_alone(archive: Archive) -> None:
    chance = random.Random(SEED)
    vandal = Vandal(archive, chance)
    done = 0
    while done < 30:
        count, wrong = round_of(archive, vandal, 8)
        assert wrong == [], f"seed {SEED}, after {done} damages"
        done += count
    assert archive.verify()[0] == 0
