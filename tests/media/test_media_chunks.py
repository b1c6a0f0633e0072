"""A video swept in chunks, decided on together, is found to be what one sweep of it finds."""

import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st
from media_make import remuxed, shots, write_video
from media_run import run_sweep

from pipeline.media.chunk import Task, UncuttableError, borders_s, decide, find_cuts, spans_of, sweep_chunk
from pipeline.media.record import Gap, Record, packed, unpacked
from pipeline.media.result import LostSpan, Sweep
from pipeline.settings import PipelineSettings
from pipeline.stages.probe import probe

Videos = Callable[[str], Path]
CHUNK_S = 3.0
TIMED = {"seconds", "bytes_read"}
"""Fields of a sweep that tell of the work, not of the video."""
DENSE = {"g": "12", "bf": "2", "preset": "ultrafast"}
MAKERS: dict[str, dict[str, Any]] = {
    "dense.mp4": {"options": DENSE},
    "dense.mkv": {"options": DENSE, "audio_s": 12.0},
    "open.mp4": {"options": {"preset": "veryfast", "x264-params": "open-gop=1:keyint=25:scenecut=0:bframes=3"}},
    "hevc.mp4": {"codec": "libx265", "options": {"preset": "ultrafast", "x265-params": "keyint=20:bframes=3:log=-1"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "25", "cpu-used": "8", "deadline": "realtime"}},
    "mpeg4.mp4": {"codec": "mpeg4", "options": {"bf": "2", "g": "25", "b": "8M"}},
    "variable.mp4": {"options": DENSE, "times": lambda number: number * 40 + (number % 3) * 9},
    "turned.mp4": {"options": DENSE, "rotation": 90},
}
SHOTS = [20, 70, 31, 9, 55, 40, 25, 50]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Videos:
    """Return the path of a video of 12 s by its name."""
    folder = tmp_path_factory.mktemp("long")

    @cache
    def make(name: str) -> Path:
        return write_video(folder / name, shots(SHOTS), **MAKERS[name])

    return make


def in_chunks(
    path: Path, settings: PipelineSettings, cuts: Sequence[int] | None = None, *, missing: Sequence[int] = ()
) -> tuple[Sweep, set[int]]:
    """Return what the chunks of a video add up to, and the frames whose pictures they handed on."""
    name = os.fsencode(path)
    found = probe(name, settings.probe)
    task = Task(name, found, (0, 0, found.width, found.height), settings)
    cuts = find_cuts(name, found, settings, CHUNK_S) if cuts is None else tuple(cuts)
    assert cuts
    parts: list[Record | Gap] = []
    handed: set[int] = set()
    base = 0
    for number, span in enumerate(spans_of(cuts)):
        if number in missing:
            parts.append(Gap(LostSpan(*borders_s(cuts, found)[number : number + 2], "not there")))
            continue
        mine: list[int] = []
        record = sweep_chunk(
            task,
            span,
            decode_threads=1 + number % 2,
            on_frame=lambda frame, mine=mine: mine.append(frame.frame_index),  # type: ignore[misc]
            progress=lambda *_: None,
        )
        handed |= {base + index for index in mine}
        base += record.frame_count
        parts.append(unpacked({key: np.array(column) for key, column in packed(record).items()}))
    return decide(task, parts, lambda *_: None), handed


def differing(one: Sweep, other: Sweep) -> list[str]:
    names = (field.name for field in fields(Sweep))
    return [name for name in names if name not in TIMED and getattr(one, name) != getattr(other, name)]


def configured(**sections: Any) -> PipelineSettings:
    return PipelineSettings.model_validate(sections)


@pytest.mark.parametrize("name", MAKERS)
def test_chunks_of_each_kind_of_video_add_up_to_the_unchunked_result(made: Videos, name: str) -> None:
    whole = run_sweep(made(name))
    joined, handed = in_chunks(made(name), PipelineSettings())
    assert not differing(whole.result, joined)
    assert len(joined.scenes) > 4
    assert {frame.frame_index for frame in joined.frames} <= handed, "no picture has to be decoded again"


