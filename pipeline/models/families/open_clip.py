"""The open_clip family: any architecture and tag, hub id or local file; pictures and texts to vectors."""

import hashlib
import importlib.util
import json
import logging
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import SettingsError
from pipeline.models import library
from pipeline.models.families import FOLDER_PREFIX, HUB_PREFIX, PACKAGED
from pipeline.models.families.interface import Checkpoint, Model, Note, Origin, Vectors
from pipeline.models.network import NetworkModel, at_precision, choose_device, finite, heard
from pipeline.models.operators import declare_missing_operators
from pipeline.models.pictures import INTERPOLATIONS, RESIZE_MODES, PictureSpec
from pipeline.sections import HostSettings, ModelSettings

if TYPE_CHECKING:
    import torch


HUB: dict[tuple[str, str], str] = {
    ("ViT-B-32", "laion2b_s34b_b79k"): "laion/CLIP-ViT-B-32-laion2B-s34B-b79K/",
    ("ViT-B-16", "laion2b_s34b_b88k"): "laion/CLIP-ViT-B-16-laion2B-s34B-b88K/",
    ("ViT-L-14", "laion2b_s32b_b82k"): "laion/CLIP-ViT-L-14-laion2B-s32B-b82K/",
    ("ViT-B-16-SigLIP2", "webli"): "timm/ViT-B-16-SigLIP2/",
}
"""(architecture, tag) -> hub repository and optional file, as open_clip 3.3 has it, for the built-in catalogue."""


class OpenClip:
    """What open_clip knows."""

    needs_weights = True
    files: tuple[str, ...] = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
    config = "open_clip_config.json"

    def check(self, key: str, model: ModelSettings) -> None:
        """Raise SettingsError unless open_clip, or a configuration file, has the architecture."""
        name = model.architecture
        if name.startswith((HUB_PREFIX, FOLDER_PREFIX)) or config_file(name) is not None:
            return
        spec = importlib.util.find_spec("open_clip")
        if spec is None or spec.origin is None:
            raise SettingsError("open_clip is not installed", remedy="Install it: pip install open_clip_torch.")
        if not (Path(spec.origin).parent / "model_configs" / f"{name.replace('/', '-')}.json").is_file():
            raise SettingsError(f"models.{key}.architecture: open_clip knows no {name!r}")

    def origin(self, key: str, model: ModelSettings) -> Origin:
        """Return the repository of a hub id or of a pretrained tag."""
        if model.architecture.startswith(HUB_PREFIX):
            return Origin(model.architecture.removeprefix(HUB_PREFIX), self.files)
        place = HUB.get((model.architecture, model.weights)) or library.ask(
            "open_clip", model.architecture, model.weights
        )
        repository, _, name = place.rpartition("/")
        if not name:
            return Origin(repository, self.files)
        safe = str(Path(name).with_suffix(".safetensors"))
        return Origin(repository, (safe, name) if safe != name else (name,))

    def identity(self, model: ModelSettings) -> bytes:
        """Return the configuration file, if the architecture is one, and the size of the pictures, if it is set."""
        config = config_file(model.architecture)
        side = b"side %d" % model.image_size if model.image_size else b""
        return (config.read_bytes() if config else b"") + side

    def load(self, checkpoint: Checkpoint, host: HostSettings, note: Note) -> Model:
        """Load both towers."""
        device = choose_device(host)

        def build(precision: str) -> ClipModel:
            network, name = built(checkpoint.model, precision, device)
            import open_clip

            open_clip.load_checkpoint(network, str(checkpoint.path), strict=True, weights_only=True)
            return ClipModel(network.eval(), name, spec_of(checkpoint, network, precision, device), device)

        return heard(lambda: at_precision(build, host, device, checkpoint.key, note), checkpoint.key, note)


class ClipModel(NetworkModel):
    """Two towers on one device."""

    def __init__(self, network: Any, name: str, spec: PictureSpec, device: "torch.device") -> None:
        """`name` is what open_clip calls the architecture."""
        self._network = network
        self._name = name
        self._tokenizer: Any = None
        super().__init__(network, lambda batch: network.encode_image(batch, normalize=False), spec, device)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Return float32 (N, D), L2-normalised."""
        import open_clip
        import torch

        if self._tokenizer is None:
            self._tokenizer = open_clip.get_tokenizer(self._name)
        with torch.inference_mode():
            tokens = self._tokenizer(list(texts)).to(self._device)
            return finite(self._network.encode_text(tokens, normalize=False))


def built(model: ModelSettings, precision: str, device: "torch.device") -> tuple[Any, str]:
    """Return the network of a model without its weights, and the name open_clip has for its architecture."""
    declare_missing_operators()
    import open_clip

    logging.getLogger().setLevel(logging.ERROR)
    name = _registered(model.architecture)
    network = open_clip.create_model(
        name, load_weights=False, pretrained_text=False, precision=precision, device=device,
        force_image_size=model.image_size or None,
        force_preprocess_cfg=_preprocess_of(name, model),
    )  # fmt: skip
    return network, name


def spec_of(checkpoint: Checkpoint, network: Any, precision: str, device: "torch.device") -> PictureSpec:
    """Return how open_clip prepares the pictures of `network`. Raises SettingsError for a way unknown here."""
    config: dict[str, Any] = network.visual.preprocess_cfg
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else size
    mode = config["resize_mode"] or "shortest"
    # open_clip passes no interpolation to its transform for targets that are not square: that one is bicubic always.
    interpolation = "bicubic" if mode == "shortest" and height != width else config["interpolation"]
    if mode not in RESIZE_MODES or interpolation not in INTERPOLATIONS:
        raise SettingsError(
            f"model {checkpoint.key} wants its pictures resized by {mode!r}, {interpolation!r}, which is unknown here"
        )
    level = int(config["fill_color"])
    return PictureSpec(
        checkpoint.key, int(height), int(width), mode, interpolation, (level, level, level), _triple(config["mean"]),
        _triple(config["std"]), 0, checkpoint.model.architecture, checkpoint.model.weights or checkpoint.source,
        checkpoint.sha256, precision, str(device),
    )  # fmt: skip


def config_file(architecture: str) -> Path | None:
    """Return the JSON file of `architecture`, None if open_clip itself must know it. Raises SettingsError."""
    if architecture == PACKAGED.stem:
        return PACKAGED
    if not architecture.endswith(".json"):
        return None
    path = Path(architecture).expanduser()
    if not path.is_file():
        raise SettingsError(f"the architecture {architecture!r} names a file that is not there")
    return path


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


def _triple(value: Any) -> tuple[float, float, float]:
    red, green, blue = value if isinstance(value, (list, tuple)) else (value,) * 3
    return float(red), float(green), float(blue)
