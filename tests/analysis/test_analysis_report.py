"""`vconsole analysis`: right figures, near-duplicates found, and nothing from outside that a reader would execute."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from analysis_make import EACH, KINDS, extract, vconsole
from test_analysis_templates import TWO, add

from pipeline.analysis.near import groups, near_duplicates
from pipeline.analysis.settings import AnalysisSettings
from pipeline.analysis.tally import Tally
from pipeline.analysis_report import Analysis

EVIL = "=cmd|'/c calc'!A1 <script>alert(1)</script> [x](javascript:y)"


def analysed(out: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    vconsole("analysis", str(out), *arguments, code=code)
    content = (out / "analysis.json").read_bytes()
    Analysis.model_validate_json(content)
    return dict(json.loads(content))


def test_figures_classes_texts_and_near_duplicates_are_told(out: Path) -> None:
    labels = [f"{colour} {shape}=a {colour} {shape}" for colour, shape in KINDS]
    vconsole("classify", str(out), "--labels", *labels, "--device", "cpu")
    # Another video with the very same pictures: its feature file, as a copy under a name of its own has it.
    shutil.copy(out / "features" / TWO, out / "features" / "copy.mp4.h5")
    with h5py.File(out / "features" / "copy.mp4.h5", "r+") as file:
        file.attrs["source_display"] = "copy.mp4"
        add(file, "lines", [(0.0, 1.0, "Breaking  NEWS"), (1.5, 2.0, "breaking news"), (0.0, 0.5, EVIL)])
        add(file, "speech", [(0.0, 1.0, "Hello hello and goodbye")])
        file["speech"].attrs["language"] = "en"
    found = analysed(out)
    assert found["videos"] == len(KINDS) * EACH + 2
    assert found["duration_s"]["max"] == pytest.approx(2.4, abs=0.1)
    assert found["cuts_per_min"]["max"] == pytest.approx(25, rel=0.1)
    assert sum(one["videos"] for one in found["durations"]) == found["videos"]
    assert found["durations"][-1]["high"] == found["duration_s"]["max"]
    counts = {one["name"]: one["videos"] for one in found["classes"]}
    assert {name: counts[name] for name in ("green square", "yellow heart")} == {"green square": 3, "yellow heart": 3}
    assert {one["name"]: one["scenes"] for one in found["classes"]}["red circle"] == EACH + 1
    lines = {one["text"]: (one["videos"], one["amount"]) for one in found["lines"]}
    assert lines["breaking news"] == (1, 1.5)
    assert [(one["text"], one["amount"]) for one in found["words"]] == [("hello", 2), ("goodbye", 1)]
    assert found["languages"] == {"en": 1}
    best = next(one for one in found["duplicates"] if {one["one"], one["other"]} == {"copy.mp4", "two scenes.mp4"})
    assert best["similarity"] == pytest.approx(1)
    assert best["hash_share"] == 1
    assert all(len({name.partition("/")[0] for name in group} - {"copy.mp4", "two scenes.mp4"}) <= 1
               for group in found["groups"])  # fmt: skip
    with open(out / "analysis.csv", newline="", encoding="utf-8") as file:
        rows = {row["source"]: row for row in csv.DictReader(file)}
    assert rows["copy.mp4"]["near_duplicates"] == rows["two scenes.mp4"]["near_duplicates"] != ""
    assert rows["blue star/0.mp4"]["class"] == "blue star"
    page, text = (out / "analysis.html").read_text(), (out / "analysis.md").read_text()
    assert "<script" not in page
    assert "javascript:y)" not in page.replace("](javascript:y)", "")
    assert 'href="javascript' not in page
    assert "<svg" in page
    assert "breaking news" in text


def test_names_and_labels_from_outside_are_harmless(out: Path) -> None:
    with h5py.File(out / "features" / TWO, "r+") as file:
        file.attrs["source_display"] = EVIL
    analysed(out)
    with open(out / "analysis.csv", newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert f"'{EVIL}" in cells
    assert not [cell for cell in cells if cell.startswith("=")]


def test_a_damaged_file_is_told_and_the_rest_is_analysed(out: Path) -> None:
    (out / "features" / TWO).write_bytes(b"no HDF5")
    found = analysed(out, code=1)
    assert [one["features"] for one in found["problems"]] == [TWO]
    assert found["videos"] == len(KINDS) * EACH
    assert found["classes"] == []


def test_a_run_is_analysed_by_its_number(tmp_path: Path, extracted: Path) -> None:
    videos = extracted.parent / "videos"
    extract(videos / "blue star", tmp_path / "out")
    extract(videos / "two scenes.mp4", tmp_path / "out")
    (summary,) = vconsole("analysis", "--run", "1")
    assert summary["videos"] == EACH
    (summary,) = vconsole("analysis", "--run", "2")
    assert summary["videos"] == 1
    (summary,) = vconsole("analysis", "--run", "9", code=2)
    assert "no extract run 9" in summary["error"]


def unit(rows: Any) -> Any:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_videos_of_black_pictures_are_no_copies_of_each_other() -> None:
    vectors = unit(np.ones((3, 16)))
    black, seen = np.zeros(2, np.uint64), np.array([0, 0x0F0F_F0F0_1234_5678], np.uint64)
    found = near_duplicates(vectors, [black, black, seen], AnalysisSettings())
    assert not found.pairs
    found = near_duplicates(vectors, [seen, black, seen], AnalysisSettings())
    assert [(pair.one, pair.other) for pair in found.pairs] == [(0, 2)]


def test_near_duplicates_are_those_that_comparing_all_with_all_finds() -> None:
    rng = np.random.default_rng(4)
    vectors = unit(rng.normal(size=(60, 16)))
    for one, other, noise in ((3, 50, 0.01), (3, 7, 0.05), (20, 21, 0.02)):
        vectors[other] = vectors[one] + noise * rng.normal(size=16)
    vectors = unit(vectors)
    hashes = [rng.integers(0, 2**64, 8, dtype=np.uint64) for _ in range(60)]
    settings = AnalysisSettings(min_similarity=0.95)
    found = near_duplicates(vectors, hashes, settings)
    cosines = np.triu(vectors @ vectors.T, 1)
    assert {(pair.one, pair.other) for pair in found.pairs} == set(
        zip(*map(list, np.nonzero(cosines >= 0.95)), strict=True)
    )
    assert found.complete
    assert [3, 7, 50] in groups(found.pairs)


def test_hashes_find_what_has_no_vectors() -> None:
    rng = np.random.default_rng(5)
    hashes = [rng.integers(0, 2**64, 8, dtype=np.uint64) for _ in range(40)]
    flipped = np.array([1 << int(bit) for bit in rng.integers(0, 64, 4)], np.uint64)
    hashes[31] = np.concatenate([hashes[4][:6] ^ np.bitwise_xor.reduce(flipped), hashes[9][:2]])
    hashes[9] = np.concatenate([hashes[9], np.zeros(1, np.uint64)])
    hashes[12] = np.zeros(3, np.uint64)  # nothing but empty pictures
    found = near_duplicates(np.zeros((40, 1), np.float32), hashes, AnalysisSettings())
    assert [(pair.one, pair.other, pair.similarity, pair.hash_share) for pair in found.pairs] == [(4, 31, None, 0.75)]


def test_pairs_are_bounded_and_the_most_alike_stay() -> None:
    rng = np.random.default_rng(6)
    vectors = unit(np.ones((50, 8)) + 0.02 * rng.normal(size=(50, 8)))
    empty = [np.empty(0, np.uint64)] * 50
    found = near_duplicates(vectors, empty, AnalysisSettings(max_pairs=10))
    every = np.sort((vectors @ vectors.T)[np.triu_indices(50, 1)])[::-1]
    assert not found.complete
    assert [pair.similarity for pair in found.pairs] == pytest.approx(every[:10].tolist(), abs=1e-6)


def test_a_tally_keeps_the_frequent_in_bounded_memory() -> None:
    tally = Tally(most=100)
    for number in range(2000):
        tally.add({"frequent": 1.0, f"rare {number}": 1.0})
    first = tally.most_frequent(1)[0]
    assert (first.text, first.videos) == ("frequent", 2000)
    assert len(tally.most_frequent(1000)) <= 101
