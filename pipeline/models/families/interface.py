"""What a model family is to the rest of the program, and what a loaded model is to the model host."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.models.pictures import PictureSpec
from pipeline.models.speech import Heard, SpeechSpec, Window
from pipeline.models.text import Page, Pieces, TextSpec
from pipeline.sections import HostSettings, ModelSettings

Vectors = NDArray[np.float32]
Pictures = Sequence[NDArray[np.uint8]]
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the weights of a model can be fetched from: a repository on the Hugging Face hub, or else an address."""

    repository: str
    files: tuple[str, ...]
    """Names of the checkpoint in that repository, the preferred one first."""
    url: str = ""
    sha256: str = ""
    """What the file at the address must be."""
    folder: Path = Path()
    """Where the family's library keeps what came from the address."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a family loads a model from."""

    key: str
    model: ModelSettings
    path: Path
    """The file; it means nothing to a family that needs no weights."""
    sha256: str
    source: str
    """Where the file comes from: a repository, or its own path."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a model has taken of its device; zeros where nobody counts it."""

    memory_share: float = 0.0
    """Share of the device's memory that its process has taken or keeps for later."""
    copied_s: float = 0.0
    """Seconds in which the device waited for pictures to be brought to it, since it was loaded."""
    weights_bytes: int = 0
    """What its parameters take of the device's memory."""


class Model(Protocol):
    """A model on its device; only the thread that owns the device calls it."""

    @property
    def spec(self) -> PictureSpec:
        """How pictures are prepared for it, and what its vectors are."""

    def encode_pictures(self, pictures: Pictures) -> Vectors:
        """Return the vectors of prepared pictures: float32 (N, D), of length 1 unless the model pools them itself.

        Raises whatever its library raises, and ValueError if a vector is not finite.
        """

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of texts in the space of the pictures: float32 (N, D), L2-normalised. Raises LookupError
        if it knows no texts."""

    def pool(self, frames: Vectors) -> Vectors:
        """Return the vector (D,) of the frames (T, D) of one stretch of video in their order, T within
        `spec.pool_frames`, L2-normalised. Raises LookupError if its vectors are pooled by their mean."""

    def usage(self) -> "Usage":
        """Return what it has taken of its device."""

    def release_memory(self) -> None:
        """Give memory that is only cached back to the device."""


class SpeechModel(Protocol):
    """A model of speech on its device; only the thread that owns the device calls it."""

    @property
    def spec(self) -> SpeechSpec:
        """Which model it is."""

    def transcribe(self, windows: Sequence[Window]) -> list[Heard]:
        """Return what is said in each window. Raises whatever its library raises."""

    def usage(self) -> "Usage":
        """Return what it has taken of its device."""

    def release_memory(self) -> None:
        """Give memory that is only cached back to the device."""


class TextModel(Protocol):
    """An engine that reads text; one thread calls it, and beside that of the device."""

    @property
    def spec(self) -> TextSpec:
        """Which engine it is."""

    def read(self, pages: Sequence[Page]) -> list[Pieces]:
        """Return the text in each picture. Raises whatever its library raises."""

    def usage(self) -> "Usage":
        """Return what it has taken of its device."""

    def release_memory(self) -> None:
        """Give memory that is only cached back to the device."""


AnyModel = Model | SpeechModel | TextModel


def of_pictures(model: AnyModel) -> Model:
    """Return a model that makes vectors of pictures. Raises LookupError for one of speech or text."""
    if isinstance(model.spec, PictureSpec):
        return model
    raise LookupError(f"{model.spec.model} makes no vectors")


class Family(Protocol):
    """A kind of models: one file beside this one. Nothing heavy is imported before `load`."""

    needs_weights: bool
    files: tuple[str, ...]
    """Names of a checkpoint in a folder or repository, the preferred one first."""
    config: str
    """Name of the configuration beside it in a repository that a hub id names."""

    def check(self, key: str, model: ModelSettings) -> None:
        """Raise SettingsError if there is no such architecture."""

    def origin(self, key: str, model: ModelSettings) -> Origin:
        """Return where the weights can be had. Raises SettingsError if the settings do not say."""

    def identity(self, model: ModelSettings) -> bytes:
        """Return what shapes the vectors beside the weights and the names of the settings; empty if nothing does.

        Raises SettingsError if it cannot be read.
        """

    def load(self, checkpoint: Checkpoint, host: HostSettings, note: Note) -> Model | SpeechModel:
        """Load a model; never downloads. `note` is told what an operator may want to know.

        Raises DeviceError if the device is not there, and whatever its libraries raise on a file that is none.
        """
