"""Supplies a host with models: loads one from its checkpoint and measures it, or says why that cannot be."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import JobError, VconsoleError
from pipeline.models import remembered
from pipeline.models.faults import Fault, fault_of
from pipeline.models.load import NoRoomError, load, refused
from pipeline.models.measure import batch_bytes, measured_batch_size
from pipeline.models.network import DeviceError
from pipeline.models.registry import locate
from pipeline.sections import HostSettings, ModelSettings
from pipeline.stage_sections import TextSettings

if TYPE_CHECKING:
    from pipeline.models.families.interface import AnyModel


@dataclass(frozen=True, slots=True)
class Supplied:
    """A loaded model, and what was measured of it."""

    model: "AnyModel"
    load_s: float
    weights_bytes: int
    batch_bytes: int | None
    """What its largest batch takes of a GPU; None = it was measured when it was loaded first."""
    batch_size: int
    """0 = as it was."""


class Supply:
    """The models that a host may be asked for."""

    def __init__(
        self,
        host: HostSettings,
        models: Mapping[str, ModelSettings | TextSettings],
        remember: Path | None,
        note: Callable[[str, str], None],
        no_device: Callable[[str], None],
    ) -> None:
        """`remember` is the file of what was measured earlier; `no_device` is told that the device is not there."""
        self._host = host
        self._models = models
        self._remember = remember
        self._note = note
        self._no_device = no_device

    def estimate(self, key: str) -> int:
        """Return what a model takes as far as that is known before it is loaded; 0 = nothing is known."""
        known = remembered.of_key(self._remember, key).get("weights_bytes", 0) if self._remember else 0
        if isinstance(known, int) and known > 0:
            return known
        model = self._models.get(key)
        if not isinstance(model, ModelSettings):  # an engine that reads text counts its memory nowhere
            return 0
        try:
            path = locate(key, model).path
            return path.stat().st_size if path else 0
        except (VconsoleError, OSError):  # what is wrong with it is told when it is loaded
            return 0

    def get(self, key: str, *, again: bool) -> Supplied | JobError:
        """Load a model, or return why it cannot be; what was loaded of it is gone by then.

        What was measured and told of a model is not measured and told `again`.
        """
        try:
            return self._loaded(key, again=again)
        except NoRoomError as error:
            return NoRoomError(str(error))  # a fresh one: the frames of the other hold what was loaded
        except JobError as error:
            return error

    def _warn(self, text: str) -> None:
        self._note("warning", text)

    def _loaded(self, key: str, *, again: bool) -> Supplied:
        if key not in self._models:
            raise refused(f"there is no model {key!r}; there are {', '.join(sorted(self._models))}")
        began = time.monotonic()
        try:
            model = load(key, self._models[key], self._host, _nothing if again else self._warn)
        except JobError:
            raise
        except DeviceError as error:
            self._no_device(str(error))
            raise refused(str(error)) from error
        except Exception as error:
            # Whatever it is, those who wait must hear of it.
            raise refused(f"model {key} cannot be loaded: {type(error).__name__}: {error}"[:1000]) from error
        load_s, weights_bytes = time.monotonic() - began, model.usage().weights_bytes
        if again:
            return Supplied(model, load_s, weights_bytes, None, 0)
        try:
            size = measured_batch_size(model, self._host, self._remember, load_s)
            return Supplied(model, load_s, weights_bytes, batch_bytes(model, size), size)
        except Exception as error:
            message = f"model {key} cannot run one picture: {type(error).__name__}: {error}"[:1000]
            raise (NoRoomError(message) if fault_of(error) is Fault.MEMORY else refused(message)) from error


def _nothing(text: str) -> None:
    """Tell nobody."""
