"""The full screens that can be opened by name; the monitor, from which they are opened, is home."""

from collections.abc import Callable
from typing import Any

from textual.screen import Screen

from screens.doctor import Doctor
from screens.failures import Failures
from screens.lab import Lab
from screens.models import Models
from screens.new_run import NewRun
from screens.ports import Ports
from screens.runs import Runs
from screens.settings import SettingsRoom

ROOMS: dict[str, Callable[[Ports], Screen[Any]]] = {
    "doctor": Doctor,
    "lab": Lab,
    "models": Models,
    "new run": NewRun,
    "failures": Failures,
    "settings": SettingsRoom,
    "runs": Runs,
}
"""Name -> what makes the screen; `app.open('new run')` opens one."""
