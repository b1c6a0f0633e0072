"""Answers what the screens of a new run ask: settings, what a folder holds, the plan, the command that starts it."""

import threading
from collections.abc import Callable, Mapping
from functools import cached_property
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


class Planner:
    """`screens.ports.Planning` over the settings of the program and its ledger."""

    def __init__(self, settings: Settings, state_dir: Path) -> None:
        self._settings = settings
        self._state_dir = state_dir

    def settings(self, preset: str, changes: Mapping[str, str]) -> PipelineSettings | Refusal:
        """Return the settings of a run with `preset` and `changes` (section.key -> text) laid over it."""
        try:
            return self._resolved(preset, changes)
        except VconsoleError as error:
            return Refusal(str(error), error.remedy)

    def count(self, path: bytes, stop: threading.Event, tell: Callable[[Holding], object]) -> Holding:
        """Return what a file or folder holds; `tell` is given the number so far."""
        return count(path, self._lengths, stop.is_set, tell)

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
        return with_changes(with_preset(self._settings, preset), changes)

    @cached_property
    def _lengths(self) -> Lengths:
        """What the ledger knows when the first folder is counted; hours that a run finds meanwhile are left out."""
        try:
            return Lengths.read(self._state_dir)
        except LedgerError:  # then no hours are known; the plan tells what is wrong with the ledger
            return Lengths({})
