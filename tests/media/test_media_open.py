"""Opening is safe: nothing but one regular media file is ever read, and every trouble has a class and a sentence."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from media_make import textured, write_video
from media_run import run_sweep
from PIL import Image

from pipeline.errors import JobError
from pipeline.model import FailureClass, Stage
from pipeline.stage_sections import ProbeSettings
from pipeline.stages.probe import probe

Videos = Callable[[str], Path]


def failure(path: Path, settings: ProbeSettings | None = None) -> JobError:
    with pytest.raises(JobError) as caught:
        probe(os.fsencode(path), settings or ProbeSettings())
    assert caught.value.stage is Stage.PROBE
    assert str(caught.value).endswith(".")
    return caught.value


def test_a_pipe_and_a_socket_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert failure(tmp_path / "pipe.mp4").failure is FailureClass.UNSUPPORTED
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.mp4"))
        assert failure(tmp_path / "socket.mp4").failure is FailureClass.IO
    assert failure(tmp_path).failure is FailureClass.UNSUPPORTED
    assert failure(tmp_path / "absent.mp4").failure is FailureClass.IO


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", FailureClass.EMPTY),
        (b"just some text, quite long enough to be looked at\n" * 50, FailureClass.CORRUPT),
        (b"PK\x03\x04" + bytes(2000), FailureClass.CORRUPT),
    ],
)
def test_what_is_no_video_is_told_so(tmp_path: Path, content: bytes, expected: FailureClass) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(content)
    assert failure(path).failure is expected


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{other}'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    ],
)
def test_a_playlist_in_disguise_opens_nothing(videos: Videos, tmp_path: Path, playlist: str) -> None:
    path = tmp_path / "video.mp4"
    path.write_text(playlist.format(other=videos("plain.mp4")))
    assert failure(path).failure in {FailureClass.UNSUPPORTED, FailureClass.CORRUPT}


@pytest.mark.parametrize("name", [b"concat:a|b.mp4", b"http:x.mp4", b"%03d.mp4", b"\xff\xfe.mp4", b"a\nb.mp4"])
def test_names_that_ffmpeg_would_take_for_something_else_are_plain_names(
    videos: Videos, tmp_path: Path, name: bytes
) -> None:
    path = os.path.join(os.fsencode(tmp_path), name)
    os.link(videos("plain.mp4"), path)
    assert probe(path, ProbeSettings()).frames == 360


def test_sound_alone_is_empty(tmp_path: Path) -> None:
    path = write_video(tmp_path / "sound.m4a", [], audio_s=1.0)
    error = failure(path)
    assert error.failure is FailureClass.EMPTY
    assert "no video" in str(error)


@pytest.mark.media
def test_a_cover_picture_is_not_taken_for_the_video(shared_media: Path) -> None:
    swept = run_sweep(shared_media / "odd/KDE+kfilemetadata/autotests/samplefiles/test_cover.mkv")
    assert (swept.probe.video_codec, swept.result.frames_decoded) == ("vp8", 24)


@pytest.mark.media
def test_an_encrypted_video_is_told_so(shared_media: Path) -> None:
    assert failure(shared_media / "odd/Eyevinn+mp4ff/mp4/testdata/cbcs.mp4").failure is FailureClass.ENCRYPTED


def test_a_damaged_file_is_not_blamed_on_the_disk(tmp_path: Path) -> None:
    """FFmpeg says "operation not permitted" (-1) of an ASF whose only stream is of no known kind."""
    path = write_video(tmp_path / "video.asf", (textured(1) for _ in range(5)), codec="mpeg4", options={})
    content = bytearray(path.read_bytes())
    content[content.index(bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")) + 4] ^= 1
    path.write_bytes(content)
    assert failure(path).failure is FailureClass.CORRUPT


def test_a_picture_above_the_cap_is_not_decoded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "large.mp4", [np.zeros((1024, 1024, 3), np.uint8)] * 2)
    assert failure(path, ProbeSettings(max_pixels=1_000_000)).failure is FailureClass.TOO_LARGE


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tiff", "ppm", "avif"])
def test_a_picture_is_a_one_frame_input(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture.{suffix}"
    Image.fromarray(textured(1)).save(path)
    swept = run_sweep(path)
    assert swept.probe.is_picture
    assert (swept.probe.width, swept.probe.height) == (320, 180)
    assert len(swept.result.frames) == len(swept.result.scenes) == 1
    assert np.abs(swept.pictures[0].astype(int) - textured(1)).mean() < 8


def test_an_animated_webp_is_unsupported_and_a_damaged_one_corrupt(tmp_path: Path) -> None:
    pictures = [Image.fromarray(textured(seed)) for seed in range(3)]
    pictures[0].save(tmp_path / "moving.webp", save_all=True, append_images=pictures[1:])
    assert failure(tmp_path / "moving.webp").failure is FailureClass.UNSUPPORTED
    pictures[0].save(tmp_path / "still.webp")
    damaged = (tmp_path / "still.webp").read_bytes()
    (tmp_path / "still.webp").write_bytes(damaged[:24] + bytes(len(damaged) - 24))
    with pytest.raises(JobError) as caught:
        run_sweep(tmp_path / "still.webp")
    assert caught.value.failure is FailureClass.CORRUPT


def test_the_probe_tells_what_the_file_holds(videos: Videos) -> None:
    found = probe(os.fsencode(videos("sound.mkv")), ProbeSettings())
    assert (found.video_codec, found.audio_codec, found.container) == ("h264", "aac", "matroska,webm")
    assert (found.width, found.height, found.bit_depth) == (320, 180, 8)
    assert found.fps == pytest.approx(25)
    assert found.duration_s == pytest.approx(14.4, abs=0.1)
    assert not found.variable_rate
    assert probe(os.fsencode(videos("variable.mp4")), ProbeSettings()).variable_rate


def test_rotation_is_applied(videos: Videos) -> None:
    swept = run_sweep(videos("turned.mp4"))
    assert (swept.probe.width, swept.probe.height) == (180, 320)
    assert all(picture.shape == (320, 180, 3) for picture in swept.pictures.values())
