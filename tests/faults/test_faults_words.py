"""A kill -9 while text is read or speech is heard, of the worker, the model host or all at once: the run that goes on
gives what an undisturbed one gives."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compare import differences
from engine_harness import nothing_left
from kills import PROGRAMS, Run, kill_group, kill_one

sys.path.extend(str(Path(__file__).resolve().parents[1] / name) for name in ("reading", "hearing"))

from captioned import Caption, captioned
from sound_make import make_video, silence, speech
from whisper_make import make_checkpoint

RECORDINGS = "speech/NVIDIA+DALI_extra/db/audio/flac"
ENGINE = {"workers": 1, "settle_s": 0, "retry_pause_s": 0.05, "nice": 0}
BARE: dict[str, Any] = {"engine": ENGINE, "embed": {"enabled": False}, "host": {"device": "cpu", "threads": 2}}
TEXT = {"enabled": True, "interval_s": 0.12, "unchanged": False, "longest_px": 320}


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    with nothing_left():
        yield


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with two videos of which many pictures are read and an undisturbed run over them, and its options."""
    folder = tmp_path_factory.mktemp("reading")
    (folder / "in").mkdir()
    for number in range(2):
        captions = [Caption(0, 2, f"Number {number} of two", 60), Caption(1, 3, "The quick brown fox", 140)]
        captioned(folder / "in" / f"{number}.mp4", captions, seconds=3, size=(320, 180), rate=25, text_px=20)
    return folder, calm(folder, {**BARE, "text": TEXT})


@pytest.fixture(scope="module")
def hearing(tmp_path_factory: pytest.TempPathFactory, shared_media: Path) -> tuple[Path, dict[str, Any]]:
    """The same of two videos in which somebody speaks, transcribed by a random checkpoint."""
    folder = tmp_path_factory.mktemp("hearing")
    (folder / "in").mkdir()
    for number, name in enumerate(("237-134500-0000.flac", "237-134500-0018.flac")):
        said = speech(shared_media / RECORDINGS / name)
        make_video(folder / "in" / f"{number}.mp4", [np.concatenate([said, silence(3)] * 4)])
    path = make_checkpoint(folder / "mine.pt")
    models = {"mine": {"family": "whisper", "architecture": "mine", "path": str(path)}}
    return folder, calm(folder, {**BARE, "models": models, "speech": {"enabled": True, "model": "mine"}})


def calm(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Carry out an undisturbed run, and return its options."""
    run = Run(folder, folder / "in", options=options)
    run.finish(run.start())
    assert run.counts() == {"done": 2}
    return options


@pytest.mark.parametrize("victim", ["group", "worker", "host"])
@pytest.mark.parametrize("stage", ["text", "speech"])
def test_a_kill_in_the_midst_of_it_changes_nothing(
    tmp_path: Path, request: pytest.FixtureRequest, stage: str, victim: str
) -> None:
    undisturbed, options = request.getfixturevalue({"text": "reading", "speech": "hearing"}[stage])
    run = Run(tmp_path, undisturbed / "in", options=options)
    process = run.start("--at", stage)
    assert process.stdout
    assert process.stdout.readline() == f"at {stage}\n"
    assert run.open_jobs() > 0
    if victim == "group":
        kill_group(process)
        process = run.start()
    else:
        assert kill_one(process, PROGRAMS[victim], random.Random(1))
    run.finish(process)
    assert list(run.violations()) == []
    assert run.counts() == {"done": 2}
    assert differences(undisturbed / "out" / "features", run.out / "features") == []
