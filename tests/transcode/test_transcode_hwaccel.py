"""Transcodes whose sources a GPU decodes: the output is the same one, and what only software tells of is left to it."""

from pathlib import Path
from typing import Any

import pytest
from fake_gpu import NAME, FakeGpu
from fake_gpu import gpu as gpu
from transcode_make import Film, decode_all, make, run, settings

from pipeline.media import engines
from pipeline.model import FailureClass, JobState

SMALLER = {"speed": "ultrafast", "resolution": "160x90"}
REORDERED = Film(frames=100, options={"preset": "veryfast", "bf": "3"})


def pictures(path: Path) -> list[Any]:
    return [(frame.pts, frame.to_ndarray().tobytes()) for frame in decode_all(path)[0]]


@pytest.mark.parametrize("after", [None, 0, 11, 40, 99])
def test_what_a_gpu_decodes_is_encoded_as_what_software_decodes(
    tmp_path: Path, gpu: FakeGpu, after: int | None
) -> None:
    source = make(tmp_path / "a.mkv", REORDERED)
    run(source, tmp_path / "software", settings(**SMALLER))
    gpu.fails_after = after
    outcome = run(source, tmp_path / "out", settings(**SMALLER), hwaccel="cuda")
    assert outcome.state is JobState.DONE, outcome.failure
    assert pictures(tmp_path / "out" / "a.mp4") == pictures(tmp_path / "software" / "a.mp4")
    assert outcome.result["decoded_by"] == NAME
    assert ("LAUNCH_FAILED" in outcome.result.get("decode_fallback", "")) is (after is not None)


@pytest.mark.parametrize("changes", [{"hwaccel": "none"}, {"salvage": True}])
def test_a_gpu_is_left_alone_where_the_settings_need_software(
    tmp_path: Path, gpu: FakeGpu, changes: dict[str, Any]
) -> None:
    source = make(tmp_path / "a.mkv", REORDERED)
    outcome = run(source, tmp_path / "out", settings(**SMALLER, **changes), hwaccel="cuda")
    assert outcome.state is JobState.DONE and not gpu.opened


def test_a_gpu_is_left_alone_where_it_may_not_be_exact(tmp_path: Path, gpu: FakeGpu) -> None:
    source = make(tmp_path / "a.mkv", Film(codec="mpeg4", options={}))
    outcome = run(source, tmp_path / "out", settings(**SMALLER), hwaccel="cuda")
    assert outcome.state is JobState.DONE and not gpu.opened and "decoded_by" not in outcome.result


def test_a_gpu_that_has_to_decode_and_is_not_here_is_a_fault_of_the_settings(
    tmp_path: Path, gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "gpus", lambda: ())
    outcome = run(make(tmp_path / "a.mkv", REORDERED), tmp_path / "out", settings(**SMALLER), hwaccel="cuda")
    assert outcome.failure is not None and outcome.failure.failure is FailureClass.SETTINGS


@pytest.mark.gpu
def test_nvdec_gives_the_output_of_the_cpu(tmp_path: Path) -> None:
    if not engines.gpus():
        pytest.skip("no NVIDIA GPU; it would compare an output decoded by NVDEC with that of the CPU")
    source = make(tmp_path / "a.mkv", REORDERED)
    for name, hwaccel in (("software", "none"), ("out", "cuda")):
        run(source, tmp_path / name, settings(**SMALLER), hwaccel=hwaccel)
    assert pictures(tmp_path / "out" / "a.mp4") == pictures(tmp_path / "software" / "a.mp4")
