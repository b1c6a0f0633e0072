"""Decoding on a GPU: the results are those of the CPU, it is chosen by measuring, bounded, and given up in mid-file."""

import dataclasses
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_gpu import NAME, FakeGpu
from fake_gpu import gpu as gpu
from media_make import shots, write_video
from media_run import Swept, run_sweep

from pipeline.errors import JobError
from pipeline.extract import extract
from pipeline.extract_job import Division, ExtractJob, RunContext
from pipeline.identity import content_id, identity_of, open_regular
from pipeline.media import engines, hwaccel
from pipeline.media.chunk import Task, sweep_chunk
from pipeline.media.engines import Engines, Measured, nvdecs
from pipeline.media.open import open_media, prepare_decoder
from pipeline.media.stretch import WHOLE
from pipeline.media.sweep import asked
from pipeline.model import FailureClass, JobState, Stage
from pipeline.models import remembered
from pipeline.outcome import Outcome
from pipeline.settings import PipelineSettings
from pipeline.stage_sections import DecodeSettings
from pipeline.stages.probe import probe

Videos = Callable[[str], Path]
SHOTS = [50, 70, 40, 90]
OPTIONS: dict[str, dict[str, Any]] = {
    "h264.mp4": {"options": {"preset": "veryfast", "x264-params": "keyint=50:bframes=3:b-pyramid=normal"}},
    "open.mp4": {"options": {"preset": "veryfast", "x264-params": "open-gop=1:keyint=25:scenecut=0:bframes=3"}},
    "all_keys.mp4": {"options": {"preset": "ultrafast", "g": "1"}},
    "hevc.mp4": {"codec": "libx265", "options": {"preset": "ultrafast", "x265-params": "keyint=50:bframes=3:log=-1"}},
    "deep.mkv": {
        "codec": "libx265",
        "options": {"preset": "ultrafast", "x265-params": "keyint=25:log=-1"},
        "pixel_format": "yuv420p10le",
    },
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "50", "cpu-used": "8", "deadline": "realtime"}},
    "full.mp4": {"options": {"preset": "veryfast", "x264-params": "keyint=50:fullrange=on"}},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Videos:
    folder = tmp_path_factory.mktemp("decoded")

    def get(name: str) -> Path:
        path = folder / name
        return path if path.exists() else write_video(path, shots(SHOTS), **OPTIONS[name])

    return get


def on_gpu(folder: Path, hwaccel: str = "cuda", most: int = 4) -> Engines:
    return Engines(DecodeSettings.model_validate({"hwaccel": hwaccel, "engines": most}), str(folder))


def same(one: Swept, other: Swept) -> bool:
    assert dataclasses.replace(other.result, seconds={}) == dataclasses.replace(one.result, seconds={})
    assert other.pictures.keys() == one.pictures.keys()
    return all(np.array_equal(other.pictures[index], one.pictures[index]) for index in one.pictures)


@pytest.mark.parametrize("name", OPTIONS)
def test_what_a_gpu_decodes_gives_the_result_of_the_cpu(made: Videos, gpu: FakeGpu, tmp_path: Path, name: str) -> None:
    used = on_gpu(tmp_path)
    assert same(run_sweep(made(name)), run_sweep(made(name), engines=used))
    assert used.told() == {"decoded_by": NAME}
    assert gpu.decoded >= sum(SHOTS) and gpu.formats == {"p010le" if name == "deep.mkv" else "nv12"}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("after", [0, 1, 7, 24, 26, 60, 133])
def test_a_gpu_that_fails_in_mid_file_changes_nothing_but_what_is_told(
    made: Videos, gpu: FakeGpu, tmp_path: Path, name: str, after: int
) -> None:
    gpu.fails_after, used = after, on_gpu(tmp_path)
    assert same(run_sweep(made(name), threads=1), run_sweep(made(name), threads=1, engines=used))
    assert gpu.failed == 1 and gpu.decoded <= after
    assert "CUDA_ERROR_LAUNCH_FAILED" in used.told()["decode_fallback"]


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("after", [0, 5, 30, 61, 112, 249, 250])
def test_without_a_flush_no_picture_is_missing_or_given_twice(
    made: Videos, gpu: FakeGpu, name: str, after: int
) -> None:
    gpu.fails_after, told = after, []
    path = os.fsencode(made(name))
    with open_media(path, Stage.PROBE, 1 << 20) as container:
        wanted = [(frame.pts, frame.format.name, frame.to_ndarray()) for frame in container.decode(video=0)]
    with open_media(path, Stage.PROBE, 1 << 20) as container:
        stream = container.streams.video[0]
        prepare_decoder(stream, 1 << 20, 1)
        decoder = hwaccel.HardwareDecoder(gpu.open(stream, 0, 1 << 20), stream.codec_context, told.append)
        packets = [packet for packet in container.demux(stream) if packet.size]
        found = [frame for packet in (*packets, None) for frame in decoder.decode(packet)]
    assert [frame.pts for frame in found] == [pts for pts, _, _ in wanted]
    for frame, (_, name, picture) in zip(found, wanted, strict=True):
        assert frame.format.name == name and np.array_equal(frame.to_ndarray(), picture)
    assert len(told) == 1


