"""Answers what the screens of a new run ask: settings, what a folder holds, the plan, the command that starts it."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.commands import StartRun
from pipeline.engine.census import count
from pipeline.engine.forecaster import forecast
from pipeline.engine.past import Lengths
from pipeline.engine.plan import check
from pipeline.errors import LedgerError, VconsoleError
from pipeline.forecast import Holding, Plan
from pipeline.settings import PipelineSettings, Settings, with_preset
from screens.ports import Refusal, RunRequest
from vconsole.config import with_changes

LENGTHS_S = 30.0
"""How long the lengths of videos that the ledger told are taken for the newest."""


class Planner:
    """`screens.ports.Planning` over the settings as they are now and the ledger of the program."""

    def __init__(self, settings: Callable[[], Settings], state_dir: Path) -> None:
        self._settings = settings
        self._state_dir = state_dir
        self._reading = threading.Lock()
        self._read_s = float("-inf")
        self._lengths = Lengths({})

    def settings(self, preset: str, changes: Mapping[str, str]) -> PipelineSettings | Refusal:
        """Return the settings of a run with `preset` and `changes` (section.key -> text) laid over it."""
        try:
            return self._resolved(preset, changes)
        except VconsoleError as error:
            return Refusal(str(error), error.remedy)

    def count(self, path: bytes, stop: threading.Event, tell: Callable[[Holding], object]) -> Holding:
        """Return what a file or folder holds; `tell` is given the number so far."""
        return count(path, self._known_lengths(), stop.is_set, tell)

    def plan(self, request: RunRequest, stop: threading.Event, tell: Callable[[Plan], object]) -> Plan | Refusal:
        """Return what a run would do; `tell` is given the plan so far."""
        try:
            return forecast(self._command(request), self._state_dir, stop, tell)
        except VconsoleError as error:
            return Refusal(str(error), error.remedy)

    def command(self, request: RunRequest) -> StartRun | Refusal:
        """Return the command that starts the run, or why that would surely fail."""
        try:
            command = self._command(request)
            check(command)
        except VconsoleError as error:
            return Refusal(str(error), error.remedy)
        return command

    def _command(self, request: RunRequest) -> StartRun:
        settings = self._resolved(request.preset, dict(request.changes))
        return StartRun(request.kind, request.inputs, request.out, request.preset, settings)

    def _resolved(self, preset: str, changes: Mapping[str, str]) -> PipelineSettings:
        return with_changes(with_preset(self._settings(), preset), changes)

    def _known_lengths(self) -> Lengths:
        """Return what the ledger knew not long ago, since to read it for each folder would take too long."""
        with self._reading:
            if time.monotonic() - self._read_s > LENGTHS_S:
                try:
                    self._lengths = Lengths.read(self._state_dir)
                except LedgerError:  # then no hours are known; the plan tells what is wrong with the ledger
                    self._lengths = Lengths({})
                self._read_s = time.monotonic()
            return self._lengths
