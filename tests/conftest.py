"""Fixtures shared by all tests; they keep a developer's own configuration and state out of every test."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from pipeline.engine import Engine

SHARED_MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"


settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
# A job in the background of a shell is started to ignore these, and what it starts takes that over.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
# Several tests share the cores: threads of torch that wait by spinning take them from each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Many tests start programs: what these import is compiled once, not by each of them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(autouse=True)
def _private_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("VCONSOLE_", "VP_", "XDG_")) or name in {
            "PIPELINE_MAX_PARALLEL_JOBS",
            "CUDA_MEMORY_FRACTION",
        }:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("VCONSOLE_STATE_DIR", str(home / "state"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """Real media that no one here made; tests that need it skip where it is absent."""
    if not SHARED_MEDIA.is_dir():
        pytest.skip(f"no shared media at {SHARED_MEDIA}")
    return SHARED_MEDIA


@pytest.fixture
def state() -> Path:
    """The folder of the ledger, which is the test's own."""
    return Path(os.environ["VCONSOLE_STATE_DIR"])


@pytest.fixture
def engine(state: Path) -> "Iterator[Engine]":
    """An engine that runs, with the settings as they are by themselves."""
    from pipeline.engine import Engine
    from pipeline.settings import Settings

    made = Engine(Settings(), state_dir=state)
    made.start()
    yield made
    made.close(now=True)
