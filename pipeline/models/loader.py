"""Loads each model once, on first need, in a thread of its own; whoever needs it meanwhile waits."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import JobError
from pipeline.models.batcher import Batcher
from pipeline.models.load import load, refused
from pipeline.models.measure import measured_batch_size
from pipeline.models.network import DeviceError
from pipeline.sections import HostSettings, ModelSettings
from pipeline.stage_sections import TextSettings

if TYPE_CHECKING:
    from pipeline.models.families.interface import AnyModel

Note = Callable[[str, str], None]


@dataclass(slots=True)
class _Entry:
    """One model: wanted, loaded or failed, and who waits for it."""

    model: "AnyModel | None" = None
    failure: JobError | None = None
    load_s: float = 0.0
    preloaded: bool = False
    waiting: list[tuple[Callable[[str], None], Callable[[JobError], None]]] = field(default_factory=list)


class Loader:
    """The models of this host by key. One that failed to load is tried again when `spec` next asks for it."""

    def __init__(
        self,
        host: HostSettings,
        models: dict[str, ModelSettings | TextSettings],
        batcher: Batcher,
        note: Note,
        hopeless: Callable[[str], None],
        remember: Path | None = None,
    ) -> None:
        """`hopeless` is told that no host can serve here; `remember` is the file of what was measured earlier."""
        self.device = host.device
        self._host = host
        self._models = models
        self._batcher = batcher
        self._note = note
        self._hopeless = hopeless
        self._remember = remember
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()
        self._wanted: queue.SimpleQueue[str] = queue.SimpleQueue()

    @property
    def state(self) -> str:
        """`loading` while a model that somebody asked for is not there yet, else `ready`."""
        with self._lock:
            pending = any(entry.model is None and entry.failure is None for entry in self._entries.values())
        return "loading" if pending else "ready"

    def loaded(self) -> list[str]:
        """Return the keys of the models that are loaded."""
        with self._lock:
            return [key for key, entry in self._entries.items() if entry.model is not None]

    def facts(self) -> dict[str, dict[str, Any]]:
        """Return by key what an operator may want to know of the models that are loaded."""
        with self._lock:
            loaded = [(key, entry.model.spec, entry.load_s) for key, entry in self._entries.items() if entry.model]
        return {
            key: {"key": key, "precision": spec.precision, "device": spec.device, "load_s": round(load_s, 3)}
            for key, spec, load_s in loaded
        }

    def model(self, key: str) -> "AnyModel":
        """Return a loaded model. Raises KeyError."""
        model = self._entries[key].model
        if model is None:
            raise KeyError(key)
        return model

    def preload(self, key: str) -> None:
        """Load a model before anybody asks for it; if that fails the host is of no use and ends."""
        with self._lock:
            self._entry(key).preloaded = True

    def want(self, key: str) -> None:
        """Make sure that the model of a picture is loaded or being loaded; a known failure answers at once."""
        with self._lock:
            failure = self._entry(key).failure
        if failure is not None:
            self._batcher.refuse(key, str(failure))

    def when_loaded(self, key: str, then: Callable[[str], None], otherwise: Callable[[JobError], None]) -> None:
        """Call `then(key)` once the model is loaded, or `otherwise` with the reason why it cannot be."""
        with self._lock:
            entry = self._entry(key)
            if entry.failure is not None:
                entry.failure = None
                self._wanted.put(key)
            if entry.model is None:
                entry.waiting.append((then, otherwise))
                return
        then(key)

    def run(self) -> None:
        """Load what is wanted, for ever."""
        while True:
            key = self._wanted.get()
            began = time.monotonic()
            try:
                model = self._load(key)
                self._entries[key].load_s = time.monotonic() - began
                batch_size = self._measured(key, model)
            except JobError as error:
                self._settle(key, None, error)
            else:
                self._settle(key, model, None, batch_size)

    def _entry(self, key: str) -> _Entry:
        if key not in self._entries:
            self._entries[key] = _Entry()
            self._wanted.put(key)
        return self._entries[key]

    def _load(self, key: str) -> "AnyModel":
        if key not in self._models:
            raise refused(f"there is no model {key!r}; there are {', '.join(sorted(self._models))}")
        try:
            return load(key, self._models[key], self._host, lambda text: self._note("warning", text))
        except JobError:
            raise
        except DeviceError as error:
            self._hopeless(str(error))
            raise refused(str(error)) from error
        except Exception as error:
            # Whatever it is, those who wait must hear of it.
            raise refused(f"model {key} cannot be loaded: {type(error).__name__}: {error}"[:1000]) from error

    def _measured(self, key: str, model: "AnyModel") -> int:
        """Return the batch size of a model: as set, or as measured here now or on an earlier day."""
        load_s = self._entries[key].load_s
        try:
            return measured_batch_size(model, self._host, self._remember, load_s)
        except Exception as error:
            raise refused(f"model {key} cannot run one picture: {type(error).__name__}: {error}"[:1000]) from error

    def _settle(self, key: str, model: "AnyModel | None", failure: JobError | None, batch_size: int = 0) -> None:
        with self._lock:
            entry = self._entries[key]
            entry.model, entry.failure = model, failure
            waiting, entry.waiting = entry.waiting, []
        if model is not None:
            if not self.device.startswith("cuda"):  # a family without torch runs on the CPU beside a GPU
                self.device = model.spec.device
            self._batcher.loaded(key, model, batch_size, reads=isinstance(self._models[key], TextSettings))
            for then, _ in waiting:
                then(key)
        elif failure is not None:
            self._note("error", str(failure))
            self._batcher.refuse(key, str(failure))
            for _, otherwise in waiting:
                otherwise(failure)
            if entry.preloaded:
                self._hopeless(f"model {key} was to be loaded before anything else and cannot be")
