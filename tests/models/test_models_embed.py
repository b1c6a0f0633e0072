"""The embed stage: vectors in the order of the frames, mirrored views averaged, scenes and video pooled."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.media.result import KeptFrame
from pipeline.models.pictures import PictureSpec
from pipeline.stage_sections import EmbedSettings
from pipeline.stages.embed import Embedder, normalised, pooled

SPEC = PictureSpec("m", 4, 4, "squash", "bicubic", (0, 0, 0), (0, 0, 0), (1, 1, 1), 2, "a", "w", "", "fp32", "cpu")


class FakeClient:
    """A host whose vector is the brightness of the left and of the right half."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], NDArray[np.float32]] = {}
        self.submitted = 0
        self.resets = 0

    def spec(self, key: str) -> PictureSpec:
        return SPEC

    def made(self, key: str) -> PictureSpec:
        return replace(self.spec(key), device="cuda:0, cuda:1")

    def reset(self) -> None:
        self.resets += 1

    def submit(self, key: str, tag: int, picture: NDArray[np.uint8]) -> None:
        self.submitted += 1
        halves = np.asarray([picture[:, :2].mean(), picture[:, 2:].mean()])[None]
        self.rows[key, tag] = normalised(halves)[0]

    def pool(self, key: str, stretches: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        self.stretches = stretches
        return np.stack([normalised(stretch[-1:])[0] for stretch in stretches])

    def collect(self) -> dict[tuple[str, int], NDArray[np.float32]]:
        return self.rows


def frame(index: int, left: int, right: int, scene: int = 0) -> KeptFrame:
    picture = np.repeat(np.asarray([[left, left, right, right]] * 4, np.uint8)[..., None], 3, axis=2)
    return KeptFrame(index / 25, index, scene, 0, 1.0, lambda: picture)


def run(settings: dict[str, Any], sent: list[KeptFrame], final: list[KeptFrame], scenes: int) -> tuple[Any, FakeClient]:
    client = FakeClient()
    embedder = Embedder(client, EmbedSettings(models=("m",), **settings))  # type: ignore[arg-type]
    for each in sent:
        embedder.on_frame(each)
    return embedder.finish(final, scenes)["m"], client


def test_vectors_follow_the_final_frames_whatever_was_sent() -> None:
    frames = [frame(0, 200, 0), frame(5, 0, 200), frame(9, 100, 100)]
    found, client = run({}, frames, [frames[2], frames[0]], 1)
    np.testing.assert_allclose(found.frames, [[0.5**0.5, 0.5**0.5], [1, 0]], atol=1e-6)
    assert found.frames.dtype == np.float32
    assert client.resets == 1


def test_a_frame_chosen_twice_is_sent_once() -> None:
    one = frame(3, 1, 2)
    assert run({}, [one, one], [one], 1)[1].submitted == 1


def test_the_mirrored_view_is_averaged_in() -> None:
    one = frame(0, 200, 0)
    found, client = run({"augment": True}, [one], [one], 1)
    assert client.submitted == 2
    np.testing.assert_allclose(found.frames, [[0.5**0.5, 0.5**0.5]], atol=1e-6)


def test_scenes_and_video_are_normalised_means() -> None:
    frames = [frame(0, 200, 0, 0), frame(1, 0, 200, 0), frame(2, 200, 0, 2)]
    found, _ = run({}, frames, frames, 3)
    half = 0.5**0.5
    np.testing.assert_allclose(found.scenes, [[half, half], [0, 0], [1, 0]], atol=1e-6)
    np.testing.assert_allclose(found.video, normalised(np.asarray([[2.0, 1.0]])), atol=1e-6)
    assert found.spec.device == "cuda:0, cuda:1"  # what made the vectors, not the host that was asked last


def test_means_are_left_out_when_not_asked_for() -> None:
    one = frame(0, 1, 2)
    found, _ = run({"scene_vectors": False}, [one], [one], 1)
    assert found.scenes is None
    assert found.video is None


def test_a_video_without_frames_has_empty_vectors() -> None:
    found, _ = run({}, [], [], 1)
    assert found.frames.shape == (0, 2)
    assert found.scenes.shape == (1, 2)


def test_a_frame_that_was_never_sent_is_an_error() -> None:
    with pytest.raises(KeyError):
        run({}, [], [frame(0, 1, 2)], 1)


def test_opposite_vectors_pool_to_zero() -> None:
    vectors = np.asarray([[1, 0], [-1, 0]], np.float32)
    assert not pooled(vectors, np.zeros(2, np.int64), 1).any()


def test_a_frame_that_comes_again_with_another_picture_replaces_the_first() -> None:
    first, second = frame(3, 200, 0), replace(frame(3, 0, 200), dhash=1)
    found, client = run({}, [first, second, second], [second], 1)
    np.testing.assert_allclose(found.frames, [[0, 1]], atol=1e-6)
    assert client.submitted == 2, "the same picture twice is sent once"


def test_a_model_with_a_head_pools_frames_of_their_own_length(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeClient()
    monkeypatch.setattr(client, "spec", lambda key: replace(SPEC, pool_frames=3))
    embedder = Embedder(client, EmbedSettings(models=("m",)))  # type: ignore[arg-type]
    frames = [frame(number, 200, 10 * number, scene=number // 5) for number in range(6)]
    for each in frames:
        embedder.on_frame(each)
        client.rows["m", list(client.rows)[-1][1]] *= 7
    found = embedder.finish(frames, 3)["m"]
    np.testing.assert_allclose(np.linalg.norm(found.frames, axis=1), 1, atol=1e-6)
    assert [len(stretch) for stretch in client.stretches] == [3], "the video, thinned out"
    np.testing.assert_allclose(np.linalg.norm(client.stretches[0], axis=1), 7, atol=1e-5)
    assert found.video is not None
    assert found.scenes is not None
    np.testing.assert_allclose(found.video[0], found.frames[5], atol=1e-6)
    assert not found.scenes[2].any(), "a scene without frames"
