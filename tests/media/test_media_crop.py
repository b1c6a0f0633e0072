"""Black borders are found; darkness is not a border."""

import os
from pathlib import Path

import numpy as np
import pytest
from media_make import Pixels, textured, write_video
from media_run import run_sweep

from pipeline.stage_sections import CropSettings, ProbeSettings
from pipeline.stages.crop import find_crop
from pipeline.stages.probe import probe

Box = tuple[int, int, int, int]


def boxed(picture: Pixels, top: int, bottom: int, left: int = 0, right: int = 0) -> Pixels:
    framed = np.zeros_like(picture)
    height, width = picture.shape[:2]
    framed[top : height - bottom, left : width - right] = picture[top : height - bottom, left : width - right]
    return framed


def crop_of(path: Path, **settings: float) -> Box:
    found = probe(os.fsencode(path), ProbeSettings())
    return find_crop(os.fsencode(path), found, CropSettings(**settings))


def video(path: Path, frames: list[Pixels], rotation: int = 0) -> Path:
    return write_video(path, frames, options={"preset": "ultrafast", "g": "10"}, rotation=rotation)


def test_letterbox_and_pillarbox_are_taken_off(tmp_path: Path) -> None:
    frames = [boxed(textured(number // 20), 24, 24, 40, 40) for number in range(100)]
    assert crop_of(video(tmp_path / "boxed.mp4", frames)) == (40, 24, 240, 132)
    assert crop_of(tmp_path / "boxed.mp4", clip_s=0.3) == (40, 24, 240, 132)
    swept = run_sweep(tmp_path / "boxed.mp4", crop=(40, 24, 240, 132))
    assert all(picture.shape == (132, 240, 3) and picture.mean() > 60 for picture in swept.pictures.values())


def test_the_box_is_that_of_the_upright_picture(tmp_path: Path) -> None:
    frames = [boxed(textured(number // 20), 24, 40) for number in range(100)]
    x, y, width, height = crop_of(video(tmp_path / "turned.mp4", frames, rotation=90))
    assert (y, height, width) == (0, 320, 116)
    assert x in (24, 40)


def test_a_dark_scene_does_not_look_like_a_border(tmp_path: Path) -> None:
    dark = (textured(5) // 16).astype(np.uint8)
    dark[60:120, 100:220] = textured(6)[60:120, 100:220]
    frames = [dark] * 80 + [textured(7)] * 20
    assert crop_of(video(tmp_path / "dark.mp4", frames)) == (0, 0, 320, 180)


def test_a_video_that_is_dark_all_over_is_left_alone(tmp_path: Path) -> None:
    frames = [(textured(8) // 14).astype(np.uint8)] * 60
    assert crop_of(video(tmp_path / "night.mp4", frames)) == (0, 0, 320, 180)


@pytest.mark.parametrize("settings", [{"enabled": False}, {"min_share": 0.9}])
def test_no_crop_where_it_is_off_or_would_leave_too_little(tmp_path: Path, settings: dict[str, float]) -> None:
    frames = [boxed(textured(number), 40, 40) for number in range(30)]
    assert crop_of(video(tmp_path / "boxed.mp4", frames), **settings) == (0, 0, 320, 180)


def test_a_picture_of_another_size_does_not_count(tmp_path: Path) -> None:
    small = [textured(number, 160, 90) for number in range(50)]
    large = [textured(number) for number in range(50)]
    one, other = (
        write_video(tmp_path / f"{name}.ts", frames, options={"preset": "ultrafast", "g": "10"})
        for name, frames in (("large", large), ("small", small))
    )
    path = tmp_path / "changes.ts"
    path.write_bytes(one.read_bytes() + other.read_bytes())
    assert crop_of(path) == (0, 0, 320, 180)


@pytest.mark.media
@pytest.mark.parametrize(
    "name",
    [
        "roytam1+UXP/dom/media/test/resolution-change.webm",
        "luke-cha+fate-suite/video/av1/av1-1-b8-22-svc-L2T2.mp4",
    ],
)
def test_a_video_that_changes_its_size_keeps_all_of_its_first_picture(shared_media: Path, name: str) -> None:
    found = probe(os.fsencode(shared_media / "odd" / name), ProbeSettings())
    assert crop_of(shared_media / "odd" / name) == (0, 0, found.width, found.height)
