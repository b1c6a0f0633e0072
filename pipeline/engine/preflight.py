"""Finds out without torch whether the device and the checkpoints of a run can be used at all."""

import json
import os
import queue
import struct
import threading
from pathlib import Path
from typing import Any

import pynvml

from pipeline.engine.gpus import mig_instances
from pipeline.errors import SettingsError
from pipeline.models import registry
from pipeline.models.registry import WeightsStatus
from pipeline.models.weights import sha256_of
from pipeline.settings import PipelineSettings
from pipeline.text import plural, visible
from pipeline.visible_gpus import SHOWN, shown_to_cuda

NVML_DEADLINE_S = 5.0
"""How long a driver that hangs is waited for; then the model host has to find out."""
MAX_HEADER_BYTES = 100_000_000
"""The longest header that safetensors itself reads."""


def check_models(settings: PipelineSettings, nvml: Any = pynvml) -> None:
    """Raise SettingsError or MissingWeightsError if the models of a run could never be loaded here."""
    if not settings.model_keys:
        return
    registry.require(settings.model_keys, settings)
    for device in settings.host.devices:
        check_device(device, nvml)
    models = registry.catalogue(settings)
    for key in settings.model_keys:
        check_checkpoint(registry.locate(key, models[key]))


def check_device(device: str, nvml: Any = pynvml) -> None:
    """Raise SettingsError for a `cuda:N` that the driver does not report; `auto` and `cpu` are always there."""
    if not device.startswith("cuda:"):
        return
    count, number = gpu_count(nvml), int(device.removeprefix("cuda:"))
    shown = shown_to_cuda(os.environ) if count else None
    if shown is not None and number >= len(shown):
        raise SettingsError(
            f"host.device is {device}, and {SHOWN} shows {plural(len(shown), 'device')}.",
            remedy="Choose --device auto, --device cpu or a GPU that is shown.",
        )
    if shown is None and count is not None and number >= count:
        there = plural(count, "GPU") if count else "no GPU"
        raise SettingsError(
            f"host.device is {device}, and the NVIDIA driver reports {there} on this machine.",
            remedy="Choose --device auto, --device cpu or a GPU that is there.",
        )


def check_hwaccel(hwaccel: str, nvml: Any = pynvml) -> None:
    """Raise SettingsError if a GPU has to decode (`cuda`) and the driver reports none."""
    if hwaccel == "cuda" and gpu_count(nvml) == 0:
        raise SettingsError(
            "decode.hwaccel is cuda, and the NVIDIA driver reports no GPU on this machine.",
            remedy="Set decode.hwaccel to auto or none; `vconsole doctor` tells of the driver.",
        )


def check_checkpoint(status: WeightsStatus) -> None:
    """Raise SettingsError if a checkpoint is not what its checksum says, or no readable safetensors file."""
    path = status.path
    if path is None:
        if status.needed:
            raise registry.missing(status)
        return
    wrong = ""
    try:
        if path.suffix == ".safetensors":
            wrong = _fault_of_safetensors(path)
        if not wrong and status.expected_sha256 and (found := sha256_of(path)) != status.expected_sha256:
            wrong = f"its SHA-256 is {found}, expected {status.expected_sha256}"
    except OSError as error:
        wrong = f"it cannot be read: {error.strerror}"
    if wrong:
        raise SettingsError(
            f"The checkpoint {visible(str(path))} of model {status.key} cannot be loaded: {wrong}.",
            remedy=f"Fetch or copy it again, or give [models.{status.key}] another path or sha256.",
        )


def gpu_count(nvml: Any = pynvml) -> int | None:
    """Return how many GPUs (MIG instances where one is divided) there are, 0 without a driver, None if it hangs."""
    told: queue.SimpleQueue[int] = queue.SimpleQueue()

    def ask() -> None:
        try:
            nvml.nvmlInit()
        except nvml.NVMLError:
            told.put(0)
            return
        try:
            told.put(sum(max(1, len(mig_instances(nvml, index))) for index in range(nvml.nvmlDeviceGetCount())))
        except nvml.NVMLError:
            told.put(0)
        finally:
            nvml.nvmlShutdown()

    threading.Thread(target=ask, name="count-gpus", daemon=True).start()
    try:
        return told.get(timeout=NVML_DEADLINE_S)
    except queue.Empty:
        return None


def _fault_of_safetensors(path: Path) -> str:
    """Return what is wrong with the header of a safetensors file or its length, empty if nothing. Raises OSError.

    Layout: length of the header as uint64 little-endian, the header in JSON, then the tensors end to end.
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else MAX_HEADER_BYTES + 1
        if length > min(MAX_HEADER_BYTES, size - 8):
            return "it is not a safetensors file"
        try:
            header = json.loads(file.read(length))
            ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return "it is not a safetensors file"
    wanted = 8 + length + max(ends, default=0)
    return "" if size == wanted else f"it has {size} bytes where its header promises {wanted}"
