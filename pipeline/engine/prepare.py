"""Prepares a run before its first job: its volumes, its output folder, the fingerprints of its models."""

import os

from pipeline.engine.active import ActiveRun
from pipeline.engine.core import Core
from pipeline.engine.faults import Trouble
from pipeline.engine.kinds import fingerprints
from pipeline.engine.reader import LedgerReader
from pipeline.engine.records import RunRecord
from pipeline.engine.surroundings import Surroundings, trouble_of
from pipeline.engine.threads import in_thread
from pipeline.engine.volumes import Volume, folders_read
from pipeline.errors import SCARCE
from pipeline.model import JobState
from pipeline.stages.keys import TEXT_ENGINE


async def prepare(core: Core, run: ActiveRun) -> Trouble | None:
    """Prepare a run, and return what it must be held for, None if nothing.

    Raises OSError, VconsoleError and ValueError for what does not pass by itself.
    """
    record = run.record
    try:
        core.plan_workers(run.settings.engine)
        folders = await in_thread(lambda: folders_read(record.inputs))
        counts, known = await core.ledger.submit(
            lambda ledger: (ledger.counts(record.run_id), [_known(ledger, record, one) for one in folders])
        )
        written = any(counts.get(state) for state in (JobState.DONE, JobState.PARTIAL))
        run.surroundings = Surroundings(Volume(record.out, filled=written), known, record.kind)
        run.fingerprints = await in_thread(lambda: fingerprints(record.kind, run.settings))
        if TEXT_ENGINE in run.fingerprints:
            core.note("info", f"Text is read by {run.fingerprints[TEXT_ENGINE]}.")
        return await in_thread(run.surroundings.prepare)
    except OSError as error:
        if error.errno in SCARCE:
            return trouble_of(error, record.out)
        raise


def _known(ledger: LedgerReader, record: RunRecord, folder: Volume) -> Volume:
    """Return a folder that is empty or missing as the ledger knows it: by what was read below it, or as a file."""
    if folder.filled:
        return folder
    was_file, filled = ledger.was_read(record.run_id, folder.path)
    return Volume(os.path.dirname(folder.path)) if was_file else Volume(folder.path, filled)
