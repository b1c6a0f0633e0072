"""The benchmark lab for the console: what can be measured, the command that measures it, and reports of the past."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

from pipeline.commands import StartRun
from pipeline.engine.history import past_run
from pipeline.engine.reader import LedgerReader
from pipeline.engine.records import RunRecord
from pipeline.engine.store import LEDGER_NAME
from pipeline.errors import SettingsError, VconsoleError
from pipeline.history import PastRun
from pipeline.lab import LabChoices, LabComparison, LabReport, LabRequest
from pipeline.model import STAGES, RunKind
from pipeline.settings import PRESETS, Settings, presets_of
from screens.ports import Exported, Refusal

T = TypeVar("T")
MOST_REPORTS = 500


class LabDesk:
    """Answers over the settings as they were read last and the ledger in `state_dir`; used by threads only."""

    def __init__(self, settings: Callable[[], Settings], state_dir: Path) -> None:
        self._settings = settings
        self._state_dir = state_dir

    def choices(self) -> LabChoices | Refusal:
        """Return what can be measured."""
        return _told(self._choices)

    def prepare(self, request: LabRequest) -> StartRun | Refusal:
        """Return the command that has something measured; made-up inputs are made now."""
        return _told(lambda: self._prepare(request))

    def again(self, run_id: int) -> StartRun | Refusal:
        """Return the command that measures once more what a run has measured."""
        return _told(lambda: self._again(run_id))

    def reports(self) -> tuple[PastRun, ...] | Refusal:
        """Return the benchmarks of the ledger, newest first."""
        return _told(self._reports)

    def report(self, run: PastRun) -> LabReport:
        """Return what is known of one benchmark."""
        from pipeline.benchmark.facts import report_of
        from pipeline.benchmark.report import read_report

        try:
            return report_of(run, read_report(_report(os.fsencode(run.out))))
        except SettingsError as error:
            return LabReport(run, untold=f"{self._why_lost(run) or error} {error.remedy}".strip())

    def compare(self, before: PastRun, after: PastRun) -> LabComparison | Refusal:
        """Return what `after` has changed against `before`."""
        from pipeline.benchmark.compare import compare
        from pipeline.benchmark.facts import comparison_of
        from pipeline.benchmark.report import read_report

        reports = [_report(os.fsencode(run.out)) for run in (before, after)]
        return _told(lambda: comparison_of(compare(*map(read_report, reports))))

    def export(self, run: PastRun, folder: bytes) -> Exported | Refusal:
        """Write the four reports of a benchmark into a folder, which is made if need be."""
        from pipeline.benchmark.report import read_report
        from pipeline.benchmark.write import write_reports

        try:
            report = read_report(_report(os.fsencode(run.out)))
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - the path may hold any bytes
            prefix = os.path.join(os.fsdecode(folder), f"benchmark-{run.run_id}")  # noqa: PTH118
            paths = write_reports(report, prefix)
        except VconsoleError as error:
            return Refusal(str(error), error.remedy)
        except OSError as error:
            where = os.fsdecode(error.filename or folder)
            return Refusal(f"It could not be written: {where}: {error.strerror}.", "Choose another folder.")
        return Exported(len(report.results), tuple(map(os.fsencode, paths)))

    def _choices(self) -> LabChoices:
        from pipeline.models.registry import catalogue, locate

        settings = self._settings()

        def here(key: str) -> bool:
            try:
                return locate(key, models[key]).on_disk
            except SettingsError:
                return False

        models = catalogue(settings)
        all_of = {**PRESETS, **settings.presets}
        presets, transcodes = (tuple(presets_of(all_of, kind)) for kind in (RunKind.EXTRACT, RunKind.TRANSCODE))
        extractors = tuple((key, here(key)) for key in sorted(models, key=lambda key: (not here(key), key)))
        return LabChoices(extractors, tuple(STAGES[RunKind.EXTRACT]), presets, transcodes)

    def _prepare(self, request: LabRequest) -> StartRun:
        from pipeline.benchmark.order import write_order
        from vconsole.lab_order import command_of, new_folder, order_of

        folder = cache(lambda: new_folder(self._state_dir))
        order, inputs = order_of(request, self._settings(), folder, ("vconsole",))
        write_order(order, bytes(folder()))
        return command_of(order, inputs, folder())

    def _again(self, run_id: int) -> StartRun:
        from pipeline.benchmark.order import read_order, write_order
        from vconsole.lab_order import command_of, new_folder

        with LedgerReader.read_only(self._state_dir) as ledger:
            record = ledger.run(run_id)
        if record is None:
            raise SettingsError(f"There is no run {run_id} in the ledger.")
        try:
            order = read_order(record.out, "")
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise SettingsError(f"What run {run_id} measured is not known any more: {error}") from error
        folder = new_folder(self._state_dir)
        write_order(order, bytes(folder))
        return command_of(order, record.inputs, folder)

    def _reports(self) -> tuple[PastRun, ...]:
        if not (self._state_dir / LEDGER_NAME).exists():
            return ()
        with LedgerReader.read_only(self._state_dir) as ledger:
            return tuple(past_run(run, ledger.counts(run.run_id)) for run in _benchmarks(ledger))

    def _why_lost(self, run: PastRun) -> str:
        with LedgerReader.read_only(self._state_dir) as ledger:
            return next((job.message for job in ledger.jobs(run.run_id) if job.message), "")


def _benchmarks(ledger: LedgerReader) -> Iterator[RunRecord]:
    return (run for run in ledger.runs(limit=MOST_REPORTS) if run.kind is RunKind.BENCHMARK)


def _report(folder: bytes) -> Path:
    return Path(os.fsdecode(folder)) / "report.json"


def _told(read: Callable[[], T]) -> T | Refusal:
    try:
        return read()
    except VconsoleError as error:
        return Refusal(str(error), error.remedy)
    except OSError as error:
        return Refusal(f"It could not be done: {error.filename or ''} {error.strerror}.")
