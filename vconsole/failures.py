"""What the console asks of the disk about failed videos: their sources, files for others, what was dismissed."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.engine.reader import LedgerReader
from pipeline.errors import VconsoleError
from pipeline.job_reader import failed_jobs
from pipeline.outputs.atomic import atomic_file
from pipeline.outputs.failure_export import export
from screens.ports import Exported, Refusal

DISMISSED_NAME = "dismissed.json"
RUNS_KEPT = 50
"""Runs of which it is kept what was dismissed, the newest ones."""


class LedgerFailures:
    """Answers from the ledger in `state_dir`, which it opens read-only for each question; used by threads only."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir

    def sources(self, job_ids: Iterable[int]) -> tuple[bytes, ...] | Refusal:
        """Return the absolute paths of videos."""
        try:
            with LedgerReader.read_only(self._state_dir) as ledger:
                return tuple(job.source for job in map(ledger.job, job_ids) if job is not None)
        except VconsoleError as error:
            return Refusal(str(error), error.remedy)

    def export(self, run_id: int, folder: bytes, dismissed: frozenset[int]) -> Exported | Refusal:
        """Write every failed video of a run as JSON and as CSV into a folder, which is made if need be."""
        try:
            with LedgerReader.read_only(self._state_dir) as ledger:
                videos = ((facts, facts.job_id in dismissed) for facts in failed_jobs(ledger, run_id))
                return Exported(*export(run_id, folder, videos))
        except VconsoleError as error:
            return Refusal(str(error), error.remedy)
        except OSError as error:
            where = os.fsdecode(error.filename or folder)
            return Refusal(f"It could not be written: {where}: {error.strerror}.", "Choose another folder.")

    def dismissed(self, run_id: int) -> frozenset[int]:
        """Return the jobs of a run that were dismissed; none where that was never kept, or cannot be read."""
        return frozenset(self._kept().get(str(run_id), ()))

    def dismiss(self, run_id: int, job_ids: frozenset[int]) -> Refusal | None:
        """Keep which jobs of a run are dismissed, in place of what was kept."""
        kept = self._kept() | {str(run_id): sorted(job_ids)}
        newest = sorted((run for run in kept if kept[run]), key=int)[-RUNS_KEPT:]
        try:
            with atomic_file(os.fsencode(self._state_dir / DISMISSED_NAME)) as part, open(part, "w") as file:
                json.dump({run: kept[run] for run in newest}, file)
        except OSError as error:
            return Refusal(f"What is dismissed is not kept for the next start: {error.strerror}.")
        return None

    def _kept(self) -> dict[str, list[int]]:
        try:
            kept = json.loads((self._state_dir / DISMISSED_NAME).read_text())
        except (OSError, ValueError):
            return {}
        if not isinstance(kept, dict):
            return {}
        return {run: jobs for run, jobs in kept.items() if run.isdecimal() and isinstance(jobs, list)}
