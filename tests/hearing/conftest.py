"""A random checkpoint, a model host that serves it, and sounds to listen to."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sound_make import speech
from whisper_make import make_checkpoint

from pipeline.models.standalone import StandaloneHost, standalone_host
from pipeline.sections import HostSettings, ModelSettings

RECORDINGS = Path(__file__).parents[3] / "shared/media/speech/NVIDIA+DALI_extra/db/audio/flac"


@pytest.fixture(scope="session")
def mine(tmp_path_factory: pytest.TempPathFactory) -> ModelSettings:
    """A model of speech with random weights."""
    path = make_checkpoint(tmp_path_factory.mktemp("whisper") / "mine.pt")
    return ModelSettings(family="whisper", architecture="mine", path=str(path))


@pytest.fixture(scope="session")
def host(mine: ModelSettings) -> Iterator[StandaloneHost]:
    with standalone_host(HostSettings(device="cpu", threads=1), {"mine": mine}, nice=0) as host:
        yield host


@pytest.fixture(scope="session")
def said() -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Two sentences, without silence around them."""
    paths = [RECORDINGS / name for name in ("237-134500-0000.flac", "237-134500-0018.flac")]
    if not all(os.path.exists(path) for path in paths):
        pytest.skip("needs ../shared/media")
    one, two = map(speech, paths)
    return one, two
