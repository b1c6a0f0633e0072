"""What the families that run on torch share: the device, the precision, and a batch of pictures through a network."""

import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from pipeline.models.families.interface import Note, Pictures, Usage, Vectors
from pipeline.models.pictures import PictureSpec
from pipeline.sections import HostSettings

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

LEAST_AGREEMENT = 0.995
"""The cosine with fp32 that `host.precision = auto` asks of every probe picture before it takes a shorter format."""
PROBES = 4
"""Pictures on which a precision is compared with fp32."""


class DeviceError(Exception):
    """The device of the settings is not on this machine."""


class NetworkModel:
    """A torch network on one device: prepared pictures in, vectors out. A family adds texts or pooling to it."""

    def __init__(
        self, network: Any, forward: Callable[["torch.Tensor"], "torch.Tensor"], spec: PictureSpec, device: Any
    ) -> None:
        """`forward` takes normalised pictures (N, 3, height, width) to vectors (N, D)."""
        import torch

        self.spec = spec
        self._device = device
        self._copied_s = 0.0
        self._forward = forward
        self._dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(spec.precision, torch.float32)
        self._layout = torch.channels_last if is_convolutional(network) else torch.contiguous_format
        network.to(memory_format=self._layout)
        self._mean = torch.tensor(spec.mean, device=device)[:, None, None]
        self._std = torch.tensor(spec.std, device=device)[:, None, None]
        # One picture through the network finds an unfit device or precision now, and tells the length of a vector.
        dim = self.encode_pictures([np.zeros((spec.height, spec.width, 3), np.uint8)]).shape[1]
        self.spec = replace(spec, dim=dim)

    def encode_pictures(self, pictures: Pictures) -> Vectors:
        """Return float32 (N, D). Raises whatever torch raises, and ValueError if a vector is not finite."""
        import torch

        with torch.inference_mode():
            began = time.monotonic()
            stack = torch.from_numpy(np.stack(pictures))
            if self._device.type == "cuda":
                stack = stack.pin_memory().to(self._device, non_blocking=True)
                torch.cuda.current_stream(self._device).synchronize()
            self._copied_s += time.monotonic() - began
            batch = stack.permute(0, 3, 1, 2).contiguous(memory_format=self._layout).to(torch.float32).div_(255)
            rows = self._forward(batch.sub_(self._mean).div_(self._std).to(self._dtype))
            return finite(rows, normalise=self.spec.pool_frames == 0)

    def encode_texts(self, texts: Any) -> Vectors:
        """Refuse: a network of pictures knows no words."""
        raise LookupError(f"{self.spec.model} has no text tower")

    def pool(self, frames: Vectors) -> Vectors:
        """Refuse: the mean is taken of these vectors."""
        raise LookupError(f"{self.spec.model} has no temporal head")

    def usage(self) -> Usage:
        """Return what torch holds of the GPU's memory, 0 on the CPU, and the seconds of copying."""
        import torch

        if self._device.type != "cuda":
            return Usage(0.0, self._copied_s)
        total = torch.cuda.get_device_properties(self._device).total_memory
        return Usage(torch.cuda.memory_reserved(self._device) / total, self._copied_s)

    def release_memory(self) -> None:
        """Give memory that is only cached back to the device."""
        import torch

        if self._device.type == "cuda":
            torch.cuda.empty_cache()


Network = TypeVar("Network", bound=NetworkModel)


def finite(rows: "torch.Tensor", *, normalise: bool = True) -> Vectors:
    """Return rows as float32, with length 1 if `normalise`. Raises ValueError if one is not finite."""
    import torch

    rows = rows.float()
    found = (torch.nn.functional.normalize(rows, dim=-1) if normalise else rows).cpu().numpy()
    if not np.isfinite(found).all():
        raise ValueError("the model gave a vector that is not finite")
    vectors: Vectors = found.astype(np.float32, copy=False)
    return vectors


def is_convolutional(network: Any) -> bool:
    """Whether a network convolves in more places than the cutting of its patches: then channels-last pays."""
    import torch

    return sum(isinstance(module, torch.nn.Conv2d) and module.kernel_size != (1, 1) for module in network.modules()) > 2


def choose_device(host: HostSettings) -> "torch.device":
    """Return the torch device of the settings, its memory bounded. Raises DeviceError if it is not there."""
    import torch

    wanted = host.device
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "auto":
        wanted = "cuda:0" if count else "cpu"
    if wanted.startswith("cuda:") and int(wanted.removeprefix("cuda:")) >= count:
        raise DeviceError(f"host.device is {wanted}, and torch {torch.__version__} sees {count} CUDA devices here")
    device = torch.device(wanted)
    if device.type == "cuda":
        torch.cuda.set_per_process_memory_fraction(host.memory_fraction, device)
    return device


def at_precision(
    build: Callable[[str], Network], host: HostSettings, device: "torch.device", key: str, note: Note
) -> Network:
    """Return the model that `build` makes of the precision of the settings, compared with the same in fp32.

    `auto` is fp32 on the CPU, and on a GPU the short format that it computes in, as long as that agrees with fp32.
    """
    wanted = host.precision if host.precision != "auto" else _shortest(device)
    if wanted == "fp32":
        return build("fp32")
    whole = build("fp32")
    probes = _probes(whole.spec)
    expected = _unit(whole.encode_pictures(probes))
    short = build(wanted)
    try:
        least = float((expected * _unit(short.encode_pictures(probes))).sum(axis=1).min())
    except ValueError:
        least = -1.0
    if least >= LEAST_AGREEMENT:
        return short
    if host.precision == "auto":
        note(f"model {key} stays in fp32: in {wanted} its vectors are as far off as cosine {least:.4f}")
        return whole
    note(f"model {key}: vectors in {wanted} are as far from those in fp32 as cosine {least:.4f}")
    return short


def heard(load: Callable[[], T], key: str, note: Note) -> T:
    """Return what `load` returns; what the libraries warn about meanwhile is noted, not printed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = load()
    for text in {str(entry.message) for entry in caught}:
        note(f"model {key}: {text}")
    return loaded


def _shortest(device: "torch.device") -> str:
    import torch

    if device.type != "cuda":
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"


def _probes(spec: PictureSpec) -> Pictures:
    """Return pictures of coarse random colours: unlike noise, they reach a network's low frequencies."""
    rng = np.random.default_rng(2026)
    coarse = rng.integers(0, 256, (PROBES, 8, 8, 3), dtype=np.uint8)
    rows, columns = np.arange(spec.height) * 8 // spec.height, np.arange(spec.width) * 8 // spec.width
    return [np.ascontiguousarray(picture[rows][:, columns]) for picture in coarse]


def _unit(rows: Vectors) -> Vectors:
    unit: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit
