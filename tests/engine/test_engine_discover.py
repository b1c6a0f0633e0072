"""Discovery finds media by content and name, says why it leaves out the rest, and knows what is done already."""

import os
import threading
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from engine_harness import Bench, settings

from pipeline.commands import StartRun
from pipeline.engine.discover import roots, walk
from pipeline.engine.plan import check, plan
from pipeline.engine.sniff import EXTENSIONS, is_media, is_media_content, why_not
from pipeline.errors import MissingWeightsError, SettingsError
from pipeline.media import open as media_open
from pipeline.media.open import open_media
from pipeline.model import RunKind, Stage
from pipeline.settings import PipelineSettings

HEADS = {
    "mp4": b"\0\0\0\x20ftypisom",
    "old mov": b"\0\0\x10\0moov",
    "mkv": b"\x1a\x45\xdf\xa3\x01",
    "avi": b"RIFF\0\0\0\0AVI LIST",
    "ts": (b"G" + b"\0" * 187) * 6,
    "m2ts": b"\0\0\0\0" + (b"G" + b"\0" * 191) * 6,
    "png": b"\x89PNG\r\n\x1a\n",
    "jpeg": b"\xff\xd8\xff\xe0",
}
OTHERS = {
    "text": b"#EXTM3U\nhttp://x",
    "zip": b"PK\x03\x04",
    "wav": b"RIFF\0\0\0\0WAVE",
    "m4a": b"\0\0\0\x20ftypM4A ",
    "empty": b"",
    "typescript": b"Great, code" * 200,
}


@pytest.mark.parametrize("kind", HEADS)
def test_media_is_known_by_content_under_any_name(kind: str) -> None:
    assert is_media(b"no-extension", HEADS[kind])


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_not_media_is_told_apart_but_a_video_name_is_always_taken_on(kind: str) -> None:
    assert not is_media_content(OTHERS[kind])
    assert not is_media(b"a.ts", OTHERS[kind])
    assert is_media(b"a.MP4", OTHERS[kind])


PICTURES = ("ppm", "pgm", "pbm", "dpx", "exr", "qoi", "bmp", "png", "jpegls", "jpeg2000", "sunrast", "hdr")
PICTURES_BY_NAME = ("sgi", "pcx", "xbm", "xwd")


