"""Fixtures of the engine's tests."""

from pathlib import Path

import pytest
from engine_harness import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A folder of inputs, an output folder and a state folder."""
    return Bench(tmp_path)
