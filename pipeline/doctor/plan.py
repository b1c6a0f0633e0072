"""What an examination looks at on this machine, in the order in which it is told."""

import os
from pathlib import Path

from pipeline.doctor.examination import Look
from pipeline.doctor.libraries import LIBRARIES
from pipeline.doctor.recipes import NVDEC, NVENC, SOUND, VIDEO
from pipeline.engine.preflight import gpu_count
from pipeline.settings import PRESETS, Settings, with_preset
from pipeline.visible_gpus import shown_to_cuda

DISK_S, IMPORT_S, WEIGHTS_S = 60.0, 120.0, 300.0
"""How long a disk, a large library on a slow disk, and the checksum of a large checkpoint may take."""


def plan(settings: Settings, state_dir: Path, out: bytes = b"") -> list[Look]:
    """Return all looks; asks the driver for the number of GPUs, which may take seconds."""
    folder = str(state_dir)
    return [
        Look("program", "versions", "program"),
        Look("machine", "limits", "machine"),
        Look("state folder", "place", "state", {"folder": folder}, DISK_S),
        Look("state folder", "disk", "disk", {"group": "state folder", "folder": folder}, DISK_S),
        Look("output folder", "place", "output", {"folder": os.fsdecode(out), "state_folder": folder}, DISK_S),
        *(Look("libraries", name, "library", {"distribution": name}, IMPORT_S) for name in LIBRARIES),
        *(Look("codecs", name, "video", {"name": name}) for name in VIDEO),
        *(Look("codecs", name, "sound", {"name": name}) for name in SOUND),
        *_gpus(settings),
        *_models(settings),
    ]


def _gpus(settings: Settings) -> list[Look]:
    looks = [Look("GPU", "driver", "driver")]
    looks += [Look("GPU", "host.device", "device", {"device": one}) for one in dict.fromkeys(settings.host.devices)]
    looks.append(Look("GPU", "decode.hwaccel", "hwaccel", {"hwaccel": settings.decode.hwaccel}))
    for index in range(_gpus_shown()):
        looks.append(Look("GPU", f"torch on GPU {index}", "cuda", {"index": index}, IMPORT_S))
        for function, codecs in (("encode", NVENC), ("decode", NVDEC)):
            looks += [
                Look("GPU", f"{function} {name} on GPU {index}", function, {"name": name, "index": index})
                for name in codecs
            ]
    return looks


def _gpus_shown() -> int:
    """Return how many GPUs CUDA may use; it numbers those that CUDA_VISIBLE_DEVICES leaves."""
    there, shown = gpu_count() or 0, shown_to_cuda(os.environ)
    return there if shown is None else min(there, len(shown))


def _models(settings: Settings) -> list[Look]:
    """Return a look at each model that a preset would load, and at what reads text."""
    catalogue = {key: model.model_dump(mode="json") for key, model in settings.models.items()}
    keys: dict[str, None] = {}
    for name in {**PRESETS, **settings.presets}:
        keys |= dict.fromkeys(with_preset(settings, name).model_keys)
    looks = [Look("models", key, "weights", {"key": key, "models": catalogue}, WEIGHTS_S) for key in keys]
    return [*looks, Look("models", "text", "text", {"wanted": settings.text.model_dump(mode="json")}, IMPORT_S)]
