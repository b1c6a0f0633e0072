"""Workers and a video for the tests of this folder."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from worker_harness import Engine, make_video


@pytest.fixture
def start_engine(tmp_path: Path) -> Iterator[Callable[[], Engine]]:
    """Return a function that starts a worker writing to `tmp_path/out`; whatever is started is killed at the end."""
    engines: list[Engine] = []

    def start() -> Engine:
        engines.append(Engine(tmp_path / "out", tmp_path / f"worker-{len(engines)}.log"))
        return engines[-1]

    yield start
    for engine in engines:
        engine.kill()


@pytest.fixture
def engine(start_engine: Callable[[], Engine]) -> Engine:
    """A worker that is ready."""
    return start_engine()


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes of one second each; read only."""
    return make_video(tmp_path_factory.mktemp("video") / "three.mp4")
