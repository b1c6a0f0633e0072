"""Loads each model once, on first need, in a thread of its own; whoever needs it meanwhile waits."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import JobError, VconsoleError
from pipeline.model import FailureClass, Stage
from pipeline.models.batcher import Batcher
from pipeline.models.faults import Fault, fault_of
from pipeline.sections import HostSettings, ModelSettings

if TYPE_CHECKING:
    from pipeline.models.clip import ClipModel

Note = Callable[[str, str], None]


@dataclass(slots=True)
class _Entry:
    """One model: wanted, loaded or failed, and who waits for it."""

    model: "ClipModel | None" = None
    failure: JobError | None = None
    preloaded: bool = False
    waiting: list[tuple[Callable[[str], None], Callable[[JobError], None]]] = field(default_factory=list)


class Loader:
    """The models of this host by key. One that failed to load is tried again when `spec` next asks for it."""

    def __init__(
        self,
        host: HostSettings,
        models: dict[str, ModelSettings],
        batcher: Batcher,
        note: Note,
        hopeless: Callable[[str], None],
    ) -> None:
        self.device = host.device
        self._host = host
        self._models = models
        self._batcher = batcher
        self._note = note
        self._hopeless = hopeless
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

    def model(self, key: str) -> "ClipModel":
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
            try:
                self._settle(key, self._load(key), None)
            except JobError as error:
                self._settle(key, None, error)

    def _entry(self, key: str) -> _Entry:
        if key not in self._entries:
            self._entries[key] = _Entry()
            self._wanted.put(key)
        return self._entries[key]

    def _load(self, key: str) -> "ClipModel":
        if key not in self._models:
            raise _refused(f"there is no model {key!r}; there are {', '.join(sorted(self._models))}")
        # Importing torch is left to `load`: a host that nobody needs stays small.
        from pipeline.models.clip import DeviceError, load

        try:
            return load(key, self._models[key], self._host, lambda text: self._note("warning", text))
        except JobError:
            raise
        except DeviceError as error:
            self._hopeless(str(error))
            raise _refused(str(error)) from error
        except VconsoleError as error:
            raise _refused(str(error)) from error
        except Exception as error:
            # Whatever torch raises, those who wait must hear of it.
            if fault_of(error) is Fault.MEMORY:
                raise _refused(f"model {key} does not fit into memory: {error}") from error
            raise _refused(f"model {key} cannot be loaded: {type(error).__name__}: {error}"[:1000]) from error

    def _settle(self, key: str, model: "ClipModel | None", failure: JobError | None) -> None:
        with self._lock:
            entry = self._entries[key]
            entry.model, entry.failure = model, failure
            waiting, entry.waiting = entry.waiting, []
        if model is not None:
            self.device = model.spec.device
            self._batcher.loaded(key, model)
            for then, _ in waiting:
                then(key)
        elif failure is not None:
            self._note("error", str(failure))
            self._batcher.refuse(key, str(failure))
            for _, otherwise in waiting:
                otherwise(failure)
            if entry.preloaded:
                self._hopeless(f"model {key} was to be loaded before anything else and cannot be")


def _refused(message: str) -> JobError:
    return JobError(FailureClass.MODEL, message, stage=Stage.EMBED)
