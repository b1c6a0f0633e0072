"""The sweep: one decode gives scenes and frames, the same ones however it is done."""

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from media_make import textured, write_video
from media_run import CUTS, run_sweep

from pipeline.settings import PipelineSettings
from pipeline.stage_sections import DedupeSettings, FramesSettings, ScenesSettings

Videos = Callable[[str], Path]
EVERY_KIND = ["plain.mp4", "open_gop.mp4", "mpeg4.avi", "mpeg4.mp4", "mpeg2.ts", "sound.mkv", "variable.mp4"]


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize("name", EVERY_KIND)
def test_the_result_does_not_depend_on_the_threads_and_cuts_are_where_the_video_was_cut(
    videos: Videos, name: str
) -> None:
    one, two, three = (run_sweep(videos(name), threads=threads) for threads in (1, 2, 3))
    for other in (two, three):
        assert dataclasses.replace(other.result, seconds={}) == dataclasses.replace(one.result, seconds={})
        assert other.pictures.keys() == one.pictures.keys()
        assert all(np.array_equal(other.pictures[index], one.pictures[index]) for index in one.pictures)
    assert one.cuts == CUTS
    assert one.result.frames_decoded == 360
    assert one.result.lost == ()
    assert one.result.duration_s == pytest.approx(14.4, abs=0.1)


