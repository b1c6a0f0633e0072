"""The open_clip family: loads one model from a checkpoint file and turns pictures and texts into vectors."""

import hashlib
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import JobError
from pipeline.model import FailureClass, Stage
from pipeline.models.operators import declare_missing_operators
from pipeline.models.pictures import RESIZE_MODES, PictureSpec
from pipeline.models.registry import config_file, locate, missing
from pipeline.models.weights import sha256_of
from pipeline.sections import HostSettings, ModelSettings

if TYPE_CHECKING:
    import torch

Vectors = NDArray[np.float32]


class DeviceError(Exception):
    """The device of the settings is not on this machine."""


def choose_device(wanted: str) -> "torch.device":
    """Return the torch device for `auto`, `cpu` or `cuda:N`. Raises DeviceError if it is not there."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "auto":
        return torch.device("cuda:0" if count else "cpu")
    if wanted.startswith("cuda:") and int(wanted.removeprefix("cuda:")) >= count:
        raise DeviceError(f"host.device is {wanted}, and torch {torch.__version__} sees {count} CUDA devices here")
    return torch.device(wanted)


class ClipModel:
    """One open_clip model on one device."""

    def __init__(self, model: Any, name: str, spec: PictureSpec, device: "torch.device") -> None:
        import torch

        self.spec = spec
        self._model = model
        self._name = name
        self._device = device
        self._tokenizer: Any = None
        self._dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(spec.precision, torch.float32)
        self._mean = torch.tensor(spec.mean, device=device)[:, None, None]
        self._std = torch.tensor(spec.std, device=device)[:, None, None]

    def encode_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Return the vectors of prepared pictures, uint8 (height, width, 3): float32 (N, D), L2-normalised.

        Raises whatever torch raises, and ValueError if a vector is not finite.
        """
        import torch

        with torch.inference_mode():
            stack = torch.from_numpy(np.stack(pictures)).to(self._device)
            batch = stack.permute(0, 3, 1, 2).contiguous().to(torch.float32).div_(255)
            batch.sub_(self._mean).div_(self._std)
            return self._normalised(self._model.encode_image(batch.to(self._dtype), normalize=False))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of `texts`: float32 (N, D), L2-normalised."""
        import open_clip
        import torch

        if self._tokenizer is None:
            self._tokenizer = open_clip.get_tokenizer(self._name)
        with torch.inference_mode():
            tokens = self._tokenizer(list(texts)).to(self._device)
            return self._normalised(self._model.encode_text(tokens, normalize=False))

    def release_memory(self) -> None:
        """Give memory that is only cached back to the device."""
        import torch

        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    @staticmethod
    def _normalised(features: "torch.Tensor") -> Vectors:
        import torch

        rows = torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy()
        if not np.isfinite(rows).all():
            raise ValueError("the model gave a vector that is not finite")
        vectors: Vectors = rows.astype(np.float32, copy=False)
        return vectors


def load(key: str, model: ModelSettings, host: HostSettings, note: Callable[[str], None]) -> ClipModel:
    """Load a model from its checkpoint on this machine; never downloads.

    `note` is told what the libraries warn about. Raises JobError (class model) with a sentence if the weights are
    missing, damaged, not those expected, or want to run code; DeviceError if the device is not there.
    """
    status = locate(key, model)
    if status.path is None:
        raise _refused(str(missing(status)))
    sha256 = _checked(status.path, status.expected_sha256, key)
    declare_missing_operators()
    import open_clip

    logging.getLogger().setLevel(logging.ERROR)
    device = choose_device(host.device)
    _bound_memory(device, host.memory_fraction)
    name = _registered(model.architecture)
    preprocess = _preprocess_of(name, model)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            network: Any = open_clip.create_model(
                name, load_weights=False, pretrained_text=False, precision=host.precision, device=device,
                force_preprocess_cfg=preprocess,
            )  # fmt: skip
            open_clip.load_checkpoint(network, str(status.path), strict=True, weights_only=True)
        except Exception as error:
            # open_clip, torch and safetensors raise what they like on bad files.
            raise _unloadable(key, status.path, error) from error
    for warning in {str(entry.message) for entry in caught}:
        note(f"model {key}: {warning}")
    network.eval()
    spec = _spec(key, model, network, sha256, host.precision, str(device), model.path or status.repository)
    loaded = ClipModel(network, name, spec, device)
    # One picture through the model finds an unfit device or precision now, and tells the length of a vector.
    blank = np.zeros((spec.height, spec.width, 3), np.uint8)
    dim = loaded.encode_pictures([blank]).shape[1]
    return ClipModel(network, name, _with_dim(spec, dim), device)


def _bound_memory(device: "torch.device", share: float) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.set_per_process_memory_fraction(share, device)


def _registered(architecture: str) -> str:
    """Return the name under which open_clip knows `architecture`, after telling it of a configuration file of ours."""
    import open_clip

    config = config_file(architecture)
    if config is None:
        return architecture
    text = config.read_bytes()
    fields = json.loads(text)
    name = f"vconsole-{hashlib.blake2b(text, digest_size=8).hexdigest()}"
    if name not in open_clip.list_models():
        folder = Path(tempfile.mkdtemp(prefix="vconsole-"))
        try:
            (folder / f"{name}.json").write_text(json.dumps(fields.get("model_cfg", fields)))
            open_clip.add_model_config(folder / f"{name}.json")
        finally:
            shutil.rmtree(folder)
    return name


def _preprocess_of(name: str, model: ModelSettings) -> dict[str, Any]:
    """Return what the pretrained tag, or the `preprocess_cfg` of a configuration file, says of the pictures."""
    import open_clip

    config = config_file(model.architecture)
    if config is not None:
        fields: dict[str, Any] = json.loads(config.read_bytes()).get("preprocess_cfg", {})
        return fields
    return dict(open_clip.get_pretrained_cfg(name, model.weights)) if model.weights else {}


def _spec(
    key: str, model: ModelSettings, network: Any, sha256: str, precision: str, device: str, source: str
) -> PictureSpec:
    config: dict[str, Any] = network.visual.preprocess_cfg
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else size
    mode = config["resize_mode"] or "shortest"
    if mode not in RESIZE_MODES:
        raise _refused(f"model {key} wants its pictures resized by {mode!r}, which is not known here")
    return PictureSpec(
        key, int(height), int(width), mode, "bilinear" if config["interpolation"] == "bilinear" else "bicubic",
        int(config["fill_color"]), _triple(config["mean"]), _triple(config["std"]), 0,
        model.architecture, model.weights or source, sha256, precision, device,
    )  # fmt: skip


def _triple(value: Any) -> tuple[float, float, float]:
    red, green, blue = value if isinstance(value, (list, tuple)) else (value,) * 3
    return float(red), float(green), float(blue)


def _with_dim(spec: PictureSpec, dim: int) -> PictureSpec:
    return PictureSpec.from_message({**spec.to_message(), "dim": dim})


def _checked(path: Path, expected: str, key: str) -> str:
    sha256 = sha256_of(path)
    if expected and sha256 != expected:
        raise _refused(
            f"the weights of model {key} are not those expected: {path} has SHA-256 {sha256}, not {expected}; "
            "fetch them again, or correct the sha256 in the settings"
        )
    return sha256


def _unloadable(key: str, path: Path, error: Exception) -> JobError:
    text = str(error)
    if "weights_only" in text.lower() or "Unsupported global" in text:
        sentence = f"{path} is a pickle that wants to run code while it is loaded; it was refused and nothing ran"
        return _refused(f"the weights of model {key} cannot be used: {sentence}", text)
    first = (text.strip().splitlines() or [type(error).__name__])[0][:300]
    return _refused(f"model {key} cannot be loaded from {path}: {first}", text[:4000])


def _refused(message: str, detail: str = "") -> JobError:
    return JobError(FailureClass.MODEL, message, stage=Stage.EMBED, detail=detail)
