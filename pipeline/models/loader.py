"""Loads each model on first need, in a thread of its own; where they do not all fit, unloads and loads them in turn."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import JobError
from pipeline.models import room
from pipeline.models.load import NoRoomError
from pipeline.models.pictures import PictureSpec
from pipeline.models.router import Router
from pipeline.models.speech import SpeechSpec
from pipeline.models.supply import Supplied, Supply
from pipeline.models.text import TextSpec
from pipeline.models.turns import Share, Turns
from pipeline.sections import HostSettings, ModelSettings
from pipeline.stage_sections import TextSettings

if TYPE_CHECKING:
    from pipeline.models.families.interface import AnyModel

Note = Callable[[str, str], None]
Spec = PictureSpec | SpeechSpec | TextSpec

LOOK_S = 0.02
"""Pause between two looks at whose turn it is, where not all models are loaded."""


@dataclass(slots=True)
class _Entry:
    """One model: wanted, known, loaded or failed, and who waits for it."""

    spec: Spec | None = None
    """Known once it was loaded; a model that has one and is not loaded rests."""
    model: "AnyModel | None" = None
    failure: JobError | None = None
    preloaded: bool = False
    waiting: list[tuple[Callable[[str], None], Callable[[JobError], None]]] = field(default_factory=list)


class Loader:
    """The models of this host by key. One that failed to load is tried again when `spec` next asks for it."""

    def __init__(
        self,
        host: HostSettings,
        models: dict[str, ModelSettings | TextSettings],
        router: Router,
        note: Note,
        hopeless: Callable[[str], None],
        remember: Path | None = None,
        called: str = "",
    ) -> None:
        """`hopeless` is told that no host can serve here; `remember` is the file of what was measured earlier.

        `called` is what the operator knows the GPU as, where this process is shown no other.
        """
        self.device = host.device
        self.turns = Turns()
        self._host = host
        self._models = models
        self._router = router
        self._note = note
        self._hopeless = hopeless
        self._called = called
        self._supply = Supply(host, models, remember, note, hopeless)
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.RLock()
        self._wanted: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._coming = ""
        self._reloading_since_s: float | None = None
        self._told_of_turns = False
        self._told_too_large: set[str] = set()
        router.device.serving.make_room = self._make_room

    @property
    def state(self) -> str:
        """`loading` while a model that somebody asked for was never there yet, else `ready`."""
        with self._lock:
            pending = any(entry.spec is None and entry.failure is None for entry in self._entries.values())
        return "loading" if pending else "ready"

    def served(self) -> list[str]:
        """Return the keys of the models that can be asked, though some may rest."""
        with self._lock:
            return [key for key, entry in self._entries.items() if entry.spec is not None]

    def facts(self) -> list[dict[str, Any]]:
        """Return what an operator may want to know of each model that can be asked."""
        with self._lock:
            return [self._facts(key) for key in self.served()]

    def reloading_for_s(self) -> float:
        """Return for how long a model has been loading that was loaded before, 0 if none is."""
        since_s = self._reloading_since_s
        return time.monotonic() - since_s if since_s is not None else 0.0

    def spec(self, key: str) -> Spec:
        """Return what is known of a model that was loaded once. Raises KeyError."""
        spec = self._entries[key].spec
        if spec is None:
            raise KeyError(key)
        return spec

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
        """Make sure that the model of a picture is known or being loaded; a known failure answers at once."""
        with self._lock:
            failure = self._entry(key).failure
        if failure is not None:
            self._router.refuse(key, str(failure))

    def when_known(self, key: str, then: Callable[[str], None], otherwise: Callable[[JobError], None]) -> None:
        """Call `then(key)` once the model was loaded, though it may rest, or `otherwise` with why it cannot be."""
        with self._lock:
            entry = self._entry(key)
            if entry.failure is not None:
                entry.failure = None
                self._wanted.put(key)
            if entry.spec is None:
                entry.waiting.append((then, otherwise))
                return
        then(key)

    def run(self) -> None:
        """Load what is wanted, and what rests when its turn has come, for ever."""
        while True:
            key = self._next()
            with self._lock:
                again = self._entries[key].spec is not None
                self.turns.shares.setdefault(key, Share(self._supply.estimate(key)))
                in_the_way = self.turns.in_the_way(key, self._router.device.demands())
            self._unload(in_the_way, key)
            self._coming, self._reloading_since_s = key, time.monotonic() if again else None
            found = self._supply.get(key, again=again)
            while isinstance(found, NoRoomError) and self._make_room(key):
                found = self._supply.get(key, again=again)
            if isinstance(found, JobError):
                self._failed(key, found)
            else:
                self._came(key, found)
            del found  # or it would be held until another is loaded

    def _next(self) -> str:
        """Wait for a model that is wanted for the first time, or that rests and may come back now."""
        while True:
            try:
                key = self._wanted.get(timeout=LOOK_S if self._resting() else None)
            except queue.Empty:
                key = self._whose_turn()
            if key:
                return key

    def _resting(self) -> list[str]:
        with self._lock:
            return [key for key, entry in self._entries.items() if entry.spec is not None and entry.model is None]

    def _whose_turn(self) -> str:
        """Return the resting model that is asked and waits longest, if those in its way have had their turn; or ""."""
        demands = self._router.device.demands()
        asked = [(demands[key].since_s, key) for key in self._resting() if key in demands]
        waits = [(since_s, key) for since_s, key in asked if since_s is not None]
        if not waits:
            return ""
        key = min(waits)[1]
        with self._lock:
            in_the_way = self.turns.in_the_way(key, demands)
            return key if self.turns.over(in_the_way, key, demands, time.monotonic()) else ""

    def _make_room(self, key: str) -> bool:
        """Unload another model, as memory was short for `key` whatever was planned; return whether to try again.

        Called while `key` is loaded, or on the device's thread when a single picture of it finds no room.
        """
        if self._coming not in {"", key}:
            time.sleep(LOOK_S)  # what is being loaded has taken the room, and can be unloaded only when it has come
            return True
        with self._lock:
            going = self.turns.clashed(key, self._router.device.demands())
        self._unload(going, key)
        self._wanted.put("")  # the loader may wait for a new model without an end, as none rested before
        return bool(going)

    def _unload(self, keys: Sequence[str], other: str) -> None:
        """Let models make room for another."""
        for key in keys:
            self._router.device.unload(key)
            with self._lock:
                if self._entries[key].model is not None:
                    self._entries[key].model = None
                    self.turns.went(key)
        if keys:
            room.give_back(self.device)
            self._tell_of_turns([*keys, other])

    def _tell_of_turns(self, keys: Sequence[str]) -> None:
        if self._told_of_turns:
            return
        self._told_of_turns = True
        self._note("warning", self.turns.told(keys, self._budget_setting, self._called or self.device))

    @property
    def _budget_setting(self) -> str:
        return "host.memory_mb" if self._host.memory_mb else "host.memory_fraction"

    def _tell_of_size(self, key: str) -> None:
        if self.turns.too_large(key) and key not in self._told_too_large:
            self._told_too_large.add(key)
            self._note("warning", self.turns.told_too_large(key, self._budget_setting, self._called or self.device))

    def _came(self, key: str, found: Supplied) -> None:
        model, spec = found.model, found.model.spec
        if not self.device.startswith("cuda"):  # a family without torch runs on the CPU beside a GPU
            self.device = spec.device
        if self._called and spec.device.startswith("cuda"):
            spec = replace(spec, device=self._called)
        with self._lock:
            self.turns.budget_bytes = room.budget_bytes(self._host, self.device)
            self.turns.came(key, time.monotonic(), found.load_s, found.weights_bytes, found.batch_bytes)
            in_the_way = self.turns.in_the_way(key, self._router.device.demands())
            entry = self._entries[key]
            entry.model, entry.spec, entry.failure = model, spec, None
            waiting, entry.waiting = entry.waiting, []
            self._router.loaded(key, model, found.batch_size, reads=isinstance(self._models[key], TextSettings))
            self._coming, self._reloading_since_s = "", None
        for then, _ in waiting:
            then(key)
        self._tell_of_size(key)
        self._unload(in_the_way, key)  # it may have turned out larger than expected

    def _failed(self, key: str, failure: JobError) -> None:
        with self._lock:
            entry = self._entries[key]
            entry.spec, entry.failure = None, failure
            waiting, entry.waiting = entry.waiting, []
            self._coming, self._reloading_since_s = "", None
        self._note("error", str(failure))
        self._router.refuse(key, str(failure))
        for _, otherwise in waiting:
            otherwise(failure)
        if entry.preloaded:
            self._hopeless(f"model {key} was to be loaded before anything else and cannot be")

    def _entry(self, key: str) -> _Entry:
        if key not in self._entries:
            self._entries[key] = _Entry()
            self._wanted.put(key)
        return self._entries[key]

    def _facts(self, key: str) -> dict[str, Any]:
        entry, spec, share = self._entries[key], self.spec(key), self.turns.shares[key]
        counted = not isinstance(self._models[key], TextSettings)
        return {
            "key": key,
            "precision": spec.precision,
            "compiled": isinstance(spec, PictureSpec) and spec.compiled,
            "device": spec.device,
            "load_s": round(share.load_s, 3),
            "state": "loaded" if entry.model else "loading" if key == self._coming else "resting",
            "memory_bytes": share.weights_bytes + share.batch_bytes if counted else None,
            "unloads": share.unloads,
        }