@pytest.mark.parametrize("name", ["plain.mp4", "open_gop.mp4", "turned.mp4"])
def test_a_picture_is_the_decoded_frame_upright_and_cropped(videos: Videos, name: str) -> None:
    whole = run_sweep(videos(name))
    frames = decoded(videos(name))
    if whole.probe.rotation_deg:
        frames = [np.rot90(frame, -whole.probe.rotation_deg // 90) for frame in frames]
    for index, picture in whole.pictures.items():
        assert np.array_equal(picture, frames[index])
    box = (20, 40, 100, 80)
    for index, picture in run_sweep(videos(name), crop=box).pictures.items():
        assert np.array_equal(picture, frames[index][40:120, 20:120])


def test_every_scene_gives_up_to_three_frames_spread_over_it_and_known_by_their_scene(videos: Videos) -> None:
    result = run_sweep(videos("plain.mp4")).result
    assert result.sampling == "scenes"
    for number, scene in enumerate(result.scenes):
        mine = [frame for frame in result.frames if frame.scene == number]
        assert 1 <= len(mine) <= 3
        assert all(scene.start_s <= frame.time_s < scene.end_s for frame in mine)
    assert all(frame.time_s == pytest.approx(frame.frame_index / 25, abs=1e-6) for frame in result.frames)


def test_a_picture_is_valid_only_while_it_is_handed_on(videos: Videos) -> None:
    result = run_sweep(videos("plain.mp4")).result
    with pytest.raises(RuntimeError, match="only during on_frame"):
        result.frames[0].picture()


def test_frames_that_look_alike_are_kept_once(videos: Videos) -> None:
    settings = PipelineSettings(frames=FramesSettings(method="interval", interval_s=0.2))
    alike = run_sweep(videos("black.mp4"), settings).result.frames
    each = run_sweep(
        videos("black.mp4"), settings.model_copy(update={"dedupe": DedupeSettings(enabled=False)})
    ).result.frames
    assert len(alike) == 1
    assert len(each) == 12


def test_a_scene_that_resembles_an_earlier_one_keeps_its_best_frame(tmp_path: Path) -> None:
    stills = [textured(seed) for seed in (1, 2, 1, 2)]
    path = write_video(tmp_path / "back.mp4", (still for still in stills for _ in range(50)))
    every = run_sweep(path).result
    assert [frame.scene for frame in every.frames] == [0, 1, 2, 3]
    once = PipelineSettings(dedupe=DedupeSettings(every_scene=False))
    assert [frame.scene for frame in run_sweep(path, once).result.frames] == [0, 1]


@pytest.mark.parametrize("method", ["scenes", "interval", "uniform", "keyframes"])
@pytest.mark.parametrize("scenes", [True, False])
def test_every_kept_frame_has_its_sharpness(videos: Videos, method: str, scenes: bool) -> None:
    settings = PipelineSettings.model_validate({"frames": {"method": method}, "scenes": {"enabled": scenes}})
    frames = run_sweep(videos("plain.mp4"), settings).result.frames
    assert frames
    assert all(frame.sharpness > 1.0 for frame in frames)


def test_interval_takes_the_first_frame_of_every_interval(videos: Videos) -> None:
    settings = PipelineSettings(
        frames=FramesSettings(method="interval", interval_s=2.0), dedupe=DedupeSettings(enabled=False)
    )
    swept = run_sweep(videos("plain.mp4"), settings)
    assert [frame.frame_index for frame in swept.result.frames] == [0, 50, 100, 150, 200, 250, 300, 350]
    assert swept.result.sampling == "interval"


def test_too_few_frames_for_the_length_means_uniform_sampling(videos: Videos) -> None:
    settings = PipelineSettings(
        frames=FramesSettings(min_coverage=1000.0, uniform_frames=5, candidates_per_s=10),
        dedupe=DedupeSettings(enabled=False),
    )
    swept = run_sweep(videos("plain.mp4"), settings)
    assert swept.result.sampling == "uniform"
    times = [frame.time_s for frame in swept.result.frames]
    assert times == pytest.approx([1.44, 4.32, 7.2, 10.08, 12.96], abs=0.85)
    assert {frame.frame_index for frame in swept.result.frames} <= swept.pictures.keys()


def test_keyframes_method_without_scenes_decodes_keyframes_only(videos: Videos) -> None:
    path = videos("open_gop.mp4")
    with av.open(str(path)) as container:
        keys = [frame.pts for frame in container.decode(video=0) if frame.key_frame]
    settings = PipelineSettings(
        frames=FramesSettings(method="keyframes"),
        scenes=ScenesSettings(enabled=False),
        dedupe=DedupeSettings(enabled=False),
    )
    swept = run_sweep(path, settings)
    assert swept.result.frames_decoded == len(keys) < 20
    frames = decoded(path)
    assert [frame.frame_index for frame in swept.result.frames] == [0, 50, 100, 150, 200, 250, 300, 350]
    assert all(np.array_equal(picture, frames[index]) for index, picture in swept.pictures.items())
    assert len(swept.result.scenes) == 1
    assert swept.result.scenes[0].end_frame == 360


def test_keyframes_with_scenes_keeps_the_same_frames(videos: Videos) -> None:
    with_scenes = PipelineSettings(frames=FramesSettings(method="keyframes"), dedupe=DedupeSettings(enabled=False))
    without = with_scenes.model_copy(update={"scenes": ScenesSettings(enabled=False)})
    one, other = (run_sweep(videos("open_gop.mp4"), settings) for settings in (with_scenes, without))
    assert one.cuts == CUTS
    assert [frame.frame_index for frame in one.result.frames] == [frame.frame_index for frame in other.result.frames]


def test_known_frames_are_fetched_without_decoding_the_rest(videos: Videos) -> None:
    first = run_sweep(videos("plain.mp4"))
    known = dataclasses.replace(first.result, frames=first.result.frames[-2:])
    again = run_sweep(videos("plain.mp4"), known=known)
    assert again.result.frames == known.frames
    assert again.calls[-1][1] < 300
    assert list(again.pictures) == [frame.frame_index for frame in known.frames]
    assert all(np.array_equal(again.pictures[index], first.pictures[index]) for index in again.pictures)


def test_known_frames_that_seeking_cannot_find_are_found_by_a_whole_sweep(videos: Videos) -> None:
    first = run_sweep(videos("plain.mp4"))
    moved = tuple(dataclasses.replace(frame, time_s=frame.time_s + 0.013) for frame in first.result.frames)
    again = run_sweep(videos("plain.mp4"), known=dataclasses.replace(first.result, frames=moved))
    assert again.result.frames == first.result.frames


class StoppedError(Exception):
    pass


def test_progress_moves_on_and_may_stop_the_sweep_leaving_no_thread(videos: Videos) -> None:
    calls = run_sweep(videos("plain.mp4")).calls
    assert calls == sorted(calls)
    assert calls[-1][1] == 360
    before = threading.active_count()

    def on_frame(_: object) -> None:
        raise StoppedError

    from pipeline.media.sweep import sweep
    from pipeline.stages.probe import probe

    path = str(videos("plain.mp4")).encode()
    found = probe(path, PipelineSettings().probe)
    with pytest.raises(StoppedError):
        sweep(
            path,
            found,
            (0, 0, found.width, found.height),
            PipelineSettings(),
            decode_threads=2,
            on_frame=on_frame,
            progress=lambda *_: None,
        )
    assert threading.active_count() == before


def test_a_video_is_cut_off_at_the_most_frames_allowed(videos: Videos) -> None:
    settings = PipelineSettings.model_validate({"probe": {"max_frames": 100}})
    result = run_sweep(videos("plain.mp4"), settings).result
    assert result.frames_decoded == 100
    assert result.lost == ()
    assert result.duration_s == pytest.approx(4.0, abs=0.05)