def test_packets_are_kept_only_back_to_a_keyframe_and_too_many_end_it(
    made: Videos, gpu: FakeGpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hwaccel, "_MOST_KEPT_BYTES", 60_000)
    used = on_gpu(tmp_path)
    assert same(run_sweep(made("all_keys.mp4")), run_sweep(made("all_keys.mp4"), engines=used))
    assert "decode_fallback" not in used.told()
    monkeypatch.setattr(hwaccel, "_MOST_KEPT_BYTES", 2000)
    assert same(run_sweep(made("h264.mp4")), run_sweep(made("h264.mp4"), engines=used))
    assert "too far apart" in used.told()["decode_fallback"]


def test_the_result_of_a_job_tells_that_software_went_on(made: Videos, gpu: FakeGpu, tmp_path: Path) -> None:
    gpu.fails_after = 30
    assert_told(do(made("h264.mp4"), tmp_path))


def test_the_result_of_a_video_in_chunks_tells_it_of_one_of_them(made: Videos, gpu: FakeGpu, tmp_path: Path) -> None:
    divided = do(made("h264.mp4"), tmp_path, may_divide=True)
    division = Division(**divided.result["division"])
    chunks = range(len(division.cuts) + 1)
    assert len(chunks) > 1
    for number in chunks:
        gpu.fails_after = 30 if number else None
        assert (
            "decode_fallback" in do(made("h264.mp4"), tmp_path, division=replace(division, chunk=number)).result
        ) is bool(number)
    opened = gpu.opened
    assert_told(do(made("h264.mp4"), tmp_path, division=division))
    assert gpu.opened == opened


def assert_told(outcome: Outcome) -> None:
    assert outcome.state is JobState.DONE, outcome.failure
    assert outcome.result["decoded_by"] == NAME and "LAUNCH_FAILED" in outcome.result["decode_fallback"]


def do(path: Path, out: Path, **changes: Any) -> Outcome:
    sections = {"embed": {"enabled": False}, "decode": {"hwaccel": "cuda"}, "engine": {"chunk_s": 4.0}}
    run = RunContext(PipelineSettings.model_validate(sections), os.fsencode(out), {}, "", state_dir=str(out))
    descriptor = open_regular(os.fsencode(path))
    job = ExtractJob(
        os.fsencode(path), b"a.mp4", identity_of(os.fstat(descriptor)), content_id(descriptor), 1, "", force=False
    )
    os.close(descriptor)
    return extract(replace(job, **changes), run, _Silent())


def test_a_chunk_is_decoded_on_a_gpu_too(made: Videos, gpu: FakeGpu, tmp_path: Path) -> None:
    settings, name = PipelineSettings(), os.fsencode(made("h264.mp4"))
    found = probe(name, settings.probe)
    task = Task(name, found, (0, 0, found.width, found.height), settings)
    records = [
        sweep_chunk(task, WHOLE, decode_threads=1, on_frame=_pass, progress=_pass, engines=used)
        for used in (None, on_gpu(tmp_path))
    ]
    assert gpu.decoded == records[0].frame_count == records[1].frame_count == sum(SHOTS)


@pytest.mark.parametrize(("hwaccel", "name"), [("none", "h264.mp4"), ("cuda", "mpeg4.mp4"), ("cuda", "mpeg4.avi")])
def test_a_gpu_is_left_alone_where_it_is_not_wanted_or_not_exact(
    made: Videos, videos: Videos, gpu: FakeGpu, tmp_path: Path, hwaccel: str, name: str
) -> None:
    used = on_gpu(tmp_path, hwaccel)
    run_sweep(made(name) if name in OPTIONS else videos(name), engines=used)
    assert not gpu.opened and used.told() == {}


def test_no_more_decoders_than_engines_and_who_has_none_decodes_by_software(
    made: Videos, gpu: FakeGpu, tmp_path: Path
) -> None:
    run_sweep(made("h264.mp4"), threads=3, engines=on_gpu(tmp_path, most=1))
    assert gpu.opened == 1
    with (tmp_path / engines.SLOTS / "0").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # as another worker does
        used = on_gpu(tmp_path, most=1)
        assert same(run_sweep(made("h264.mp4")), run_sweep(made("h264.mp4"), engines=used))
        assert gpu.opened == 1 and used.told() == {}
    run_sweep(made("h264.mp4"), engines=on_gpu(tmp_path, most=1))
    assert gpu.opened == 2


