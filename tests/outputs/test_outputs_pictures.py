"""Saved pictures of a video are all there or not at all, and a second run leaves none of the first."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.outputs.pictures import saved_pictures

PICTURE = np.full((8, 12, 3), (250, 10, 10), np.uint8)


@pytest.mark.parametrize(("kind", "extension"), [("jpeg", "jpg"), ("webp", "webp")])
def test_only_pictures_that_were_kept_are_left(tmp_path: Path, kind: str, extension: str) -> None:
    folder = tmp_path / "frames" / "a.mp4"
    with saved_pictures(os.fsencode(folder), kind, 90) as pictures:
        for index in (3, 17, 1_000_000):
            pictures.add(index, PICTURE)
        pictures.keep_only({3, 1_000_000})
    assert sorted(path.name for path in folder.iterdir()) == [f"000003.{extension}", f"1000000.{extension}"]
    with Image.open(folder / f"000003.{extension}") as image:
        assert image.size == (12, 8)
        assert image.getpixel((5, 5))[0] > 200 > 60 > image.getpixel((5, 5))[2]


def test_a_second_run_leaves_no_stale_pictures(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "frames" / "a.mp4")
    with saved_pictures(folder, "jpeg", 90) as pictures:
        pictures.add(1, PICTURE)
    with saved_pictures(folder, "webp", 90) as pictures:
        pictures.add(2, PICTURE)
    assert os.listdir(folder) == [b"000002.webp"]
    with saved_pictures(folder, "none", 90) as pictures:
        assert pictures is None
    assert not Path(os.fsdecode(folder)).exists()


def test_a_job_that_fails_keeps_the_pictures_there_were(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "frames" / "a.mp4")
    with saved_pictures(folder, "jpeg", 90) as pictures:
        pictures.add(1, PICTURE)
    with pytest.raises(ValueError, match="half way"), saved_pictures(folder, "jpeg", 90) as pictures:
        pictures.add(2, PICTURE)
        raise ValueError("half way")
    assert os.listdir(folder) == [b"000001.jpg"]
    assert os.listdir(os.path.dirname(folder)) == [b"a.mp4"]
