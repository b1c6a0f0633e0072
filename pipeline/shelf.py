"""What is known of models and their weights on this machine, as a screen shows it: frozen, plain, light."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShelvedModel:
    """One model of the catalogue. Texts that come from outside are raw."""

    key: str
    family: str
    architecture: str
    weights: str
    """The pretrained tag or the path, empty if there is neither."""
    licence: str
    needed: bool
    """Whether it has weights at all."""
    here: bool
    """Whether they are on this machine, or none are needed."""
    size_bytes: int
    """0 if nobody knows."""
    where: str
    """The file, or where it was looked for, or why it cannot be named."""
    expected_sha256: str = ""
    """What the checksum must be, empty if nobody knows."""
    device: str = ""
    """The device on which it was loaded last, empty if it never was; so is all below."""
    precision: str = ""
    load_s: float = 0.0
    batch_size: int = 0
    """The size that was measured to be the quickest, 0 = it was not measured."""
    pictures_per_s: float = 0.0
    compiled: bool = False


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of the weights of one model."""

    key: str
    verdict: str
    """ok | missing | bad"""
    sentence: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class FetchStep:
    """How far the download of a model is."""

    key: str
    done_bytes: int = 0
    size_bytes: int = 0
    """0 if nobody knows."""
    failure: str = ""
    """Why it ended without a file, and what to do about it."""
    over: bool = False
