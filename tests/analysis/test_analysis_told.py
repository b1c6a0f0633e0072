"""The classes of stored videos where they are shown: in the rows of a snapshot and in what is known of one video."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from analysis_make import extract, vconsole
from waiting import until

from pipeline.analysis.told import class_facts, read_labels
from pipeline.commands import OpenRun
from pipeline.engine import Engine
from pipeline.job_reader import read_job
from pipeline.media.samples import Recipe, make_video
from pipeline.settings import Settings

WORDS = ["red=a red circle", "blue=a blue star"]


@pytest.fixture(scope="module")
def extraction(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an extraction of three videos, one of them of two scenes, and the ledger that knows it."""
    folder = tmp_path_factory.mktemp("told")
    red, blue = ("red", "circle"), ("blue", "star")
    for name, looks in (("a.mp4", (red,)), ("b/[b].mp4", (blue,)), ("two.mp4", (red, blue))):
        make_video(folder / "videos", Recipe(name, looks, width=160, height=120, seconds=0.6 * len(looks)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VCONSOLE_STATE_DIR", str(folder / "state"))
        extract(folder / "videos", folder / "out")
    shutil.copytree(folder / "out", folder / "whole")
    return folder


@pytest.fixture
def folder(extraction: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, with nothing classified yet."""
    monkeypatch.setenv("VCONSOLE_STATE_DIR", str(extraction / "state"))
    shutil.rmtree(extraction / "out")
    shutil.copytree(extraction / "whole", extraction / "out")
    return extraction


@pytest.fixture
def labels(folder: Path) -> Iterator[Callable[[], dict[str, str]]]:
    """What the rows of a snapshot say of the classes of the videos, of an engine that shows the extraction."""
    engine = Engine(Settings(), state_dir=folder / "state")
    engine.start()
    engine.send(OpenRun(1))
    try:
        yield lambda: {row.name: row.label for row in engine.latest().jobs}
    finally:
        engine.close()


def classify(folder: Path, *words: str) -> None:
    vconsole("classify", str(folder / "out"), "--labels", *words, "--device", "cpu")


def test_the_rows_of_a_run_tell_the_classes_as_they_are_now(folder: Path, labels: Callable[[], dict[str, str]]) -> None:
    none = {"a.mp4": "", "b/[b].mp4": "", "two.mp4": ""}
    until(lambda: labels() == none)
    classify(folder, *WORDS)
    until(lambda: labels() | {"two.mp4": ""} == {"a.mp4": "red", "b/[b].mp4": "blue", "two.mp4": ""})
    classify(folder, "warm=a red circle", "cold=a blue star")
    until(lambda: labels()["a.mp4"] == "warm" and labels()["b/[b].mp4"] == "cold")
    (folder / "out" / "classes.jsonl").unlink()
    until(lambda: labels() == none)


def test_what_is_known_of_a_video_tells_its_classes_and_those_of_its_scenes(folder: Path) -> None:
    assert [read_job(folder / "state", number).classes for number in (1, 2, 3)] == [None] * 3
    classify(folder, *WORDS)
    found = {facts.name: facts.classes for facts in (read_job(folder / "state", number) for number in (1, 2, 3))}
    one, two = found["a.mp4"], found["two.mp4"]
    assert one is not None
    assert two is not None
    assert (one.label, one.method, one.model) == ("red", "words", "tiny-shapes")
    assert [share.name for share in one.shares] == ["red", "blue"]
    assert sum(share.probability for share in one.shares) == pytest.approx(1, abs=0.001)
    assert [scene.label for scene in two.scenes] == ["red", "blue"]


def test_another_feature_file_has_no_class(folder: Path) -> None:
    classify(folder, *WORDS)
    out = os.fsencode(folder / "out")
    assert read_labels(out)[b"features/a.mp4.h5"] == "red"
    os.utime(folder / "out" / "features" / "a.mp4.h5", ns=(1, 1))
    assert b"features/a.mp4.h5" not in read_labels(out)
    assert class_facts(out, b"a.mp4") is None
    assert class_facts(out, b"b/[b].mp4") is not None


def test_damaged_classes_are_named_and_no_class_of_a_video_comes_of_them(folder: Path) -> None:
    (folder / "out" / "classes.jsonl").write_text("{}\n")
    with pytest.raises(ValueError, match="cannot be read"):
        read_labels(os.fsencode(folder / "out"))
    assert class_facts(os.fsencode(folder / "out"), b"a.mp4") is None
