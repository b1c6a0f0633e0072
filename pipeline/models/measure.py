"""Measures a model that was just loaded, once for each model, device and precision, and remembers what it found."""

import platform
import time
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import cast

import numpy as np

from pipeline.models import remembered
from pipeline.models.families.interface import AnyModel, Model
from pipeline.models.faults import Fault, fault_of
from pipeline.models.pictures import PictureSpec
from pipeline.models.tuning import START_ON_CPU, best_batch_size
from pipeline.sections import HostSettings


def usual_batch_size(host: HostSettings) -> int:
    """Return the batch size before anything was measured."""
    return START_ON_CPU if host.batch_size == "auto" else host.batch_size


def measured_batch_size(model: AnyModel, host: HostSettings, remember: Path | None, load_s: float) -> int:
    """Return the batch size for a model: that of the settings, that remembered in the file, or the one measured now.

    A model of speech or text says itself how much it takes: how long it takes depends on what is said or shown.

    Raises what the model raises on a single picture.
    """
    spec = model.spec
    device, memory_bytes = _device(spec.device)
    compiled = ["compiled"] if host.compile else []
    name = _name([spec.model, spec.weights_sha256, spec.precision, device, str(host.threads), *compiled])
    known = remembered.read(remember).get(name, {}) if remember else {}
    entry = {**known, "key": spec.key, "device": device, "precision": spec.precision, "load_s": round(load_s, 2)}
    entry |= {"weights_bytes": model.usage().weights_bytes}
    entry |= {"compiled": isinstance(spec, PictureSpec) and spec.compiled}
    if not isinstance(spec, PictureSpec):
        size = spec.batch_size
    elif host.batch_size != "auto":
        size = host.batch_size
    elif isinstance(known.get("batch_size"), int) and known["batch_size"] > 0:
        size = known["batch_size"]
    else:
        size, rate = best_batch_size(lambda count: _seconds(cast("Model", model), count), memory_bytes)
        entry |= {"batch_size": size, "pictures_per_s": round(rate, 1)}
    if remember:
        remembered.write(remember, name, entry)
    return size


def batch_bytes(model: AnyModel, size: int) -> int:
    """Return what a batch takes of a GPU beside the parameters; 0 of the CPU, for speech, and where it does not fit."""
    if not model.spec.device.startswith("cuda") or not isinstance(model.spec, PictureSpec):
        return 0
    import torch

    torch.cuda.reset_peak_memory_stats(model.spec.device)
    before = torch.cuda.memory_allocated(model.spec.device)
    try:
        _seconds(model, size)
    except Exception as error:
        if fault_of(error) is Fault.MEMORY:
            return 0
        raise
    return max(0, int(torch.cuda.max_memory_allocated(model.spec.device)) - before)


def _seconds(model: Model, count: int) -> float:
    blank = np.zeros((model.spec.height, model.spec.width, 3), np.uint8)
    began = time.monotonic()
    model.encode_pictures([blank] * count)
    return time.monotonic() - began


def _name(parts: Sequence[str]) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()


def _device(device: str) -> tuple[str, int]:
    """Return what the device is called and the bytes of its memory, 0 for the CPU."""
    if not device.startswith("cuda"):
        return platform.processor() or platform.machine(), 0
    import torch

    properties = torch.cuda.get_device_properties(device)
    return str(properties.name), int(properties.total_memory)
