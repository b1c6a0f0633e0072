"""Videos of coloured shapes, really extracted, for tests of what is made of their feature files."""

import os
import shutil
from pathlib import Path

import pytest
from analysis_make import EACH, KINDS, extract

from pipeline.media.samples import Recipe, make_video


@pytest.fixture(scope="session")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder: three videos of each kind in a folder of its name, and one video of two scenes. Read only."""
    folder = tmp_path_factory.mktemp("shapes")
    for colour, shape in KINDS:
        for number in range(EACH):
            name = f"{colour} {shape}/{number}.mp4"
            make_video(
                folder / "videos", Recipe(name, ((colour, shape),), width=160 + 16 * number, height=120, seconds=0.6)
            )
    two = Recipe("two scenes.mp4", (("red", "circle"), ("blue", "star")), width=160, height=120, seconds=1.2)
    make_video(folder / "videos", two)
    before = os.environ.get("VCONSOLE_STATE_DIR")
    os.environ["VCONSOLE_STATE_DIR"] = str(folder / "state")
    try:
        extract(folder / "videos", folder / "out")
    finally:
        if before is None:
            del os.environ["VCONSOLE_STATE_DIR"]
        else:
            os.environ["VCONSOLE_STATE_DIR"] = before
    return folder / "out"


@pytest.fixture
def out(extracted: Path, tmp_path: Path) -> Path:
    """A copy of the output folder that a test may change."""
    return Path(shutil.copytree(extracted, tmp_path / "out"))
