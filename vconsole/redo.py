"""Does damaged outputs again: for `vconsole verify`, under the lock of the state folder."""

import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.commands import ResumeRun
from pipeline.engine.ledger import Ledger
from pipeline.engine.plan import check_again
from pipeline.engine.redo import prepare, reported_run, write_again
from pipeline.settings import Settings
from pipeline.text import plural
from vconsole.extract import carry_out


@dataclass(frozen=True, slots=True)
class Damage:
    """What is to be done again in an output folder."""

    videos: tuple[bytes, ...]
    """Relative paths of the videos whose outputs are damaged."""
    reports: tuple[bytes, ...]
    """Names of the damaged reports."""

    def __bool__(self) -> bool:
        return bool(self.videos or self.reports)

    def __str__(self) -> str:
        counts = ((len(self.videos), "video"), (len(self.reports), "report"))
        return " and ".join(plural(count, noun) for count, noun in counts if count)


def redo(damage: Damage, out: bytes, folder: Path, settings: Settings, *, as_json: bool) -> dict[bytes, str] | None:
    """Do again what is damaged in `out`; return what could not be, with the reason; None if it was interrupted.

    Raises EngineRunningError if another vconsole holds the ledger, SettingsError or MissingWeightsError if a recorded
    run could not go on: then nothing was done.
    """
    ledger = Ledger(folder)
    try:
        prepared = prepare(ledger, out, damage.videos, time.time(), check_again)
        hopeless = dict(prepared.hopeless)
        reported = reported_run(ledger, out)
        if reported and damage.reports:
            try:
                write_again(folder, reported[0], damage.reports)
            except OSError as error:
                why = f"It cannot be written: {error.strerror}. If a folder has its name, move that away."
                hopeless |= dict.fromkeys(damage.reports, why)
    finally:
        ledger.close()
    for run_id in prepared.run_ids:
        if carry_out(ResumeRun(run_id), settings, folder, as_json=as_json).interrupted:
            return None
    return hopeless
