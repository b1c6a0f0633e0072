"""Fixtures of the transcode tests: the engine's harness over inputs of their own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "media"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

from engine_harness import Bench, nothing_left


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A folder of inputs, an output folder and a state folder; no process outlives the test."""
    with nothing_left():
        yield Bench(tmp_path)