@pytest.mark.parametrize(
    "sections",
    [
        {"scenes": {"detector": "content"}},
        {"scenes": {"detector": "threshold"}},
        {"scenes": {"detector": "hash"}},
        {"scenes": {"enabled": False}},
        {"scenes": {"min_scene_len": 60}},
        {"frames": {"method": "interval", "interval_s": 0.7}},
        {"frames": {"method": "uniform", "uniform_frames": 5}},
        {"frames": {"method": "keyframes"}},
        {"frames": {"min_coverage": 1000.0}},
        {"frames": {"frames_per_scene": 20, "candidates_per_s": 20}},
        {"dedupe": {"enabled": False}},
        {"dedupe": {"max_distance": 30, "every_scene": False}},
    ],
    ids=str,
)
def test_chunks_add_up_with_other_settings(made: Videos, sections: dict[str, Any]) -> None:
    settings = configured(**sections)
    whole = run_sweep(made("open.mp4"), settings)
    joined, _ = in_chunks(made("open.mp4"), settings)
    assert not differing(whole.result, joined)


@trying(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(["dense.mp4", "open.mp4", "dense.mkv"]))
def test_chunks_add_up_wherever_the_video_is_cut(made: Videos, data: st.DataObject, name: str) -> None:
    keys = keyframes(made(name))
    cuts = data.draw(st.sets(st.sampled_from(keys[1:]), min_size=1, max_size=6))
    whole = run_sweep(made(name), threads=1)
    assert not differing(whole.result, in_chunks(made(name), PipelineSettings(), sorted(cuts))[0])


def keyframes(path: Path) -> list[int]:
    import av

    with av.open(str(path)) as container:
        packets = container.demux(container.streams.video[0])
        return [packet.pts for packet in packets if packet.is_keyframe and packet.pts is not None]


def test_a_damaged_chunk_is_read_as_far_as_it_goes_and_the_others_are_untouched(made: Videos, tmp_path: Path) -> None:
    data = bytearray(made("dense.mp4").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    whole = run_sweep(path)
    joined, _ = in_chunks(path, PipelineSettings())
    assert joined.frames_lost
    assert not differing(whole.result, joined)


@pytest.mark.parametrize("missing", [[0], [1], [3]])
def test_a_missing_chunk_is_a_lost_part_and_the_rest_keeps_its_times(made: Videos, missing: list[int]) -> None:
    whole = run_sweep(made("dense.mp4")).result
    joined, _ = in_chunks(made("dense.mp4"), PipelineSettings(), missing=missing)
    (lost,) = joined.lost
    assert lost.reason == "not there"
    assert joined.frames_decoded + joined.frames_lost == whole.frames_decoded
    assert joined.duration_s == pytest.approx(whole.duration_s)
    assert joined.fps == pytest.approx(whole.fps, rel=0.01)
    outside = [frame for frame in joined.frames if not lost.start_s - 1e-6 <= frame.time_s < lost.end_s - 1e-6]
    assert outside == list(joined.frames)


def uncut(path: Path, **sections: Any) -> str:
    settings = configured(**sections)
    with pytest.raises(UncuttableError) as raised:
        find_cuts(os.fsencode(path), probe(os.fsencode(path), settings.probe), settings, CHUNK_S)
    return str(raised.value)


def test_what_cannot_be_cut_safely_is_not_cut_and_the_reason_is_told(
    made: Videos, videos: Videos, tmp_path: Path
) -> None:
    assert "container has no index" in uncut(videos("mpeg2.ts"))
    assert "cannot be decoded from its middle" in uncut(videos("mpeg4.avi"))
    assert "no keyframe" in uncut(write_video(tmp_path / "one_key.mp4", shots([300]), options={"g": "999"}))
    assert "part of its frames" in uncut(made("dense.mp4"), probe={"max_frames": 10})


def test_a_fragmented_video_is_cut_only_if_it_adds_up(made: Videos, tmp_path: Path) -> None:
    fragments = remuxed(made("dense.mp4"), tmp_path / "fragments.mp4", "frag_keyframe+empty_moov")
    assert not differing(run_sweep(fragments).result, in_chunks(fragments, PipelineSettings())[0])


def test_a_video_that_is_not_longer_than_a_chunk_is_not_cut(made: Videos) -> None:
    name = os.fsencode(made("dense.mp4"))
    found = probe(name, PipelineSettings().probe)
    assert find_cuts(name, found, PipelineSettings(), found.duration_s) == ()
    assert find_cuts(name, found, PipelineSettings(), 0.0) == ()


def test_real_videos_in_chunks_add_up(shared_media: Path) -> None:
    names = ("edited/edit-1-x265.mp4", "Breakthrough+DVR-Scan/tests/resources/traffic_camera_vfr.mp4")
    for path in (shared_media / "videos" / name for name in names):
        settings = configured(frames={"candidates_per_s": 1})
        whole = run_sweep(path, settings)
        name = os.fsencode(path)
        cuts = find_cuts(name, whole.probe, settings, 11.0)
        assert not differing(whole.result, in_chunks(path, settings, cuts)[0])
