"""Which models there are, where their weights lie, and what to say when they are not on this machine.

Light: nothing here imports torch or open_clip, so the engine and the command line may ask at any time. What only
open_clip itself knows is asked of a short child process (`pipeline.models.where`).
"""

import functools
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import MissingWeightsError, SettingsError
from pipeline.models.weights import sha256_of
from pipeline.sections import ModelSettings
from pipeline.settings import MODELS, PipelineSettings

WHERE_TIMEOUT_S = 120.0
"""How long the child process that asks open_clip may take."""

HUB_PREFIX = "hf-hub:"
FOLDER_PREFIX = "local-dir:"
BUILTIN_PREFIX = "builtin:"
CONFIG_FILE = "open_clip_config.json"
WEIGHTS_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
"""File names of open_clip's own repositories, in the order in which they are preferred."""

HUB: dict[tuple[str, str], str] = {
    ("ViT-B-32", "laion2b_s34b_b79k"): "laion/CLIP-ViT-B-32-laion2B-s34B-b79K/",
    ("ViT-B-16", "laion2b_s34b_b88k"): "laion/CLIP-ViT-B-16-laion2B-s34B-b88K/",
    ("ViT-L-14", "laion2b_s32b_b82k"): "laion/CLIP-ViT-L-14-laion2B-s32B-b82K/",
    ("ViT-B-16-SigLIP2", "webli"): "timm/ViT-B-16-SigLIP2/",
}
"""(architecture, tag) -> hub repository and optional file, as open_clip 3.3 has it, for the built-in catalogue."""

PACKAGED = Path(__file__).parent
BUILTIN: dict[str, tuple[Path, str]] = {
    "tiny-shapes": (
        PACKAGED / "tiny_shapes" / "tiny-shapes.safetensors",
        "3a9c09c7bf14d117675db54ab03bd71f9979d5c0395d6d6c09981a341aaf09ee",
    ),
}
"""Name of a packaged checkpoint -> its file and SHA-256."""


@dataclass(frozen=True, slots=True)
class WeightsStatus:
    """Whether the weights of one model are on this machine, and where."""

    key: str
    model: ModelSettings
    path: Path | None
    """The checkpoint file, or None if it is not here."""
    looked: tuple[str, ...]
    """Where it was looked for."""
    repository: str = ""
    """Repository on the Hugging Face hub it can be fetched from, empty for a local file."""
    files: tuple[str, ...] = ()
    """Names of the checkpoint in that repository, the preferred one first."""
    expected_sha256: str = ""
    """What its checksum must be, empty if nobody knows."""

    @property
    def on_disk(self) -> bool:
        """Whether the checkpoint is here."""
        return self.path is not None

    @property
    def size_bytes(self) -> int:
        """Size of the file if it is here, else what the catalogue says, else 0."""
        return self.path.stat().st_size if self.path else round(self.model.size_mb * 1e6)


def catalogue(settings: PipelineSettings) -> dict[str, ModelSettings]:
    """Return every model by key: the built-in ones, then those of the settings, which win."""
    return {**MODELS, **settings.models}


def locate(key: str, model: ModelSettings) -> WeightsStatus:
    """Return where the weights of `model` are. Raises SettingsError if they cannot be named at all."""
    if model.path.startswith(BUILTIN_PREFIX):
        return _locate_builtin(key, model)
    if model.path:
        return _locate_file(key, model, Path(model.path).expanduser(), model.sha256)
    if model.architecture.startswith(FOLDER_PREFIX):
        folder = Path(model.architecture.removeprefix(FOLDER_PREFIX)).expanduser()
        found = [folder / name for name in WEIGHTS_FILES if (folder / name).is_file()]
        return _locate_file(key, model, found[0] if found else folder / WEIGHTS_FILES[0], model.sha256)
    return _locate_hub(key, model)


def require(keys: Iterable[str], settings: PipelineSettings) -> None:
    """Check that the weights of every model of `keys` are on this machine.

    Raises MissingWeightsError (model, where it was looked for, size, three ways on), or SettingsError for a key or an
    architecture that does not exist.
    """
    models = catalogue(settings)
    for key in keys:
        if key not in models:
            raise SettingsError(
                f"embed.models names {key!r}, and there is no such model; there are {', '.join(sorted(models))}",
                remedy="See `vconsole models list`, or describe the model in [models.KEY].",
            )
        _check_architecture(key, models[key].architecture)
        status = locate(key, models[key])
        if not status.on_disk:
            raise missing(status)


def missing(status: WeightsStatus) -> MissingWeightsError:
    """Return the error that says that weights are not on this machine and what the three ways on are."""
    model = status.model
    size = f"{model.size_mb:.0f} MB" if model.size_mb else "of unknown size"
    name = f"{model.architecture}, {model.weights}" if model.weights else model.architecture
    return MissingWeightsError(
        f"the weights of model {status.key} ({name}; {size}) are not on this machine; "
        f"looked in {', '.join(status.looked)}",
        remedy=f"Either fetch them: `vconsole models fetch {status.key}`; or name a local checkpoint file: "
        f'[models.{status.key}] path = "FILE"; or do without vectors: `--preset scenes`.',
    )


