"""The timm family: DINOv2 and any other backbone that timm knows; pictures to the vectors of its pooled features."""

import importlib.util
import logging
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.errors import SettingsError
from pipeline.models import library
from pipeline.models.families import HUB_PREFIX
from pipeline.models.families.interface import Checkpoint, Model, Note, Origin
from pipeline.models.network import NetworkModel, at_precision, choose_device, heard
from pipeline.models.operators import declare_missing_operators
from pipeline.models.pictures import INTERPOLATIONS, PictureSpec
from pipeline.sections import HostSettings, ModelSettings

if TYPE_CHECKING:
    import torch

RESIZING = {"center": "shortest", "squash": "squash", "border": "longest"}
"""What timm calls the ways of `pipeline.models.pictures`."""

HUB: dict[tuple[str, str], str] = {
    ("vit_small_patch14_dinov2", "lvd142m"): "timm/vit_small_patch14_dinov2.lvd142m/",
    ("vit_base_patch14_dinov2", "lvd142m"): "timm/vit_base_patch14_dinov2.lvd142m/",
}
"""(architecture, tag) -> hub repository, as timm 1.0 has it, for the built-in catalogue."""


class Timm:
    """What timm knows; the classifier is left out."""

    needs_weights = True
    files: tuple[str, ...] = ("model.safetensors", "pytorch_model.bin")
    config = "config.json"

    def check(self, key: str, model: ModelSettings) -> None:
        """Raise SettingsError if timm is not installed; its list of architectures is asked for when one is loaded."""
        if importlib.util.find_spec("timm") is None:
            raise SettingsError("timm is not installed", remedy="Install it: pip install timm.")

    def origin(self, key: str, model: ModelSettings) -> Origin:
        """Return the repository of a hub id or of a pretrained tag."""
        if model.architecture.startswith(HUB_PREFIX):
            return Origin(model.architecture.removeprefix(HUB_PREFIX), self.files)
        place = HUB.get((model.architecture, model.weights)) or library.ask("timm", model.architecture, model.weights)
        repository, _, name = place.rpartition("/")
        return Origin(repository, (name,) if name else self.files)

    def identity(self, model: ModelSettings) -> bytes:
        """Return the size of the pictures, if it is not the model's own."""
        return b"side %d" % model.image_size if model.image_size else b""

    def load(self, checkpoint: Checkpoint, host: HostSettings, note: Note) -> Model:
        """Load the backbone as timm itself does, from our file."""
        device = choose_device(host)

        def build(precision: str) -> NetworkModel:
            network = _network(checkpoint).to(device, _dtype(precision)).eval()
            return NetworkModel(network, network, _spec(checkpoint, network, precision, device), device)

        return heard(lambda: at_precision(build, host, device, checkpoint.key, note), checkpoint.key, note)


def _network(checkpoint: Checkpoint) -> Any:
    declare_missing_operators()
    import timm

    logging.getLogger("timm").setLevel(logging.ERROR)
    model = checkpoint.model
    name = f"{model.architecture}.{model.weights}" if model.weights else model.architecture
    # timm takes this file through the same filters and the same weights_only=True as one that it fetched.
    return timm.create_model(
        name,
        pretrained=True,
        num_classes=0,
        img_size=model.image_size or None,
        pretrained_cfg_overlay={"file": str(checkpoint.path), "source": "", "custom_load": False},
    )


def _spec(checkpoint: Checkpoint, network: Any, precision: str, device: "torch.device") -> PictureSpec:
    """Return how timm prepares the pictures of `network`. Raises SettingsError for a way unknown here."""
    from timm.data.config import resolve_model_data_config

    side = checkpoint.model.image_size
    config: dict[str, Any] = resolve_model_data_config(  # type: ignore[no-untyped-call]
        network, args={"img_size": side} if side else None
    )
    channels, height, width = config["input_size"]
    mode, interpolation = RESIZING.get(config["crop_mode"], ""), str(config["interpolation"])
    if channels != 3 or not mode or interpolation not in INTERPOLATIONS:
        raise SettingsError(
            f"model {checkpoint.key} wants pictures of {channels} channels, {config['crop_mode']!r}, "
            f"{interpolation!r}, which is unknown here"
        )
    share = float(config["crop_pct"])
    mean, std = _triple(config["mean"]), _triple(config["std"])
    fill = (round(255 * mean[0]), round(255 * mean[1]), round(255 * mean[2]))
    return PictureSpec(
        checkpoint.key, height, width, mode, interpolation, fill, mean, std, 0, checkpoint.model.architecture,
        checkpoint.model.weights or checkpoint.source, checkpoint.sha256, precision, str(device),
        math.floor(height / share), math.floor(width / share),
    )  # fmt: skip


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = values
    return float(red), float(green), float(blue)


def _dtype(precision: str) -> "torch.dtype":
    import torch

    return {"fp16": torch.float16, "bf16": torch.bfloat16}.get(precision, torch.float32)
