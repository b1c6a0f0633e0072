"""Which models there are, where their weights lie, and what to say when they are not on this machine.

Light: nothing here imports torch or a model library, so the engine and the command line may ask at any time. What only
a library itself knows is asked of a short child process (`pipeline.models.library`).
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import MissingWeightsError, SettingsError
from pipeline.models.families import FOLDER_PREFIX, HEARING, PACKAGED, family
from pipeline.models.weights import sha256_of
from pipeline.reading.engines import choose
from pipeline.sections import ModelSettings
from pipeline.settings import MODELS, PipelineSettings
from pipeline.stage_sections import TextSettings

if TYPE_CHECKING:
    from pipeline.models.families.interface import Origin

BUILTIN_PREFIX = "builtin:"
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
"""What a checkpoint in the folder of weights may end in; the safe format first."""

BUILTIN: dict[str, tuple[Path, str]] = {
    "tiny-shapes": (
        PACKAGED.with_suffix(".safetensors"),
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
    """The checkpoint file, or None if it is not here or none is needed."""
    looked: tuple[str, ...]
    """Where it was looked for."""
    repository: str = ""
    """Repository on the Hugging Face hub it can be fetched from, empty for a local file."""
    files: tuple[str, ...] = ()
    """Names of the checkpoint in that repository, the preferred one first."""
    expected_sha256: str = ""
    """What its checksum must be, empty if nobody knows."""
    url: str = ""
    """Address it can be fetched from where it is on no hub, and `fetch_to` the file that it then becomes."""
    fetch_to: Path | None = None

    @property
    def on_disk(self) -> bool:
        """Whether the checkpoint is here, or none is needed."""
        return self.path is not None or not self.needed

    @property
    def place(self) -> str:
        """Where the checkpoint is, or where it was looked for."""
        if not self.needed:
            return "needs no weights"
        return str(self.path) if self.path else ", ".join(self.looked)

    @property
    def needed(self) -> bool:
        """Whether the model has weights at all."""
        return family(self.model.family).needs_weights

    @property
    def size_bytes(self) -> int:
        """Size of the file if it is here, else what the catalogue says, else 0."""
        return self.path.stat().st_size if self.path else round(self.model.size_mb * 1e6)


def catalogue(settings: PipelineSettings) -> dict[str, ModelSettings]:
    """Return every model by key: the built-in ones, then those of the settings, which win.

    A model without a folder of its own gets `host.weights_dir`.
    """
    folder = {"folder": settings.host.weights_dir}
    models = {**MODELS, **settings.models}
    return {key: model if model.folder else model.model_copy(update=folder) for key, model in models.items()}


def held(settings: PipelineSettings) -> dict[str, ModelSettings | TextSettings]:
    """Return what a model host holds for an extract run: its models by key, and by its name what reads text.

    Raises SettingsError if nothing here can read the text.
    """
    models = catalogue(settings)
    text = {choose(settings.text): settings.text} if settings.text.enabled else {}
    return {key: models[key] for key in settings.model_keys} | text


def locate(key: str, model: ModelSettings) -> WeightsStatus:
    """Return where the weights of `model` are. Raises SettingsError if they cannot be named at all."""
    kind = family(model.family)
    if not kind.needs_weights:
        return WeightsStatus(key, model, None, ())
    if model.path.startswith(BUILTIN_PREFIX):
        return _locate_builtin(key, model)
    if model.path:
        return _locate_file(key, model, Path(model.path).expanduser(), model.sha256)
    if model.architecture.startswith(FOLDER_PREFIX):
        folder = Path(model.architecture.removeprefix(FOLDER_PREFIX)).expanduser()
        found = [folder / name for name in kind.files if (folder / name).is_file()]
        return _locate_file(key, model, found[0] if found else folder / kind.files[0], model.sha256)
    named = [Path(model.folder).expanduser() / f"{key}{suffix}" for suffix in SUFFIXES] if model.folder else []
    for path in named:
        if path.is_file():
            return _locate_file(key, model, path, model.sha256)
    return _locate_fetched(key, model)


def require(keys: Iterable[str], settings: PipelineSettings) -> None:
    """Check that the weights of every model of `keys` are on this machine.

    Raises MissingWeightsError (model, where it was looked for, size, three ways on), or SettingsError for a key or an
    architecture that does not exist.
    """
    models = catalogue(settings)
    for key in keys:
        if key not in models:
            raise SettingsError(
                f"the settings name {key!r}, and there is no such model; there are {', '.join(sorted(models))}",
                remedy="See `vconsole models list`, or describe the model in [models.KEY].",
            )
        _check_use(key, models[key], settings)
        family(models[key].family).check(key, models[key])
        status = locate(key, models[key])
        if not status.on_disk:
            raise missing(status)


def _check_use(key: str, model: ModelSettings, settings: PipelineSettings) -> None:
    """Raise SettingsError if a model of speech is to make vectors, or another one to transcribe."""
    hears = model.family in HEARING
    if hears and settings.embed.enabled and key in settings.embed.models:
        raise SettingsError(
            f"embed.models names {key!r}, which transcribes speech and makes no vectors",
            remedy="Name it as speech.model, or take another model.",
        )
    if not hears and settings.speech.enabled and key == settings.speech.model:
        hearing = ", ".join(name for name, one in MODELS.items() if one.family in HEARING)
        raise SettingsError(
            f"speech.model is {key!r}, which does not transcribe speech", remedy=f"Choose one that does: {hearing}."
        )


def missing(status: WeightsStatus) -> MissingWeightsError:
    """Return the error that says that weights are not on this machine and what the three ways on are."""
    model = status.model
    size = f"{model.size_mb:.0f} MB" if model.size_mb else "of unknown size"
    name = f"{model.architecture}, {model.weights}" if model.weights else model.architecture
    hears = model.family in HEARING
    without = "what is said: `--set speech.enabled=false`" if hears else "vectors: `--preset scenes`"
    return MissingWeightsError(
        f"the weights of model {status.key} ({name}; {size}) are not on this machine; "
        f"looked in {', '.join(status.looked)}",
        remedy=f"Either fetch them: `vconsole models fetch {status.key}`; or name a local checkpoint file: "
        f'[models.{status.key}] path = "FILE"; or do without {without}.',
    )


def fingerprint(key: str, model: ModelSettings) -> str:
    """Return a short hash that changes when the weights or the architecture change.

    Reads the checkpoint once as long as it stays the same (about a second a gigabyte). Raises MissingWeightsError.
    """
    status = locate(key, model)
    if not status.on_disk:
        raise missing(status)
    digest = hashlib.blake2b(digest_size=16)
    for part in (model.family, model.architecture, model.weights, sha256_of(status.path) if status.path else ""):
        digest.update(part.encode() + b"\0")
    digest.update(family(model.family).identity(model))
    return digest.hexdigest()


def _locate_builtin(key: str, model: ModelSettings) -> WeightsStatus:
    name = model.path.removeprefix(BUILTIN_PREFIX)
    if name not in BUILTIN:
        raise SettingsError(f"models.{key}.path names {name!r}; only {', '.join(BUILTIN)} is built in")
    path, pinned = BUILTIN[name]
    return _locate_file(key, model, path, model.sha256 or pinned)


def _locate_file(key: str, model: ModelSettings, path: Path, sha256: str) -> WeightsStatus:
    found = path if path.is_file() else None
    return WeightsStatus(key, model, found, (str(path),), expected_sha256=sha256)


def _locate_fetched(key: str, model: ModelSettings) -> WeightsStatus:
    """Return what is in the folder of weights, as a copy of the hub's repository or cache, or else in the cache."""
    if model.family in HEARING:
        return _locate_downloaded(key, model)
    if not model.weights and ":" not in model.architecture:
        raise SettingsError(
            f"model {key} has neither weights nor path",
            remedy=f"Give [models.{key}] a pretrained tag (weights) or a checkpoint file (path).",
        )
    origin = family(model.family).origin(key, model)
    from huggingface_hub import constants

    caches = [constants.HF_HUB_CACHE]
    looked = [str(Path(caches[0]) / f"models--{origin.repository.replace('/', '--')}")]
    if model.folder:
        folder = Path(model.folder).expanduser()
        for name in origin.files:
            for copy in (folder / origin.repository / name, folder / Path(origin.repository).name / name):
                if copy.is_file():
                    return WeightsStatus(key, model, copy, (str(copy),), *_fetchable(origin), model.sha256)
        caches.insert(0, str(folder))
        looked.insert(0, str(folder))
    for cache in caches:
        cached = _cached(origin, cache)
        if cached is not None:
            # The hub stores large files under their SHA-256, so the name tells what the content must be.
            blob = cached.resolve().name
            known = blob if re.fullmatch(r"[0-9a-f]{64}", blob) else ""
            return WeightsStatus(key, model, cached, tuple(looked), *_fetchable(origin), model.sha256 or known)
    return WeightsStatus(key, model, None, tuple(looked), *_fetchable(origin), model.sha256)


def _locate_downloaded(key: str, model: ModelSettings) -> WeightsStatus:
    """Return what is in the folder of weights, or where its library keeps what it downloaded itself."""
    origin = family(model.family).origin(key, model)
    kept = origin.folder / origin.files[0]
    places = [Path(model.folder).expanduser() / kept.name, kept] if model.folder else [kept]
    found = next((place for place in places if place.is_file()), None)
    looked = tuple(str(place) for place in ([found] if found else places))
    return WeightsStatus(
        key, model, found, looked, expected_sha256=model.sha256 or origin.sha256, url=origin.url, fetch_to=kept
    )


def _fetchable(origin: "Origin") -> tuple[str, tuple[str, ...]]:
    return origin.repository, origin.files


def _cached(origin: "Origin", cache: str) -> Path | None:
    """Return the checkpoint of a repository in a cache as the hub's library lays it out, None if it is not there."""
    from huggingface_hub import try_to_load_from_cache

    found = (try_to_load_from_cache(origin.repository, name, cache_dir=cache) for name in origin.files)
    return next((Path(path) for path in found if isinstance(path, str)), None)
