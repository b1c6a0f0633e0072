"""Damage is told: a file that lost something is never quietly whole, and no file keeps the sweep for ever."""

import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from media_make import remuxed, shots, write_video
from media_run import run_sweep

from pipeline.errors import JobError
from pipeline.media.result import Sweep
from pipeline.model import FailureClass

Videos = Callable[[str], Path]
BAD = {FailureClass.CORRUPT, FailureClass.EMPTY, FailureClass.UNSUPPORTED}


def sweep_or_error(path: Path, threads: int = 2) -> Sweep | JobError:
    try:
        return run_sweep(path, threads=threads).result
    except JobError as error:
        return error


@pytest.mark.parametrize("name", ["mpeg2.ts", "sound.mkv", "mpeg4.avi"])
@pytest.mark.parametrize("share", [0.02, 0.33, 0.5, 0.95])
def test_a_truncated_file_is_partial_or_failed(videos: Videos, tmp_path: Path, name: str, share: float) -> None:
    content = videos(name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: int(len(content) * share)])
    result = sweep_or_error(path)
    if isinstance(result, JobError):
        assert result.failure in BAD
        return
    assert 0 < result.frames_decoded < 360
    if name != "mpeg2.ts":  # A transport stream has neither index nor length: a clean cut cannot be told.
        assert result.lost


def test_an_mp4_cut_off_behind_its_index_says_how_many_pictures_are_missing(videos: Videos, tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(remuxed(videos("plain.mp4"), tmp_path / "index_first.mp4", "faststart").read_bytes()[:-40_000])
    result = run_sweep(path).result
    assert 0 < result.frames_decoded < 360
    assert result.frames_decoded + result.frames_lost == pytest.approx(360, abs=2)
    assert result.lost[-1].end_s == pytest.approx(14.4, abs=0.1)


def test_an_mp4_without_its_index_is_corrupt(videos: Videos, tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(videos("plain.mp4").read_bytes()[:-20_000])
    error = sweep_or_error(path)
    assert isinstance(error, JobError)
    assert error.failure is FailureClass.CORRUPT


@pytest.mark.parametrize("name", ["plain.mp4", "open_gop.mp4", "sound.mkv", "mpeg2.ts"])
def test_damage_in_the_middle_is_lost_the_same_way_with_any_number_of_threads(
    videos: Videos, tmp_path: Path, name: str
) -> None:
    content = bytearray(videos(name).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = random.Random(7).randbytes(3000)
    path = tmp_path / name
    path.write_bytes(content)
    one, two = (sweep_or_error(path, threads) for threads in (1, 2))
    assert isinstance(one, Sweep)
    assert isinstance(two, Sweep)
    assert one.lost
    assert one.lost == two.lost
    assert one.frames == two.frames
    assert one.scenes == two.scenes


def test_random_damage_ends_in_a_result_or_a_class(videos: Videos, tmp_path: Path) -> None:
    whole = videos("mpeg4.mp4").read_bytes()
    chance = random.Random(11)
    for number in range(12):
        content = bytearray(whole)
        for _ in range(1 + number % 8):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(content)
        result = sweep_or_error(path)
        assert isinstance(result, Sweep) or result.failure in BAD | {FailureClass.TOO_LARGE, FailureClass.ENCRYPTED}


def test_a_header_that_promises_an_absurd_length_is_not_believed(videos: Videos, tmp_path: Path) -> None:
    content = videos("plain.mp4").read_bytes()
    header = content.index(b"mvhd")
    path = tmp_path / "long.mp4"
    path.write_bytes(content[: header + 20] + b"\xff\xff\xff\xf0" + content[header + 24 :])
    result = run_sweep(path).result
    assert result.duration_s == pytest.approx(14.4, abs=0.1)
    assert result.frames_decoded == 360


def test_a_lone_picture_without_a_duration_is_not_called_cut_off(tmp_path: Path) -> None:
    path = write_video(tmp_path / "lone.webm", shots([1]), codec="libvpx", options={"deadline": "realtime"})
    content = bytearray(path.read_bytes())
    default = content.index(b"\x23\xe3\x83\x84")  # DefaultDuration becomes a Void element.
    content[default : default + 8] = b"\xec\x86" + bytes(6)
    duration = content.index(b"\x44\x89\x88") + 3
    content[duration : duration + 8] = struct.pack(">d", 1000.0)
    path.write_bytes(content)
    result = run_sweep(path).result
    assert (result.frames_decoded, result.lost, result.frames_lost, result.fps) == (1, (), 0, 0.0)
    assert 0 < result.duration_s <= 1.0


@pytest.mark.media
def test_a_chained_ogg_keeps_what_comes_before_the_second_link(shared_media: Path) -> None:
    result = run_sweep(shared_media / "odd/roytam1+UXP/dom/media/test/chain.ogv").result
    assert result.frames_decoded == 8
    assert [span.reason.split(":")[0] for span in result.lost] == ["unreadable part"]


@pytest.mark.media
def test_a_packet_that_says_nothing_changed_is_no_loss(shared_media: Path) -> None:
    result = run_sweep(shared_media / "odd/luke-cha+fate-suite/video/tscc/oneminute.avi").result
    assert (result.frames_decoded, result.frames_lost, result.lost) == (348, 0, ())
    assert result.duration_s == pytest.approx(54.93, abs=0.01), "pictures keep the times of their own packets"
