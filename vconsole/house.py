"""What the console stands on (settings, engine, ports), built in a thread while its first picture is drawn."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.text import visible
from vconsole.log import Closable, Log, Recorder
from vconsole.options import Options
from vconsole.places import config_path, state_dir

if TYPE_CHECKING:  # pydantic and the schema are a third of the time to the first picture
    from pipeline.settings import Settings
    from screens.ports import Ports
    from vconsole.keymap import Keymap
    from vconsole.settings_file import SettingsFile

GRACE_S = 10.0
"""How long a signal may take to end the program before the settings are read."""


@dataclass(frozen=True)
class House:
    """All of it; `problems` are sentences to be told at first."""

    engine: Closable
    settings: "Settings"
    ports: "Ports"
    keymap: "Keymap"
    problems: tuple[str, ...] = ()


class Building:
    """A house that is not there yet, or is already; who closes it waits until it is."""

    def __init__(self, build: Callable[[], House] | House) -> None:
        self.house = build if isinstance(build, House) else None
        self.failure: BaseException | None = None
        self._build = build
        self._thread: threading.Thread | None = None

    @property
    def grace_s(self) -> float:
        """How long closing may take."""
        return self.house.settings.engine.grace_s if self.house else GRACE_S

    def begin(self, told: Callable[[], object]) -> None:
        """Build in a thread and call `told` from there; `failure` then says whether there is a house."""
        self._thread = threading.Thread(target=self._work, args=(told,), name="building", daemon=True)
        self._thread.start()

    def close(self, *, now: bool = False) -> None:
        """Close the engine, once it is there; from any thread."""
        if self._thread is not None and threading.current_thread() is not self._thread:
            self._thread.join()
        if self.house is not None:
            self.house.engine.close(now=now)

    def _work(self, told: Callable[[], object]) -> None:
        try:
            if not isinstance(self._build, House):
                self.house = self._build()
        except BaseException as error:  # noqa: BLE001 - who waits for the house raises it
            self.failure = error
        finally:
            told()


def build(options: Options, environ: Mapping[str, str], log: Log) -> House:
    """Read the settings, start the engine and return it with all that screens need.

    Raises SettingsError for settings that cannot be, LedgerError or EngineRunningError where the engine cannot start.
    """
    from pipeline.engine import Engine
    from vconsole.config import load
    from vconsole.keymap import checked
    from vconsole.settings_file import SettingsFile

    settings = load(options, environ)
    keymap = checked(settings.keys, _said_in(config_path(options, environ)))
    problem = log.write_to(settings.log)
    engine = Engine(settings, state_dir=state_dir(settings))
    engine.start()
    source = Recorder(engine)
    ports = ports_over(source, settings, engine.state_dir, SettingsFile(options, environ, current=settings))
    return House(source, settings, ports, keymap, (problem,) if problem else ())


def ports_over(engine: Closable, settings: "Settings", folder: Path, store: "SettingsFile") -> "Ports":
    """Return what screens need, over an engine whose ledger is in `folder`.

    A new run goes by what `store` read last, so that it has what was saved meanwhile.
    """
    from pipeline.job_pictures import Album
    from pipeline.settings import PRESETS
    from screens.ports import Ports
    from vconsole.analyst import Analyst
    from vconsole.classes import ClassDesk
    from vconsole.doctor import examination_of
    from vconsole.failures import LedgerFailures
    from vconsole.history import LedgerHistory
    from vconsole.jobs import job_reader, keeper
    from vconsole.lab import LabDesk
    from vconsole.planning import Planner
    from vconsole.shelf import Shelf

    return Ports(
        source=engine,
        planning=Planner(store.settings, folder),
        presets={**PRESETS, **settings.presets},
        settings=store,
        history=LedgerHistory(folder),
        refresh_hz=settings.console.refresh_hz,
        job_facts=job_reader(folder),
        album=Album,
        keep=keeper(folder),
        examine=partial(examination_of, settings, folder),
        failed=LedgerFailures(folder),
        shelf=Shelf(store.settings, folder),
        lab=LabDesk(store.settings, folder),
        analyst=Analyst(store.settings, folder),
        classes=ClassDesk(store.settings),
    )


def _said_in(path: Path | None) -> Callable[[str], str]:
    """Return what names the configuration file before the name of an action, where the file says its key."""
    from vconsole.layers import read_file

    said = {".".join(entry.key[1:]) for entry in read_file(path) if entry.key[0] == "keys"} if path else set()
    return lambda action: f"{visible(str(path))}: " if action in said else ""
