"""Tries the GPU: the driver, a product of matrices through torch, and the video engines through FFmpeg."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

import av
import pynvml
from av.codec.hwaccel import HWAccel

from pipeline.doctor.codecs import CodecError, Luma, can_encode, compare, decode, encode, luma_of, said
from pipeline.doctor.recipes import NVDEC, NVENC, VIDEO, Recipe
from pipeline.engine.preflight import check_device, check_hwaccel
from pipeline.errors import SettingsError
from pipeline.health import Check, Grade

GROUP = "GPU"
PCI = Path("/sys/bus/pci/devices")
NVIDIA, DISPLAY = "0x10de", "0x03"
MATRIX = 256
VIDEO_LIBRARIES = (
    "In a container, pass the driver's video libraries in: NVIDIA_DRIVER_CAPABILITIES=compute,video,utility."
)
REASONS = (
    ("libnvidia-encode", "the driver's encoder library is not here", VIDEO_LIBRARIES),
    ("libnvcuvid", "the driver's decoder library is not here", VIDEO_LIBRARIES),
    ("libcuda", "the driver's CUDA library is not here", "Install the NVIDIA driver, or pass it into the container."),
    ("unsupported device", "this GPU has no such encoder", "Nothing to do: the software encoder serves."),
    ("codec not supported", "this GPU has no such engine", "Nothing to do: the software codec serves."),
    ("no capable devices", "this GPU has no such engine", "Nothing to do: the software codec serves."),
    ("minimum required nvidia driver", "the driver is too old for this FFmpeg", "Install a newer NVIDIA driver."),
)
"""What FFmpeg writes -> what that means, and the fix."""
SOFTWARE = "Software codecs serve in its place; look at the driver's log (dmesg) if it should work."


def driver() -> list[Check]:
    """Return the driver and the GPUs as NVML tells of them; a machine without one is well, too."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return [_no_driver(str(error))]
    try:
        version, cuda = pynvml.nvmlSystemGetDriverVersion(), pynvml.nvmlSystemGetCudaDriverVersion_v2()
        found = f"NVIDIA {version}, CUDA up to {cuda // 1000}.{cuda % 1000 // 10}"
        checks = [Check(GROUP, "driver", Grade.OK, found)]
        return checks + [_gpu(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as error:
        return [Check(GROUP, "driver", Grade.WARNING, f"NVML fails: {error}", "Restart the driver or the machine.")]
    finally:
        pynvml.nvmlShutdown()


def device(device: str) -> list[Check]:
    """Return whether the device that the settings name is there."""
    try:
        check_device(device)
    except SettingsError as error:
        return [Check(GROUP, "host.device", Grade.FAULT, str(error), error.remedy)]
    return [Check(GROUP, "host.device", Grade.OK, device)]


def hwaccel(hwaccel: str) -> list[Check]:
    """Return whether videos can be decoded as the settings ask; the engines themselves are tried one by one."""
    try:
        check_hwaccel(hwaccel)
    except SettingsError as error:
        return [Check(GROUP, "decode.hwaccel", Grade.FAULT, str(error), error.remedy)]
    return [Check(GROUP, "decode.hwaccel", Grade.OK, hwaccel)]


def cuda(index: int) -> list[Check]:
    """Multiply two matrices on a GPU through torch and compare with the CPU."""
    import torch

    name = f"torch on GPU {index}"
    if not torch.version.cuda:
        found = f"torch {torch.__version__} is built without CUDA: models run on the CPU"
        return [Check(GROUP, name, Grade.WARNING, found, "Install PyPI's torch: pip install -c constraints.txt torch")]
    if index >= torch.cuda.device_count():
        found = f"torch finds {torch.cuda.device_count()} GPUs; CUDA_VISIBLE_DEVICES={_hidden()!r}"
        return [Check(GROUP, name, Grade.WARNING, found, "Install a driver new enough for this torch, or show it.")]
    try:
        left = torch.arange(MATRIX * MATRIX, dtype=torch.float32).reshape(MATRIX, MATRIX) % 7
        product = (left.half().to(f"cuda:{index}") @ left.T.half().to(f"cuda:{index}")).float().cpu()
        right = bool(torch.allclose(product, left @ left.T, rtol=1e-2))
        major, minor = torch.cuda.get_device_capability(index)
    except RuntimeError as error:
        if "out of memory" in str(error).lower():
            found = "its memory is full, so nothing could be tried"
            return [Check(GROUP, name, Grade.WARNING, found, "Look again when nothing else uses it.")]
        return [Check(GROUP, name, Grade.FAULT, said(error), "Set host.device = cpu, or mend the driver.")]
    if not right:
        found = "a product of matrices comes out wrong"
        return [Check(GROUP, name, Grade.FAULT, found, "Do not use this GPU: set host.device = cpu or another.")]
    found = f"computes right; CUDA {torch.version.cuda}, compute capability {major}.{minor}"
    return [Check(GROUP, name, Grade.OK, found)]


def encoder(name: str, index: int) -> list[Check]:
    """Encode a few pictures by NVENC and decode them in software."""
    title, nvenc = f"encode {name} on GPU {index}", NVENC[name]
    if not can_encode(nvenc):
        return [Check(GROUP, title, Grade.WARNING, f"this build of FFmpeg has no {nvenc}", "pip install av")]
    recipe = Recipe(nvenc, options={"gpu": str(index)})
    return [_tried(title, lambda: compare(decode(encode(recipe))[0]), f"{nvenc} works")]


def decoder(name: str, index: int) -> list[Check]:
    """Encode a few pictures in software and decode them by NVDEC."""
    title = f"decode {name} on GPU {index}"
    return [_tried(title, lambda: compare(_decode_on_gpu(encode(VIDEO[name]), NVDEC[name], index)), "NVDEC works")]


def _decode_on_gpu(file: bytes, codec: str, index: int) -> list[Luma]:
    """Return the luma of every picture of a file. Raises FFmpegError, CodecError if the GPU was not used."""
    accelerated = HWAccel("cuda", device=str(index), allow_software_fallback=False)
    context = cast(av.VideoCodecContext, av.CodecContext.create(codec, "r", hwaccel=accelerated))
    with av.open(io.BytesIO(file), "r") as container:
        context.extradata = container.streams.video[0].codec_context.extradata
        packets = list(container.demux(video=0))
        found = [luma_of(frame) for packet in packets for frame in context.decode(packet)]
    if not context.is_hwaccel:
        raise CodecError("the software decoder was taken instead")
    return found


def _tried(title: str, attempt: Callable[[], None], works: str) -> Check:
    """Carry an attempt out; one that fails is a warning, for software does the same."""
    av.logging.set_level(av.logging.ERROR)
    with av.logging.Capture() as written:
        try:
            attempt()
        except (av.FFmpegError, CodecError, ValueError, RuntimeError, NotImplementedError) as error:
            told = " ".join([*(line.strip() for _, _, line in written), said(error)])
            known = ((why, fix) for sign, why, fix in REASONS if sign in told.lower())
            why, fix = next(known, (told[:200], SOFTWARE))
            return Check(GROUP, title, Grade.WARNING, why, fix)
    return Check(GROUP, title, Grade.OK, works)


def _gpu(index: int) -> Check:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    name = pynvml.nvmlDeviceGetName(handle)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    free, total = memory.free / (1 << 30), memory.total / (1 << 30)
    found = f"{name}, {free:.1f} of {total:.1f} GiB free"
    return Check(GROUP, f"GPU {index}", Grade.OK, found)


def _no_driver(why: str) -> Check:
    """Return that there is no GPU, or that there is one which no driver serves."""
    if _has_nvidia_card():
        found = f"there is an NVIDIA GPU in this machine, and its driver does not answer ({why})"
        return Check(
            GROUP, "driver", Grade.WARNING, found, "Install or load the NVIDIA driver; until then the CPU serves."
        )
    return Check(GROUP, "driver", Grade.OK, f"no NVIDIA GPU here ({why}): the CPU does all")


def _has_nvidia_card() -> bool:
    for card in PCI.glob("*"):
        try:
            vendor, kind = (card / "vendor").read_text(), (card / "class").read_text()
        except OSError:
            continue
        if vendor.strip() == NVIDIA and kind.startswith(DISPLAY):
            return True
    return False


def _hidden() -> str:
    return os.environ.get("CUDA_VISIBLE_DEVICES", "")
