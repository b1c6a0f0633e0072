"""How long a video is, its rate and whether that varies follow from the times of all its frames."""

from collections.abc import Callable
from pathlib import Path

import pytest
from media_make import remuxed, shots, write_video
from media_run import run_sweep

from pipeline.settings import PipelineSettings

Videos = Callable[[str], Path]
QUICK = PipelineSettings.model_validate({"scenes": {"enabled": False}, "frames": {"method": "keyframes"}})
EVERY_KIND = ["plain.mp4", "open_gop.mp4", "mpeg4.avi", "mpeg4.mp4", "mpeg2.ts", "sound.mkv", "variable.mp4"]


@pytest.mark.parametrize("name", EVERY_KIND)
def test_keyframes_alone_tell_the_same_length_and_rate_as_every_frame(videos: Videos, name: str) -> None:
    quick = run_sweep(videos(name), QUICK).result
    whole = run_sweep(videos(name)).result
    assert quick.frames_decoded < whole.frames_decoded
    assert quick.duration_s == pytest.approx(whole.duration_s)
    assert quick.fps == pytest.approx(whole.fps)
    assert quick.variable_rate == whole.variable_rate
    assert (quick.scenes[-1].end_s, quick.scenes[-1].end_frame) == (quick.duration_s, 360)


def test_keyframes_of_a_stream_without_times_stand_where_they_are(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "raw.h264", shots([60] * 4), options={"preset": "ultrafast", "x264-params": "keyint=50"}
    )
    quick, whole = run_sweep(path, QUICK).result, run_sweep(path).result
    assert quick.frames_decoded < 10 < whole.frames_decoded == 240
    assert all(frame.time_s == pytest.approx(frame.frame_index / 25) for frame in quick.frames)
    assert quick.frames[-1].time_s > 4
    assert (quick.duration_s, quick.fps) == (pytest.approx(whole.duration_s), pytest.approx(whole.fps))


def test_one_keyframe_tells_the_length_of_a_long_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "one.mkv", shots([300]), options={"preset": "ultrafast", "g": "1000"})
    quick = run_sweep(path, QUICK).result
    assert quick.frames_decoded == 1
    assert quick.duration_s == pytest.approx(12.0, abs=0.01)
    assert quick.fps == pytest.approx(25, abs=0.05)


def test_a_rate_that_varies_only_late_is_noticed(tmp_path: Path) -> None:
    times = [number * 40 for number in range(500)]
    times += [times[-1] + 100 * number for number in range(1, 30)]
    path = write_video(tmp_path / "late.mkv", shots([529]), times=times.__getitem__)
    swept = run_sweep(path)
    assert not swept.probe.variable_rate
    assert swept.result.variable_rate
    assert run_sweep(path, QUICK).result.variable_rate


def test_a_video_cut_off_by_the_settings_says_so(videos: Videos) -> None:
    settings = PipelineSettings.model_validate({"probe": {"max_frames": 100}})
    cut, whole = run_sweep(videos("plain.mp4"), settings).result, run_sweep(videos("plain.mp4")).result
    assert (cut.cut_off, whole.cut_off) == (True, False)
    assert cut.fps == pytest.approx(25)
    settings = PipelineSettings.model_validate({"probe": {"max_frames": 360}})
    assert not run_sweep(videos("plain.mp4"), settings).result.cut_off


def test_keyframes_cut_off_by_the_settings_tell_the_rate_of_what_was_seen(videos: Videos) -> None:
    settings = QUICK.model_copy(update={"probe": QUICK.probe.model_copy(update={"max_frames": 3})})
    cut = run_sweep(videos("open_gop.mp4"), settings).result
    assert (cut.cut_off, cut.frames_decoded) == (True, 3)
    assert cut.fps == pytest.approx(25)
    assert cut.scenes[-1].end_frame == 101


def test_a_file_in_fragments_tells_its_whole_length(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", shots([600]), options={"preset": "ultrafast", "g": "10"})
    swept = run_sweep(remuxed(whole, tmp_path / "fragments.mp4", "frag_keyframe+empty_moov"))
    assert swept.probe.duration_s == pytest.approx(24.0, abs=0.1)
    assert swept.probe.frames in (0, 600)
    assert (swept.result.frames_decoded, swept.result.lost) == (600, ())


@pytest.mark.media
def test_a_decoder_that_never_gives_a_keyframe_alone_still_gives_keyframes(shared_media: Path) -> None:
    result = run_sweep(shared_media / "odd/luke-cha+fate-suite/video/rv20/G2_with_SVT_320_240.mp4", QUICK).result
    assert result.sampling == "keyframes"
    assert result.frames
    assert result.frames_lost == 0


@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("luke-cha+fate-suite/video/h264/mov_stream_shorter_than_movie.mp4", 24),
        ("luke-cha+fate-suite/video/h264/mov_neg_first_pts_discard.mp4", 15),
        ("roytam1+UXP/dom/media/test/bug498380.ogv", 14),
    ],
)
def test_a_video_whose_keyframes_are_hidden_is_decoded_whole(shared_media: Path, name: str, shown: int) -> None:
    result = run_sweep(shared_media / "odd" / name, QUICK).result
    assert (result.frames_decoded, result.sampling, len(result.frames)) == (shown, "keyframes", 1)


def test_a_time_that_no_video_can_reach_is_replaced_and_told(tmp_path: Path) -> None:
    times = [number * 40 for number in range(59)] + [30 * 366 * 86_400_000]
    path = write_video(tmp_path / "far.mkv", shots([60]), times=times.__getitem__, options={"preset": "ultrafast"})
    swept = run_sweep(path)
    assert (swept.result.false_times, swept.result.frames_decoded, swept.result.lost) == (1, 60, ())
    assert swept.result.duration_s == pytest.approx(2.4, abs=0.05)
    assert swept.result.fps == pytest.approx(25, abs=0.5)


def test_a_damaged_page_that_names_a_time_beyond_all_time_stretches_no_video(shared_media: Path) -> None:
    swept = run_sweep(shared_media / "odd/roytam1+UXP/dom/media/test/bug498380.ogv")
    assert (swept.result.false_times, swept.result.frames_decoded) == (1, 14)
    assert swept.probe.fps == pytest.approx(30, abs=1)
    assert swept.result.duration_s == pytest.approx(22 / 30, abs=0.05)
