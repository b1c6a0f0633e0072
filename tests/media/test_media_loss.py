"""Damage is told: a file that lost something is never quietly whole, and no file keeps the sweep for ever."""

import random
import struct
from collections.abc import Callable
from pathlib import Path

import av
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


def test_an_avi_that_lost_its_index_is_measured_by_its_header(videos: Videos, tmp_path: Path) -> None:
    content = videos("mpeg4.avi").read_bytes()
    path = tmp_path / "cut.avi"
    with av.open(str(videos("mpeg4.avi"))) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    path.write_bytes(content[: places[200]])
    result = run_sweep(path).result
    assert result.frames_decoded == 200
    assert (result.lost[-1].start_s, result.lost[-1].end_s) == (pytest.approx(8.0), pytest.approx(14.4))


def test_sound_that_goes_on_does_not_hide_the_end_of_the_pictures(tmp_path: Path) -> None:
    """The track's own length is in the header, and every picture after the first second was taken out."""
    whole = write_video(tmp_path / "whole.mkv", shots([100]), audio_s=4.0)
    path = tmp_path / "short.mkv"
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        ours = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None and (packet.stream.type == "audio" or packet.pts * packet.time_base < 1):
                packet.stream = ours[packet.stream_index]
                target.mux(packet)
    assert run_sweep(path).result.lost == (), "sound that is longer is usual"
    told, true = b"00:00:01.0", b"00:00:04.0"
    content = path.read_bytes()
    assert content.count(told) == 1
    path.write_bytes(content.replace(told, true))
    assert [span.reason for span in run_sweep(path).result.lost] == ["the file ends early: its header promises more"]


def test_a_picture_missing_between_close_neighbours_is_missed(tmp_path: Path) -> None:
    """The rate varies, so that the next picture follows much sooner than the average step."""
    times = [number * 20 + number // 10 * 800 for number in range(60)]
    path = write_video(tmp_path / "bursts.mkv", shots([60]), times=times.__getitem__, options={"bf": "0", "g": "60"})
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    hit = bytes(packets[25])
    place = content.index(hit)
    content[place : place + len(hit)] = b"\x00\x00\x00\x01\x09" + bytes(len(hit) - 5)
    path.write_bytes(content)
    result = run_sweep(path).result
    assert result.frames_decoded + result.frames_lost >= 60
    assert result.lost


def test_a_hole_in_a_matroska_file_is_told_and_a_pause_is_not(tmp_path: Path) -> None:
    """FFmpeg goes on behind a broken place without a word; only the elements tell it from a rate that varies."""
    times = [number * 40 + (2000 if number >= 50 else 0) for number in range(100)]
    path = write_video(tmp_path / "pause.mkv", shots([100]), times=times.__getitem__, options={"bf": "0", "g": "10"})
    assert run_sweep(path).result.lost == ()
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    content[places[20] : places[40]] = bytes(places[40] - places[20])
    path.write_bytes(content)
    result = run_sweep(path).result
    assert result.frames_decoded <= 80  # The rest of the cluster goes with them.
    assert any(span.start_s <= 0.85 and span.end_s >= 1.55 for span in result.lost)


def test_a_matroska_file_that_lost_its_last_picture_says_so(tmp_path: Path) -> None:
    path = write_video(tmp_path / "cut.mkv", shots([50]), options={"bf": "0"})
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    path.write_bytes(path.read_bytes()[: places[-1]])
    result = run_sweep(path).result
    assert result.frames_decoded == 49
    assert result.lost[-1].reason.startswith("the file ends early")


def test_a_raw_stream_tells_the_pictures_its_decoder_refused_with_any_number_of_threads(tmp_path: Path) -> None:
    path = write_video(tmp_path / "raw.h264", shots([60]), options={"preset": "ultrafast", "g": "20"})
    content = bytearray(path.read_bytes())
    second = content.index(b"\x00\x00\x01\x65", content.index(b"\x00\x00\x01\x65") + 4)
    content[second + 4 : second + 40] = b"\xff" * 36
    path.write_bytes(content)
    one, two = (run_sweep(path, threads=threads).result for threads in (1, 2))
    assert one.lost
    assert (one.lost, one.frames_decoded, one.frames_lost) == (two.lost, two.frames_decoded, two.frames_lost)


def test_a_packet_that_the_container_marks_as_cut_is_told_even_if_it_can_be_decoded(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mpg", shots([60]), codec="mpeg2video", options={"bf": "0", "g": "60"})
    content = whole.read_bytes()
    path = tmp_path / "cut.mpg"
    marked = 0
    for size in range(len(content) * 2 // 3, len(content) * 2 // 3 + 2000, 97):
        path.write_bytes(content[:size])
        with av.open(str(path)) as container:
            cut = any(packet.is_corrupt for packet in container.demux(video=0))
        marked += cut
        assert run_sweep(path).result.lost or not cut, f"cut to {size} bytes"
    assert marked > 10


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
