"""Fixtures of the fault tests: the engine's harness, and the oracle after each."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "media"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "torture"))

from engine_harness import Bench, nothing_left


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A folder of inputs, an output and a state folder; in the end the oracle is asked, and no process is left."""
    made = Bench(tmp_path)
    with nothing_left():
        yield made
    made.oracle()
