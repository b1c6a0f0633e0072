"""`vconsole templates`: the structure of each video, whole, up to date, and as the page in docs/ says."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import pytest
from analysis_make import KINDS, vconsole
from pydantic import BaseModel

from pipeline.analysis import template
from pipeline.analysis.template import Template

TWO = "two scenes.mp4.h5"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "templates.md"


def read(out: Path, name: str = TWO) -> dict[str, Any]:
    content = (out / "templates" / name.removesuffix(".h5")).with_suffix(".mp4.json").read_bytes()
    Template.model_validate_json(content)
    return dict(json.loads(content))


def add(file: h5py.File, group: str, rows: list[tuple[float, float, str]]) -> None:
    """Add a group as the format lays it out; one that is there gives way."""
    if group in file:
        del file[group]
    made = file.create_group(group)
    for column, values in zip(("start_s", "end_s", "text"), zip(*rows, strict=True), strict=True):
        kind = h5py.string_dtype() if column == "text" else "float64"
        made.create_dataset(column, data=list(values), dtype=kind)


def test_a_template_tells_scenes_lines_speech_and_frames(out: Path) -> None:
    with h5py.File(out / "features" / TWO, "r+") as file:
        add(file, "lines", [(0.0, 0.2, "flash"), (0.1, 1.1, "Chapter 1"), (1.0, 2.0, "over <b>the</b> cut")])
        add(file, "speech", [(0.1, 0.9, " hello "), (1.0, 1.9, "mostly later"), (2.3, 3.0, "after the picture")])
        file["speech"].attrs["language"] = "en"
    (summary,) = vconsole("templates", str(out))
    assert summary["made"] == summary["videos"] == len(list((out / "features").rglob("*.h5")))
    found = read(out)
    assert found["language"] == "en"
    assert [line["text"] for line in found["lines"]] == ["flash", "Chapter 1", "over <b>the</b> cut"]
    first, second = found["scenes"]
    assert first["end_s"] == second["start_s"] == pytest.approx(1.2, abs=0.1)
    assert [line["text"] for line in first["lines"]] == ["flash", "Chapter 1", "over <b>the</b> cut"]
    assert [line["text"] for line in second["lines"]] == ["over <b>the</b> cut"]
    assert [one["text"] for one in first["speech"]] == ["hello"]
    assert [one["text"] for one in second["speech"]] == ["mostly later", "after the picture"]
    for scene in found["scenes"]:
        assert scene["start_s"] <= scene["representative"]["time_s"] < scene["end_s"]
        assert scene["label"] is None


def test_a_group_that_is_not_there_is_not_looked_for(out: Path) -> None:
    vconsole("templates", str(out))
    found = read(out)
    assert (found["has_text"], found["has_speech"], found["lines"]) == (False, False, [])


def test_only_what_changed_is_made_again(out: Path) -> None:
    vconsole("templates", str(out))
    (summary,) = vconsole("templates", str(out))
    assert summary["made"] == 0
    torn = out / "templates" / "two scenes.mp4.json"
    torn.write_bytes(torn.read_bytes()[:50])
    (summary,) = vconsole("templates", str(out))
    assert summary["made"] == 1
    labels = [f"{colour} {shape}=a {colour} {shape}" for colour, shape in KINDS]
    vconsole("classify", str(out), "--labels", *labels, "--device", "cpu")
    (summary,) = vconsole("templates", str(out))
    assert summary["made"] == summary["videos"]
    assert [scene["label"]["name"] for scene in read(out)["scenes"]] == ["red circle", "blue star"]


def test_a_damaged_feature_file_is_told(out: Path) -> None:
    (out / "features" / TWO).write_bytes(b"no HDF5")
    (summary,) = vconsole("templates", str(out), code=1)
    assert summary["problems"] == 1
    assert not (out / "templates" / "two scenes.mp4.json").exists()


def test_the_page_and_the_schema_name_every_field() -> None:
    page = PAGE.read_text()
    models = [one for one in vars(template).values() if isinstance(one, type) and issubclass(one, BaseModel)]
    fields = {name for one in models for name in one.model_fields}
    assert {name for name in fields if f"`{name}`" not in page} == set()
    told = subprocess.run(
        [sys.executable, "-m", "vconsole", "templates", "--schema"], capture_output=True, check=True, timeout=60
    )
    assert set(Template.model_fields) == set(json.loads(told.stdout)["properties"])