def test_auto_measures_once_a_kind_of_video_and_remembers(
    made: Videos, gpu: FakeGpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_sweep(made("h264.mp4"), engines=on_gpu(tmp_path, "auto"))
    (entry,) = remembered.read(tmp_path / engines.FILE).values()
    assert entry["key"] == "h264" and entry["device"] == NAME and entry["hardware_fps"] > 0 < entry["software_fps"]
    monkeypatch.setattr(engines, "measure", _never)
    run_sweep(made("open.mp4"), engines=on_gpu(tmp_path, "auto"))


@pytest.mark.parametrize(("frames", "wins"), [(20, False), (100, False), (101, True), (90_000, True)])
def test_a_short_video_does_not_pay_for_opening_the_gpu(
    made: Videos, gpu: FakeGpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: int, wins: bool
) -> None:
    measured = Measured("", open_s=0.5, hardware_fps=200.0, software_fps=100.0)
    assert measured.wins(frames) is wins
    monkeypatch.setattr(engines, "measure", lambda _: measured)
    used, name = on_gpu(tmp_path, "auto"), os.fsencode(made("h264.mp4"))
    found = probe(name, PipelineSettings().probe)
    used.choose(dataclasses.replace(asked(name, found, PipelineSettings(), 2), frames=frames))
    with open_media(name, Stage.PROBE, 1 << 20) as container, used.decoder(container.streams.video[0]):
        assert gpu.opened == wins


def test_auto_takes_the_cpu_where_the_gpu_refuses_or_gives_other_pictures(
    made: Videos, gpu: FakeGpu, tmp_path: Path
) -> None:
    gpu.wrong = True
    used = on_gpu(tmp_path, "auto")
    assert same(run_sweep(made("h264.mp4")), run_sweep(made("h264.mp4"), engines=used))
    gpu.wrong, gpu.refuses = False, "no device"
    assert same(run_sweep(made("hevc.mp4")), run_sweep(made("hevc.mp4"), engines=used))
    assert used.told() == {} and not (tmp_path / engines.FILE).exists()


def test_where_a_gpu_has_to_decode_its_absence_is_a_fault_of_the_settings(
    made: Videos, gpu: FakeGpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu.refuses = "Cannot load libcuda.so.1"
    with pytest.raises(JobError, match=r"Cannot load libcuda") as refused:
        run_sweep(made("h264.mp4"), engines=on_gpu(tmp_path))
    assert refused.value.failure is FailureClass.SETTINGS
    monkeypatch.setattr(engines, "gpus", lambda: ())
    with pytest.raises(JobError, match="no GPU") as refused:
        run_sweep(made("h264.mp4"), engines=on_gpu(tmp_path))
    assert refused.value.failure is FailureClass.SETTINGS
    used = on_gpu(tmp_path, "auto")
    run_sweep(made("h264.mp4"), engines=used)
    assert used.told() == {}


@pytest.mark.parametrize(
    ("name", "count"), [("NVIDIA H100 80GB HBM3, driver 1", 7), ("Tesla T4", 2), ("NVIDIA A100-SXM4-40GB", 5), ("X", 2)]
)
def test_the_engines_of_a_gpu_are_known_by_its_name(name: str, count: int) -> None:
    assert nvdecs(name) == count


@pytest.fixture
def nvdec() -> Iterator[None]:
    if not engines.gpus():
        pytest.skip("no NVIDIA GPU; it would compare what NVDEC decodes with the CPU and let `auto` measure")
    yield


@pytest.mark.gpu
@pytest.mark.parametrize("name", OPTIONS)
def test_nvdec_gives_the_result_of_the_cpu(nvdec: None, made: Videos, tmp_path: Path, name: str) -> None:
    used = on_gpu(tmp_path)
    assert same(run_sweep(made(name)), run_sweep(made(name), engines=used))
    assert used.told() == {"decoded_by": engines.gpus()[0]}


@pytest.mark.gpu
def test_auto_measures_nvdec(nvdec: None, made: Videos, tmp_path: Path) -> None:
    assert same(run_sweep(made("h264.mp4")), run_sweep(made("h264.mp4"), engines=on_gpu(tmp_path, "auto")))
    (entry,) = remembered.read(tmp_path / engines.FILE).values()
    assert entry["hardware_fps"] > 0 and entry["open_s"] > 0


class _Silent:
    """Hears how a job gets on and says nothing."""

    def progress(self, stage: Stage, share: float, **_: object) -> None:
        """Nothing."""

    def passed(self, stage: Stage, seconds: float, items: int, *, reused: bool = False) -> None:
        """Nothing."""


def _pass(*_: object) -> None:
    """Do nothing."""


def _never(_: object) -> None:
    raise AssertionError("measured again")
