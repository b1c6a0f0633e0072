"""Damage is told: a file that lost something is never quietly whole, and no file keeps the sweep for ever."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
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
    path.write_bytes(_faststart(videos("plain.mp4"), tmp_path).read_bytes()[:-40_000])
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


def _faststart(path: Path, folder: Path) -> Path:
    import av

    out = folder / "index_first.mp4"
    with av.open(str(path)) as source, av.open(str(out), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return out
