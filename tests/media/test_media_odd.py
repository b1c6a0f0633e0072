"""Fault case 14: odd videos are done, bounded or refused with a true reason, and none is called lost that is whole."""

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_make import remuxed, shots, textured, write_video
from media_run import Swept, run_sweep
from PIL import Image

from pipeline.errors import JobError
from pipeline.model import FailureClass

Videos = Callable[[str], Path]
SECOND = 25


def stream_part(path: Path, first_s: float, *, seed: int = 1, width: int = 320, height: int = 180) -> bytes:
    """Return a transport stream of one second that begins at `first_s`."""
    with av.open(str(path), "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=SECOND, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        pictures = [av.VideoFrame.from_ndarray(one, format="rgb24") for one in shots([SECOND], seed, width, height)]
        for picture in (*pictures, None):
            for packet in stream.encode(picture):
                packet.pts += round(first_s / packet.time_base)
                packet.dts += round(first_s / packet.time_base)
                container.mux(packet)
    return path.read_bytes()


def joined(folder: Path, *parts: bytes) -> Swept:
    path = folder / "joined.ts"
    path.write_bytes(b"".join(parts))
    return run_sweep(path)


def lossless(path: Path, width: int, height: int, frames: int = 6) -> Path:
    """Write a video of any size."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=SECOND)
        stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(np.full((height, width, 3), 40 * number, np.uint8), format="rgb24")
            frame = picture.reformat(format="bgr0")
            frame.pts, frame.time_base = number, Fraction(1, SECOND)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def failure(path: Path) -> JobError:
    with pytest.raises(JobError) as caught:
        run_sweep(path)
    return caught.value


def assert_in_order(swept: Swept) -> None:
    times = [frame.time_s for frame in swept.result.frames]
    assert times == sorted(set(times))
    assert all(0 <= time_s <= swept.result.duration_s for time_s in times)


def test_streams_that_were_joined_lose_nothing(tmp_path: Path) -> None:
    """Their packets are numbered anew where they meet, which looks as if some were missing."""
    first, second = (stream_part(tmp_path / "part.ts", 100 + number, seed=number) for number in range(2))
    swept = joined(tmp_path, first, second)
    assert (swept.result.frames_decoded, swept.result.lost) == (50, ())
    assert swept.result.duration_s == pytest.approx(2.0, abs=0.1)
    twice = joined(tmp_path, first, first)
    assert (twice.result.frames_decoded, twice.result.frames_lost) == (50, 0)
    assert twice.result.duration_s == pytest.approx(2.0, abs=0.1)
    assert_in_order(twice)


@pytest.mark.parametrize("second_s", [10.0, 50_000.0], ids=["backwards", "far ahead"])
def test_times_that_jump_keep_every_picture(tmp_path: Path, second_s: float) -> None:
    first, second = stream_part(tmp_path / "part.ts", 100), stream_part(tmp_path / "part.ts", second_s, seed=2)
    swept = joined(tmp_path, first, second)
    assert (swept.result.frames_decoded, swept.result.frames_lost) == (50, 0)
    assert len(swept.result.scenes) == 2
    assert_in_order(swept)


def test_pictures_of_the_same_time_are_all_kept(videos: Videos, tmp_path: Path) -> None:
    """Every second step of the clock in the table is zero."""
    content = bytearray(videos("one_shot.mp4").read_bytes())
    table = content.index(b"stts")
    assert int.from_bytes(content[table + 8 : table + 12], "big") == 1, "one entry: 100 equal steps"
    content[table + 16 : table + 20] = bytes(4)
    path = tmp_path / "still.mp4"
    path.write_bytes(content)
    swept = run_sweep(path)
    assert swept.result.frames_decoded == 100
    assert_in_order(swept)


def test_pictures_before_zero_and_without_times_are_counted_from_the_start(videos: Videos, tmp_path: Path) -> None:
    early = write_video(tmp_path / "early.nut", shots([50]), codec="mpeg4", options={}, times=lambda n: n * 40 - 1000)
    raw = write_video(tmp_path / "raw.h264", shots([50]))
    for path in (early, raw):
        swept = run_sweep(path)
        assert (swept.result.frames_decoded, swept.result.lost) == (50, ())
        assert swept.result.duration_s == pytest.approx(2.0, abs=0.1)
        assert_in_order(swept)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["smaller", "larger"])
def test_a_transport_stream_may_change_its_size(tmp_path: Path, order: tuple[int, int]) -> None:
    sizes = ((320, 180), (160, 120))
    parts = [
        stream_part(tmp_path / "part.ts", 100 + number, seed=number, width=sizes[one][0], height=sizes[one][1])
        for number, one in enumerate(order)
    ]
    swept = joined(tmp_path, *parts)
    assert (swept.result.frames_decoded, swept.result.lost) == (50, ())
    assert {picture.shape[1::-1] for picture in swept.pictures.values()} <= {*sizes, (160, 120), (320, 180)}
    assert len(swept.result.scenes) == 2


def test_vp9_may_change_its_size(tmp_path: Path) -> None:
    path, pause = tmp_path / "two.webm", 0
    options = {"cpu-used": "8", "deadline": "realtime"}
    with av.open(str(path), "w") as target:
        ours = None
        for width, height in ((320, 180), (160, 120)):
            part = write_video(
                tmp_path / "part.webm", shots([25], width, width, height), codec="libvpx-vp9", options=options
            )
            with av.open(str(part)) as source:
                ours = ours or target.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.dts is not None:
                        packet.pts, packet.dts, packet.stream = packet.pts + pause, packet.dts + pause, ours
                        target.mux(packet)
            pause += 1000
    swept = run_sweep(path)
    assert (swept.result.frames_decoded, swept.result.lost) == (50, ())
    assert len(swept.result.scenes) == 2


def test_a_picture_of_8192_squared_in_200_kilobytes_costs_no_memory(tmp_path: Path) -> None:
    path = write_video(tmp_path / "large.mp4", [np.zeros((8192, 8192, 3), np.uint8)])
    assert path.stat().st_size < 250_000
    program = (
        "import os, resource, sys\n"
        "from pipeline.errors import JobError\n"
        "from pipeline.stage_sections import ProbeSettings\n"
        "from pipeline.stages.probe import probe\n"
        "used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = used()\n"
        "try:\n    probe(os.fsencode(sys.argv[1]), ProbeSettings())\n"
        "except JobError as error:\n    print(error.failure, used() - before)\n"
    )
    out = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True).stdout
    told, more_kb = out.split()
    assert told == "too_large"
    assert int(more_kb) < 60_000


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_a_still_bomb_is_told_by_its_size(tmp_path: Path) -> None:
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    png = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
    )
    picture = io.BytesIO()
    Image.fromarray(textured(1)).save(picture, "jpeg")
    jpeg = bytearray(picture.getvalue())
    size = jpeg.index(b"\xff\xc0") + 5
    jpeg[size : size + 4] = struct.pack(">HH", 65_000, 65_000)
    for name, content, sides in (("a.png", png, "30000 x 30000"), ("a.jpg", bytes(jpeg), "65000 x 65000")):
        (tmp_path / name).write_bytes(content)
        error = failure(tmp_path / name)
        assert error.failure is FailureClass.TOO_LARGE
        assert sides in str(error)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 2), (33, 17), (16_384, 16), (3, 1000)])
def test_pictures_of_any_shape_are_done(tmp_path: Path, width: int, height: int) -> None:
    swept = run_sweep(lossless(tmp_path / "odd.mkv", width, height))
    assert (swept.probe.width, swept.probe.height) == (width, height)
    assert (swept.result.frames_decoded, swept.result.lost) == (6, ())
    assert swept.pictures[0].shape == (height, width, 3)


@pytest.mark.parametrize(("angle", "rotation_deg"), [(30, 0), (100, 270), (-170, 180), (359, 0)])
def test_an_odd_angle_is_the_nearest_quarter(tmp_path: Path, angle: int, rotation_deg: int) -> None:
    swept = run_sweep(write_video(tmp_path / "turned.mp4", shots([5]), rotation=angle))
    assert swept.probe.rotation_deg == rotation_deg
    assert swept.result.lost == ()


@pytest.mark.parametrize(
    ("scale", "step", "shown"),
    [(10**6, 1, 100), (1, 10**7, 1)],  # The edit list of four seconds ends the second within its first picture.
    ids=["10^6 fps", "10^9 s"],
)
def test_a_clock_that_cannot_be_is_bounded(videos: Videos, tmp_path: Path, scale: int, step: int, shown: int) -> None:
    content = bytearray(videos("one_shot.mp4").read_bytes())
    clock, table = content.index(b"mdhd"), content.index(b"stts")
    content[clock + 16 : clock + 20] = scale.to_bytes(4, "big")
    content[table + 16 : table + 20] = step.to_bytes(4, "big")
    path = tmp_path / "clock.mp4"
    path.write_bytes(content)
    swept = run_sweep(path)
    assert swept.result.frames_decoded == shown
    assert 1 <= len(swept.result.frames) <= 3
    assert_in_order(swept)


def test_a_film_of_one_picture_and_one_of_none(videos: Videos, tmp_path: Path) -> None:
    one = run_sweep(write_video(tmp_path / "one.mp4", shots([1]))).result
    assert (one.frames_decoded, len(one.scenes), one.fps, one.lost) == (1, 1, 0.0, ())
    content = remuxed(videos("one_shot.mp4"), tmp_path / "front.mp4", "faststart").read_bytes()
    none = tmp_path / "none.mp4"
    none.write_bytes(content[: content.index(b"mdat") + 4])
    assert failure(none).failure is FailureClass.CORRUPT


def test_sound_with_a_picture_of_its_cover_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libmp3lame", rate=44_100)
        for start in range(0, 44_100, 1152):
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1152), np.float32), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = 44_100, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    cover = io.BytesIO()
    Image.fromarray(textured(1)).save(cover, "jpeg")
    data = b"\0image/jpeg\0\x03\0" + cover.getvalue()
    tag = b"APIC" + struct.pack(">I", len(data)) + b"\0\0" + data
    size = bytes(len(tag) >> shift & 0x7F for shift in (21, 14, 7, 0))
    sound = path.read_bytes()
    path.write_bytes(b"ID3\x03\0\0" + size + tag + sound[sound.index(b"\xff\xfb") :])
    error = failure(path)
    assert error.failure is FailureClass.EMPTY
    assert "cover picture" in str(error)


def test_a_gif_that_repeats_one_picture_for_ever_ends(tmp_path: Path) -> None:
    still = Image.fromarray(textured(1))
    still.save(tmp_path / "one.gif", save_all=True, loop=0)
    moved = [Image.fromarray(textured(seed)) for seed in (1, 2, 1, 2)]
    moved[0].save(tmp_path / "four.gif", save_all=True, append_images=moved[1:], loop=0, duration=100)
    assert run_sweep(tmp_path / "one.gif").result.frames_decoded == 1
    four = run_sweep(tmp_path / "four.gif").result
    assert (four.frames_decoded, four.lost) == (4, ())
    assert four.duration_s == pytest.approx(0.4)