@pytest.mark.parametrize("kind", [*PICTURES, *PICTURES_BY_NAME])
def test_pictures_that_can_be_opened_are_found(tmp_path: Path, kind: str) -> None:
    encoder = av.CodecContext.create(kind, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.time_base = 64, 48, Fraction(1, 25)
    encoder.pix_fmt = encoder.codec.video_formats[0].name
    frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
    data = b"".join(bytes(packet) for packet in encoder.encode(frame.reformat(format=encoder.pix_fmt)))
    path = tmp_path / "picture"
    path.write_bytes(data)
    with open_media(os.fsencode(path), Stage.PROBE, 1 << 20) as container:
        assert container.streams.video
    names = {"jpegls": b"a.jls", "jpeg2000": b"a.j2k", "sunrast": b"a.sun"}
    assert is_media(names.get(kind, b"a." + kind.encode()), b"")
    assert is_media_content(data) == (kind in PICTURES)


def test_every_name_that_the_decoders_of_moving_pictures_go_by_is_known() -> None:
    sound_or_something_else = {"isma", "m4a", "m4b", "mka", "mks", "ts", "ty+", "v"}
    for name in set(media_open.FORMATS.split(",")) - set(media_open._SOUND.split(",")):
        with suppress(ValueError):  # this build of FFmpeg may lack one
            known = av.format.ContainerFormat(name, "r").extensions
            assert {one for one in known - sound_or_something_else if one.encode() not in EXTENSIONS} == set(), name


def test_a_picture_that_cannot_be_told_by_its_content_is_passed_over_with_the_true_reason() -> None:
    assert not is_media(b"a.TGA", bytes(18))
    assert "TGA" in why_not(b"a.TGA")
    assert why_not(b"a.txt") == "not a video or picture"


def test_one_root_has_no_prefix_and_several_are_told_apart(tmp_path: Path) -> None:
    for name in ("a/x", "b/x", "c"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "v.mp4").touch()
    top = os.fsencode(tmp_path)
    assert roots([top + b"/a"]) == [(top + b"/a", b"")]
    assert roots([top + b"/v.mp4"]) == [(top + b"/v.mp4", b"v.mp4")]
    assert roots([top + b"/a", top + b"/a/"]) == [(top + b"/a", b"")]
    names = [name for _, name in roots([top + b"/a/x", top + b"/b/x", top + b"/c"])]
    assert names == [b"x", b"b-x", b"c"]


def test_the_walk_is_in_order_of_names_and_leaves_out_hidden_files_and_the_output(tmp_path: Path) -> None:
    for name in ("b/2.mp4", "b/1.mp4", "a.mp4", ".hidden/x.mp4", ".x.mp4", "out/frames/1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    found = list(walk([os.fsencode(tmp_path)], os.fsencode(tmp_path / "out")))
    assert [(one.relative, one.reason) for one in found] == [
        (b".hidden", "hidden"),
        (b".x.mp4", "hidden"),
        (b"a.mp4", ""),
        (b"out", "the output folder of this run"),
        (b"b/1.mp4", ""),
        (b"b/2.mp4", ""),
    ]


def test_a_folder_that_cannot_be_read_is_reported_not_ignored(tmp_path: Path) -> None:
    found = list(walk([os.fsencode(tmp_path / "gone")], b"/out"))
    assert [(one.relative, str(one.failure)) for one in found] == [(b"gone", "io")]


def command(bench: Bench, options: PipelineSettings, **changes: object) -> StartRun:
    fields: dict[str, object] = {"inputs": (os.fsencode(bench.source),), "out": os.fsencode(bench.out)} | changes
    return StartRun(RunKind.EXTRACT, preset="standard", settings=options, **fields)  # type: ignore[arg-type]


def test_a_plan_says_of_each_input_what_would_be_done_and_writes_nothing(bench: Bench) -> None:
    options = settings()
    bench.video("a.mp4")
    bench.video("b.mp4")
    bench.run(options)
    old = time.time() - 60
    bench.video("b.mp4", "done again")
    bench.video("c.mp4")
    (bench.source / "copy.mp4").write_bytes((bench.source / "c.mp4").read_bytes())
    (bench.source / "notes.txt").write_text("hello")
    before = sorted(path for path in bench.out.rglob("*"))
    for path in bench.source.iterdir():
        os.utime(path, (old, old)) if path.name != "a.mp4" else None
    planned = {one.relative.decode(): one.verdict for one in plan(command(bench, options), bench.state)}
    assert planned == {
        "a.mp4": "done already",
        "b.mp4": "changed",
        "c.mp4": "to do",
        "copy.mp4": "duplicate",
        "notes.txt": "skipped",
    }
    assert sorted(path for path in bench.out.rglob("*")) == before


def test_a_changed_setting_is_seen_in_the_plan(bench: Bench) -> None:
    bench.video("a.mp4")
    bench.run(settings())
    other = PipelineSettings.model_validate(
        {"scenes": {"detector": "hash"}, "embed": {"enabled": False}, "engine": {"settle_s": 0}}
    )
    assert [one.verdict for one in plan(command(bench, other), bench.state)] == ["changed"]
    assert [one.verdict for one in plan(command(bench, settings(), force=True), bench.state)] == ["to do"]


def test_a_run_that_could_not_begin_is_refused_before_any_work(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    options = settings()
    with pytest.raises(SettingsError, match="does not exist"):
        check(command(bench, options, inputs=(b"/no/such",)))
    with pytest.raises(SettingsError, match="not a folder"):
        check(command(bench, options, out=os.fsencode(file / "out")))
    with pytest.raises(SettingsError, match="No input"):
        check(command(bench, options, inputs=()))
    needs_model = PipelineSettings.model_validate(
        {"embed": {"models": ["mine"]}, "models": {"mine": {"architecture": "ViT-B-32", "path": "/no/such.pt"}}}
    )
    with pytest.raises(MissingWeightsError):
        check(command(bench, needs_model))
    assert not bench.out.exists()


def test_a_scan_of_a_large_folder_ends_when_told_to(bench: Bench) -> None:
    from pipeline.engine.ledger import recorded
    from pipeline.engine.planner import Planner
    from pipeline.engine.records import RunRecord
    from pipeline.model import RunState

    for number in range(50):
        bench.video(f"{number}.mp4")
    inputs, out = (os.fsencode(bench.source),), os.fsencode(bench.out)
    run = RunRecord(1, RunKind.EXTRACT, RunState.RUNNING, "", inputs, out, recorded(settings()), False, 0, 0, 0, False)
    stop = threading.Event()
    jobs = Planner(run, settings(), {}, bench.state).jobs(stop)
    next(jobs)
    stop.set()
    assert list(jobs) == []
