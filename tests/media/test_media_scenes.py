"""Scenes are PySceneDetect's own, though its detectors never see a picture."""

from collections.abc import Callable
from pathlib import Path

import pytest
from media_run import run_sweep
from scenedetect import AdaptiveDetector, ContentDetector, HashDetector, ThresholdDetector, detect

from pipeline.settings import PipelineSettings

DETECTORS = {
    "adaptive": AdaptiveDetector,
    "content": ContentDetector,
    "threshold": ThresholdDetector,
    "hash": HashDetector,
}


def same_as_pyscenedetect(path: Path, name: str) -> None:
    settings = PipelineSettings.model_validate({"scenes": {"detector": name}})
    ours = run_sweep(path, settings).result.scenes
    theirs = detect(str(path), DETECTORS[name](), start_in_scene=True)
    assert [scene.start_s - ours[0].start_s for scene in ours] == pytest.approx(
        [start.seconds - theirs[0][0].seconds for start, _ in theirs], abs=0.002
    )


@pytest.mark.parametrize("name", DETECTORS)
def test_same_scenes_on_a_made_video(videos: Callable[[str], Path], name: str) -> None:
    same_as_pyscenedetect(videos("plain.mp4"), name)


def test_same_scenes_where_the_rate_varies(videos: Callable[[str], Path]) -> None:
    same_as_pyscenedetect(videos("variable.mp4"), "adaptive")


@pytest.mark.media
@pytest.mark.parametrize(
    ("video", "name"),
    [
        ("nvidia-cosmos+cosmos-curate/tests/cosmos_curate/pipelines/video/data/test_video_30s.mp4", "adaptive"),
        ("w3c+web-platform-tests/css/css-regions-1/elements/support/big-buck-bunny-240p.mp4", "content"),
        ("Breakthrough+PySceneDetect/tests/resources/goldeneye-vfr-drop3.mp4", "adaptive"),
        ("Breakthrough+PySceneDetect/tests/resources/issue-134-rotate.mp4", "hash"),
        ("Breakthrough+PySceneDetect/tests/resources/fades.mp4", "threshold"),
    ],
)
def test_same_scenes_on_real_videos(shared_media: Path, video: str, name: str) -> None:
    same_as_pyscenedetect(shared_media / "videos" / video, name)


def test_no_cut_is_one_scene_over_the_whole_video(videos: Callable[[str], Path]) -> None:
    result = run_sweep(videos("one_shot.mp4")).result
    (scene,) = result.scenes
    assert (scene.start_s, scene.start_frame, scene.end_frame) == (0.0, 0, 100)
    assert scene.end_s == pytest.approx(4.0, abs=0.01)


def test_scenes_that_are_not_wanted_are_one(videos: Callable[[str], Path]) -> None:
    settings = PipelineSettings.model_validate({"scenes": {"enabled": False}})
    assert len(run_sweep(videos("plain.mp4"), settings).result.scenes) == 1
