"""What the families that run on torch share: the device, the precision, and a batch of pictures through a network."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SettingsError
from pipeline.models.families.interface import Note, Pictures, Usage, Vectors
from pipeline.models.passage import passage
from pipeline.models.pictures import PictureSpec
from pipeline.models.room import held_bytes
from pipeline.sections import HostSettings

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

LEAST_AGREEMENT = 0.995
"""The cosine with fp32 that `host.precision = auto` asks of every probe picture before it takes a shorter format."""
PROBES = 4
"""Pictures on which a precision is compared with fp32, and a compiled network with the plain one."""


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
        self.overlaps = device.type == "cuda"
        self._device = device
        self._side = torch.cuda.Stream(device) if self.overlaps else None  # type: ignore[no-untyped-call]
        self._copied_s = 0.0
        self._weights_bytes = held_bytes(network)
        self._forward = forward
        self._dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(spec.precision, torch.float32)
        self._layout = torch.channels_last if is_convolutional(network) else torch.contiguous_format
        network.to(memory_format=self._layout)
        self._mean = torch.tensor(spec.mean, device=device)[:, None, None]
        self._std = torch.tensor(spec.std, device=device)[:, None, None]
        # One picture through the network finds an unfit device or precision now, and tells the length of a vector.
        blank = [np.zeros((spec.height, spec.width, 3), np.uint8)]
        if spec.precision == "int8":
            from pipeline.models.int8 import quantise

            if not quantise(network, lambda: self.encode_pictures(blank)):
                self.spec = replace(spec, precision="fp32")
        self.spec = replace(self.spec, dim=self.encode_pictures(blank).shape[1])

    def encode_pictures(self, pictures: Pictures) -> Vectors:
        """Return float32 (N, D). Raises whatever torch raises, and ValueError if a vector is not finite."""
        return self.begin_pictures(pictures)()

    def begin_pictures(self, pictures: Pictures) -> Callable[[], Vectors]:
        """Begin a batch, and return what waits for its vectors: a GPU copies and computes by itself meanwhile.

        Both raise what `encode_pictures` raises, an error of the GPU perhaps only when it is waited for.
        """
        import torch

        with torch.inference_mode():
            way = passage(pictures, self._device, self._side)
            batch = way.stack.permute(0, 3, 1, 2).contiguous(memory_format=self._layout).to(torch.float32).div_(255)
            rows = self._forward(batch.sub_(self._mean).div_(self._std).to(self._dtype))
            fetch = way.fetch(_floats(rows, normalise=self.spec.pool_frames == 0))

        def finish() -> Vectors:
            found, waited_s = fetch()
            self._copied_s += waited_s
            return _checked(found)

        return finish

    def compile(self, note: Note) -> None:
        """Go on with a compiled forward pass, if this machine can compile it and its vectors stay what they are."""
        from pipeline.models.compiled import compiled, trial

        probes = _probes(self.spec)
        expected = self.encode_pictures(probes)
        plain = self._forward
        try:
            with trial():
                self._forward = compiled(plain)
                least = _agreement(self, probes, expected)
                if least >= LEAST_AGREEMENT:
                    self.encode_pictures(probes * 4)  # convolutions are compiled once more for batches of 16 and above
                    self.spec = replace(self.spec, compiled=True)
                    return
            reason = f"its vectors would be as far off as cosine {least:.4f}"
        except Exception as error:  # noqa: BLE001 - compilers fail in their own ways, and the plain one does without
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        self._forward = plain
        note(f"model {self.spec.key} is not compiled: {reason}")

    def encode_texts(self, texts: Any) -> Vectors:
        """Refuse: a network of pictures knows no words."""
        raise LookupError(f"{self.spec.model} has no text tower")

    def pool(self, frames: Vectors) -> Vectors:
        """Refuse: the mean is taken of these vectors."""
        raise LookupError(f"{self.spec.model} has no temporal head")

    def usage(self) -> Usage:
        """Return what torch holds of the GPU's memory, 0 on the CPU, and the seconds in which pictures had to come."""
        return Usage(memory_share(self._device), self._copied_s, self._weights_bytes)

    def release_memory(self) -> None:
        """Give memory that is only cached back to the device."""
        release_memory(self._device)


