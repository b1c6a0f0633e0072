"""Workers and a video for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from worker_harness import Engine, make_video


class Pool:
    """Keeps one worker for test after test, since starting one costs a second; a busy or dead one is replaced."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._engines: list[Engine] = []

    def idle(self) -> Engine:
        if not self._engines or self._engines[-1].under_way or self._engines[-1].process.poll() is not None:
            self._engines.append(Engine(self._folder, self._folder / f"worker-{len(self._engines)}.log"))
        return self._engines[-1]

    def close(self) -> None:
        for engine in self._engines:
            engine.kill()


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    pool = Pool(tmp_path_factory.mktemp("workers"))
    yield pool
    pool.close()


@pytest.fixture
def engine(pool: Pool, tmp_path: Path) -> Engine:
    """A worker that is ready, writing to `tmp_path/out`."""
    engine = pool.idle()
    engine.out = tmp_path / "out"
    return engine


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes of one second each; read only."""
    return make_video(tmp_path_factory.mktemp("video") / "three.mp4")


@pytest.fixture(scope="session")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long enough to be caught in the midst of it; read only."""
    folder = tmp_path_factory.mktemp("long")
    return make_video(folder / "long.mp4", scenes=20, frames_per_scene=50, width=320, height=240)
