"""Fixtures of the engine's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_harness import Bench, nothing_left


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A folder of inputs, an output folder and a state folder; no process outlives the test."""
    with nothing_left():
        yield Bench(tmp_path)
