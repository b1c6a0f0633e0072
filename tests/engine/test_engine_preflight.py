"""What can be known to be hopeless before any work is refused before any work."""

import hashlib
import json
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from engine_harness import Bench, settings
from PIL import Image

from pipeline.engine.plan import check
from pipeline.engine.preflight import check_device, check_hwaccel, check_models
from pipeline.errors import MissingWeightsError, SettingsError
from pipeline.models import registry
from pipeline.outputs.manifest import read_manifest
from pipeline.settings import Settings


class NvmlError(Exception):
    pass


def driver(gpus: int | None) -> Any:
    """NVML of a machine with so many GPUs, or without a driver."""

    def start() -> None:
        if gpus is None:
            raise NvmlError("no driver")

    return SimpleNamespace(
        NVMLError=NvmlError,
        nvmlInit=start,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: gpus,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetMigMode=lambda device: (0, 0),
    )


def with_checkpoint(path: Path, **model: object) -> Settings:
    described = {"architecture": "tiny-shapes", "path": str(path), **model}
    models = {"embed": {"models": ["mine"]}, "models": {"mine": described}}
    return Settings.model_validate(settings().model_dump() | models)


def safetensors(path: Path, *, cut: int = 0) -> Path:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    path.write_bytes((struct.pack("<Q", len(header)) + header + bytes(8))[: -cut or None])
    return path


@pytest.mark.parametrize(("device", "gpus"), [("auto", None), ("cpu", None), ("cuda:0", 1), ("cuda:1", 2)])
def test_a_device_that_is_there_may_be_asked_for(device: str, gpus: int | None) -> None:
    check_device(device, driver(gpus))


@pytest.mark.parametrize(("device", "gpus", "words"), [("cuda:0", None, "no GPU"), ("cuda:1", 1, "1 GPU")])
def test_a_device_that_the_driver_does_not_report_is_refused(device: str, gpus: int | None, words: str) -> None:
    with pytest.raises(SettingsError, match=f"{device}.*{words}"):
        check_device(device, driver(gpus))


def test_a_gpu_that_has_to_decode_must_be_there() -> None:
    with pytest.raises(SettingsError, match=r"decode\.hwaccel is cuda.*no GPU"):
        check_hwaccel("cuda", driver(None))
    for hwaccel, gpus in (("cuda", 1), ("auto", None), ("none", None)):
        check_hwaccel(hwaccel, driver(gpus))


def test_a_driver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.engine.preflight.NVML_DEADLINE_S", 0.05)
    hang = threading.Event()
    nvml = driver(1)
    nvml.nvmlInit = hang.wait
    check_device("cuda:7", nvml)
    hang.set()


def test_the_built_in_checkpoint_passes_and_needs_no_device_without_models() -> None:
    options = Settings.model_validate(settings().model_dump() | {"embed": {"models": ["tiny-shapes"]}})
    check_models(options, driver(None))
    check_models(Settings.model_validate(settings().model_dump() | {"host": {"device": "cuda:0"}}), driver(None))


def test_a_sound_checkpoint_passes_with_and_without_a_pinned_checksum(tmp_path: Path) -> None:
    path = safetensors(tmp_path / "a.safetensors")
    check_models(with_checkpoint(path), driver(None))
    check_models(with_checkpoint(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest()), driver(None))


@pytest.mark.parametrize("content", [b"", b"short", bytes(range(256)) * 8, struct.pack("<Q", 2) + b"[]"])
def test_a_checkpoint_that_is_no_safetensors_file_is_refused(bench: Bench, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "noise.safetensors"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"noise.safetensors of model mine .* not a safetensors file"):
        check(bench.start(with_checkpoint(path)))
    assert not os.path.exists(bench.out), "nothing was done"


def test_a_checkpoint_that_was_cut_off_or_is_another_or_is_gone_is_refused(bench: Bench, tmp_path: Path) -> None:
    whole, cut = safetensors(tmp_path / "a.safetensors"), safetensors(tmp_path / "b.safetensors", cut=3)
    with pytest.raises(SettingsError, match="its header promises"):
        check(bench.start(with_checkpoint(cut)))
    with pytest.raises(SettingsError, match="SHA-256"):
        check(bench.start(with_checkpoint(whole, sha256="0" * 64)))
    whole.unlink()
    with pytest.raises(MissingWeightsError):
        check(bench.start(with_checkpoint(whole)))


def test_every_built_in_checkpoint_has_the_checksum_that_is_pinned() -> None:
    for name in registry.BUILTIN:
        check_models(Settings.model_validate({"embed": {"models": [name]}}), driver(None))


@pytest.mark.parametrize("made", ["noise", "another network"])
def test_a_headless_run_with_a_checkpoint_that_cannot_be_loaded_ends_with_the_reason(tmp_path: Path, made: str) -> None:
    path = tmp_path / "mine.safetensors"
    if made == "noise":
        path.write_bytes(b"\x07\x13" * 1000)
    else:
        safetensors(path)
    architecture = registry.BUILTIN["tiny-shapes"][0].with_suffix(".json")
    (tmp_path / "config.toml").write_text(
        f'state_dir = "{tmp_path}/state"\n[engine]\nsettle_s = 0\n[embed]\nmodels = ["mine"]\n'
        f'[models.mine]\narchitecture = "{architecture}"\npath = "{path}"\n'
    )
    Image.effect_noise((64, 64), 40).save(tmp_path / "a.png")
    command = [sys.executable, "-m", "vconsole", "extract", str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]
    ended = subprocess.run(
        [*command, "--config", str(tmp_path / "config.toml")], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 2, ended
    assert str(path) in ended.stderr
    if made == "another network":
        assert "vconsole resume 1" in ended.stderr
        assert "started again" not in ended.stdout, "what is hopeless is not tried again"
        assert [row["status"] for row in read_manifest(os.fsencode(tmp_path / "out"))] == ["queued"]
