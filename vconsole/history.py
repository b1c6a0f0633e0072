"""The run history for the console: read from the ledger beside the engine, and a run of it asked for once more."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipeline.commands import StartRun
from pipeline.engine import history
from pipeline.engine.plan import check
from pipeline.engine.reader import LedgerReader
from pipeline.engine.redo import as_command
from pipeline.errors import SettingsError, VconsoleError
from pipeline.history import History, RunDetails
from pipeline.model import RunKind
from screens.ports import Refusal

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LedgerHistory:
    """What the ledger in `state_dir` remembers."""

    state_dir: Path

    def runs(self) -> History | Refusal:
        """Return the newest runs."""
        return _told(lambda: history.history(self.state_dir))

    def details(self, run_id: int) -> RunDetails | Refusal:
        """Return all that is remembered of one run."""
        return _told(lambda: history.details(self.state_dir, run_id))

    def again(self, run_id: int) -> StartRun | Refusal:
        """Return the command that starts a run once more, after the checks of a new one."""
        return _told(lambda: _again(self.state_dir, run_id))


def _again(state_dir: Path, run_id: int) -> StartRun:
    with LedgerReader.read_only(state_dir) as ledger:
        record = ledger.run(run_id)
    if record is None:
        raise SettingsError(f"There is no run {run_id} in the ledger.")
    if record.kind is RunKind.BENCHMARK:
        raise SettingsError(
            f"Run {run_id} is a benchmark; the benchmark lab measures it again.", remedy="Open it there."
        )
    if record.is_redo:
        raise SettingsError(
            f"Run {run_id} only did again what was found damaged; it has no inputs that could be read again.",
            remedy="`vconsole verify` finds what is damaged now.",
        )
    try:
        command = as_command(record)
    except ValueError as error:
        raise SettingsError(
            f"Run {run_id} has settings that this version does not take: {error}", remedy="Start a new run instead."
        ) from error
    check(command)
    return command


def _told(read: Callable[[], T]) -> T | Refusal:
    try:
        return read()
    except VconsoleError as error:
        return Refusal(str(error), error.remedy)