Network = TypeVar("Network", bound=NetworkModel)


def finite(rows: "torch.Tensor") -> Vectors:
    """Return rows as float32 of length 1. Raises ValueError if one is not finite."""
    return _checked(_floats(rows, normalise=True).cpu().numpy())


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
        # Without its number: a host that is shown no other GPU has to call its own cuda:0, whichever that is.
        raise DeviceError(f"torch {torch.__version__} sees {count} CUDA devices here, and not that of host.device")
    device = torch.device(wanted)
    if device.type == "cuda":
        torch.cuda.set_per_process_memory_fraction(host.memory_fraction, device)
    return device


def memory_share(device: "torch.device") -> float:
    """Return the share of a GPU's memory that torch holds, 0 for the CPU."""
    import torch

    if device.type != "cuda":
        return 0.0
    total = torch.cuda.get_device_properties(device).total_memory
    return float(torch.cuda.memory_reserved(device) / total)


def release_memory(device: "torch.device") -> None:
    """Give memory that is only cached back to a GPU."""
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()


def at_precision(
    build: Callable[[str], Network], host: HostSettings, device: "torch.device", key: str, note: Note
) -> Network:
    """Return the model that `build` makes of the precision of the settings, compared with the same in fp32.

    `auto` is fp32 on the CPU, and on a GPU the short format that it computes in, as long as that agrees with fp32.
    Raises SettingsError for a precision that the device does not compute in.
    """
    model = _in_precision(build, host, device, key, note)
    if host.compile:
        model.compile(note)
    return model


def _in_precision(
    build: Callable[[str], Network], host: HostSettings, device: "torch.device", key: str, note: Note
) -> Network:
    wanted = host.precision if host.precision != "auto" else _shortest(device)
    if wanted == "fp32":
        return build("fp32")
    if wanted == "int8" and device.type != "cpu":
        raise SettingsError(
            f"host.precision is int8, which is for the CPU, and model {key} is to run on {device}",
            remedy="Choose bf16 or fp16 for a GPU, or auto.",
        )
    whole = build("fp32")
    probes = _probes(whole.spec)
    expected = whole.encode_pictures(probes)
    short = build(wanted)
    least = _agreement(short, probes, expected)
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


def _probes(spec: PictureSpec) -> list[NDArray[np.uint8]]:
    """Return pictures of coarse random colours: unlike noise, they reach a network's low frequencies."""
    rng = np.random.default_rng(2026)
    coarse = rng.integers(0, 256, (PROBES, 8, 8, 3), dtype=np.uint8)
    rows, columns = np.arange(spec.height) * 8 // spec.height, np.arange(spec.width) * 8 // spec.width
    return [np.ascontiguousarray(picture[rows][:, columns]) for picture in coarse]


def _agreement(model: NetworkModel, probes: Pictures, expected: Vectors) -> float:
    """Return the least cosine between the vectors of a model and those expected, -1 if one is not finite."""
    try:
        found = model.encode_pictures(probes)
    except ValueError:
        return -1.0
    return float((_unit(expected) * _unit(found)).sum(axis=1).min())


def _unit(rows: Vectors) -> Vectors:
    unit: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit


def _floats(rows: "torch.Tensor", *, normalise: bool) -> "torch.Tensor":
    import torch

    rows = rows.float()
    return torch.nn.functional.normalize(rows, dim=-1) if normalise else rows


def _checked(found: Vectors) -> Vectors:
    if not np.isfinite(found).all():
        raise ValueError("the model gave a vector that is not finite")
    return found
