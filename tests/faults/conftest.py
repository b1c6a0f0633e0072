"""Fixtures of the fault tests: the engine's harness, and the oracle after each."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "media"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "torture"))

from engine_harness import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A folder of inputs, an output folder and a state folder; the oracle is asked at the end."""
    made = Bench(tmp_path)
    yield made
    made.oracle()
