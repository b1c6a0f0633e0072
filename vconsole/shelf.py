"""The models for the console: what is on this machine, checked on request, fetched in a child process."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.errors import SettingsError, VconsoleError
from pipeline.models import remembered
from pipeline.models.registry import catalogue, locate
from pipeline.sections import ModelSettings
from pipeline.settings import Settings
from pipeline.shelf import FetchStep, ShelvedModel, Verified
from screens.ports import Refusal


class Shelf:
    """The catalogue of the settings as they were read last, and what is remembered in the state folder."""

    def __init__(self, settings: Callable[[], Settings], state_dir: Path) -> None:
        self._settings = settings
        self._remembered = state_dir / remembered.FILE

    def models(self) -> tuple[ShelvedModel, ...] | Refusal:
        """Return every model by key."""
        try:
            models = catalogue(self._settings())
        except VconsoleError as error:
            return Refusal(str(error), error.remedy)
        return tuple(self._model(key, model) for key, model in sorted(models.items()))

    def verify(self, key: str) -> Verified:
        """Read the weights of a model as a whole."""
        from pipeline.models.check import verify

        return verify(key, catalogue(self._settings())[key])

    def fetch(self, key: str) -> "Fetching":
        """Begin to fetch the weights of a model."""
        return Fetching(key, catalogue(self._settings())[key])

    def _model(self, key: str, model: ModelSettings) -> ShelvedModel:
        known = remembered.of_key(self._remembered, key)
        try:
            status = locate(key, model)
            needed, here, size, where = status.needed, status.on_disk, status.size_bytes, status.place
            expected = status.expected_sha256
        except SettingsError as error:
            needed, here, size, where, expected = True, False, 0, f"{error} {error.remedy}".strip(), ""
        return ShelvedModel(
            key, model.family, model.architecture, model.weights or model.path, model.licence, needed, here, size,
            where, expected, str(known.get("device", "")), str(known.get("precision", "")),
            float(known.get("load_s", 0)), int(known.get("batch_size", 0)), float(known.get("pictures_per_s", 0)),
            bool(known.get("compiled")),
        )  # fmt: skip


class Fetching:
    """One download: a child process, since the hub's library cannot be stopped."""

    def __init__(self, key: str, model: ModelSettings) -> None:
        self._key = key
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pipeline.models.fetching", key, model.model_dump_json()],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True,
        )  # fmt: skip

    def steps(self) -> Iterator[FetchStep]:
        """Yield how far it is, last that it is over; blocks in between."""
        assert self._process.stdout is not None
        last = FetchStep(self._key)
        for line in self._process.stdout:
            event = json.loads(line)
            done, size = int(event.get("done_bytes", 0)), int(event.get("size_bytes", 0))
            if event["event"] == "failed":
                last = FetchStep(self._key, failure=str(event["message"]), over=True)
            else:
                over = event["event"] == "fetched"
                last = FetchStep(self._key, size if over else done, size, over=over)
            yield last
        code = self._process.wait()
        if not last.over:
            stopped = code == -signal.SIGTERM
            why = "It was stopped; the next one goes on where this one ended." if stopped else f"It ended ({code})."
            yield FetchStep(self._key, failure=why, over=True)

    def close(self) -> None:
        """End it, from any thread; what is there is gone on with next time."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
