"""Loads one model from its checkpoint on this machine, safely: checked, never downloaded, never run as a program."""

from pathlib import Path

from pipeline.errors import JobError, VconsoleError
from pipeline.model import FailureClass, Stage
from pipeline.models.families import family
from pipeline.models.families.interface import AnyModel, Checkpoint, Note
from pipeline.models.faults import Fault, fault_of
from pipeline.models.network import DeviceError
from pipeline.models.registry import locate, missing
from pipeline.models.weights import sha256_of
from pipeline.sections import HostSettings, ModelSettings
from pipeline.stage_sections import TextSettings


class NoRoomError(JobError):
    """A model that does not fit into the memory of its device as it is now."""

    def __init__(self, message: str) -> None:
        super().__init__(FailureClass.MODEL, message, stage=Stage.EMBED)


def load(key: str, model: ModelSettings | TextSettings, host: HostSettings, note: Note) -> AnyModel:
    """Return the model of `key`, or the engine of that name. `note` is told what an operator may want to know.

    Raises JobError (class model) with a sentence if the weights are missing, damaged, not those expected, or want to
    run code; of these NoRoomError where memory is short; DeviceError if the device is not there.
    """
    if isinstance(model, TextSettings):
        return _load_engine(key, model, host)
    status = locate(key, model)
    if not status.on_disk:
        raise refused(str(missing(status)))
    path = status.path or Path()
    sha256 = _checked(path, status.expected_sha256, key) if status.path else ""
    source = model.path or status.repository or status.url
    try:
        return family(model.family).load(Checkpoint(key, model, path, sha256, source), host, note)
    except (JobError, DeviceError):
        raise
    except VconsoleError as error:
        raise refused(str(error)) from error
    except Exception as error:
        # The model libraries, torch and safetensors raise what they like on bad files.
        if fault_of(error) is Fault.MEMORY:
            raise NoRoomError(f"model {key} does not fit into memory: {error}") from error
        raise _unloadable(key, path, error) from error


def _load_engine(engine: str, settings: TextSettings, host: HostSettings) -> AnyModel:
    from pipeline.models.families.text import ReadingModel

    try:
        return ReadingModel(engine, settings, host)
    except DeviceError:
        raise
    except Exception as error:
        # Its libraries raise what they like on bad weights, and where one of them cannot be imported.
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"[:600].rstrip(".")
        raise refused(
            f"{engine}, which is to read the text, cannot be loaded: {why}. Install it or copy its weights again, "
            "choose another text.engine, or switch text off"
        ) from error


def refused(message: str, detail: str = "") -> JobError:
    """Return the error of a model that cannot be used."""
    return JobError(FailureClass.MODEL, message, stage=Stage.EMBED, detail=detail)


def _checked(path: Path, expected: str, key: str) -> str:
    sha256 = sha256_of(path)
    if expected and sha256 != expected:
        raise refused(
            f"the weights of model {key} are not those expected: {path} has SHA-256 {sha256}, not {expected}; "
            "fetch them again, or correct the sha256 in the settings"
        )
    return sha256


def _unloadable(key: str, path: Path, error: Exception) -> JobError:
    text = str(error)
    if "weights_only" in text.lower() or "Unsupported global" in text:
        sentence = f"{path} is a pickle that wants to run code while it is loaded; it was refused and nothing ran"
        return refused(f"the weights of model {key} cannot be used: {sentence}", text)
    first = (text.strip().splitlines() or [type(error).__name__])[0][:300]
    return refused(f"model {key} cannot be loaded from {path}: {first}", text[:4000])