def fingerprint(model: ModelSettings) -> str:
    """Return a short hash that changes when the weights or the architecture change.

    Reads the checkpoint once as long as it stays the same (about a second a gigabyte). Raises MissingWeightsError.
    """
    status = locate("", model)
    if status.path is None:
        raise missing(status)
    digest = hashlib.blake2b(digest_size=16)
    for part in (model.family, model.architecture, model.weights, sha256_of(status.path)):
        digest.update(part.encode() + b"\0")
    config = config_file(model.architecture)
    if config is not None:
        digest.update(config.read_bytes())
    return digest.hexdigest()


def config_file(architecture: str) -> Path | None:
    """Return the JSON file of `architecture`, None if open_clip itself must know it. Raises SettingsError."""
    if architecture in BUILTIN:
        return BUILTIN[architecture][0].with_suffix(".json")
    if not architecture.endswith(".json"):
        return None
    path = Path(architecture).expanduser()
    if not path.is_file():
        raise SettingsError(f"the architecture {architecture!r} names a file that is not there")
    return path


def _locate_builtin(key: str, model: ModelSettings) -> WeightsStatus:
    name = model.path.removeprefix(BUILTIN_PREFIX)
    if name not in BUILTIN:
        raise SettingsError(f"models.{key}.path names {name!r}; only {', '.join(BUILTIN)} is built in")
    path, pinned = BUILTIN[name]
    return _locate_file(key, model, path, model.sha256 or pinned)


def _locate_file(key: str, model: ModelSettings, path: Path, sha256: str) -> WeightsStatus:
    found = path if path.is_file() else None
    return WeightsStatus(key, model, found, (str(path),), expected_sha256=sha256)


def _locate_hub(key: str, model: ModelSettings) -> WeightsStatus:
    repository, files = _hub_files(key, model)
    from huggingface_hub import constants, try_to_load_from_cache

    looked = (str(Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"),)
    for name in files:
        cached = try_to_load_from_cache(repository, name)
        if isinstance(cached, str):
            # The hub stores large files under their SHA-256, so the name tells what the content must be.
            blob = Path(cached).resolve().name
            known = blob if re.fullmatch(r"[0-9a-f]{64}", blob) else ""
            return WeightsStatus(key, model, Path(cached), looked, repository, files, model.sha256 or known)
    return WeightsStatus(key, model, None, looked, repository, files, model.sha256)


def _hub_files(key: str, model: ModelSettings) -> tuple[str, tuple[str, ...]]:
    if model.architecture.startswith(HUB_PREFIX):
        return model.architecture.removeprefix(HUB_PREFIX), WEIGHTS_FILES
    if not model.weights:
        raise SettingsError(
            f"model {key} has neither weights nor path",
            remedy=f"Give [models.{key}] a pretrained tag (weights) or a checkpoint file (path).",
        )
    place = HUB.get((model.architecture, model.weights)) or ask_open_clip(model.architecture, model.weights)
    repository, _, name = place.rpartition("/")
    if not name:
        return repository, WEIGHTS_FILES
    safe = str(Path(name).with_suffix(".safetensors"))
    return repository, (safe, name) if safe != name else (name,)


@functools.lru_cache(maxsize=256)
def ask_open_clip(architecture: str, tag: str) -> str:
    """Return the hub repository of a pretrained tag, as open_clip has it, asked of a child process.

    Raises SettingsError if open_clip knows no such tag, or does not answer.
    """
    command = [sys.executable, "-P", "-m", "pipeline.models.where", architecture, tag]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=WHERE_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
        reply = json.loads(answer.stdout.splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as error:
        raise SettingsError(f"open_clip could not be asked for {architecture} {tag}: {error}") from error
    if not reply["hub"]:
        tags = ", ".join(reply["tags"]) or "none"
        raise SettingsError(f"open_clip has no weights {tag!r} for architecture {architecture!r}; it has {tags}")
    return str(reply["hub"])


def _check_architecture(key: str, architecture: str) -> None:
    if architecture.startswith((HUB_PREFIX, FOLDER_PREFIX)) or config_file(architecture) is not None:
        return
    spec = importlib.util.find_spec("open_clip")
    if spec is None or spec.origin is None:
        raise SettingsError("open_clip is not installed", remedy="Install it: pip install open_clip_torch.")
    if not (Path(spec.origin).parent / "model_configs" / f"{architecture.replace('/', '-')}.json").is_file():
        raise SettingsError(f"models.{key}.architecture: open_clip knows no {architecture!r}")
