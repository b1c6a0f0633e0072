"""An engine that died with very many rows is back at once: what is to do begins while its rows are taken in."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from engine_harness import DEADLINE_S, Bench, jobs, settings

from pipeline.commands import ResumeRun
from pipeline.engine.ledger import Ledger
from pipeline.engine.load import LOAD_ROWS
from pipeline.engine.records import JobRecord, NewJob
from pipeline.identity import content_id, identity_of, open_regular
from pipeline.model import JobState

OVER = 4 * LOAD_ROWS
"""Rows of jobs that are over, in front of those to do."""


def new_job(bench: Bench, path: Path) -> NewJob:
    descriptor = open_regular(os.fsencode(path))
    identity, content = identity_of(os.fstat(descriptor)), content_id(descriptor)
    os.close(descriptor)
    return NewJob(os.fsencode(path), os.fsencode(path.relative_to(bench.source)), JobState.QUEUED, identity, content)


def test_what_is_to_do_begins_before_all_rows_are_there_and_every_row_is_right_in_the_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, rows_from = threading.Event(), Ledger.jobs_from

    def rows_once_begun(*asked: Any) -> list[JobRecord]:
        assert begun.wait(DEADLINE_S)
        return rows_from(*asked)

    monkeypatch.setattr(Ledger, "jobs_from", rows_once_begun)
    options = settings(retry_pause_s=0.01)
    for number in range(OVER):
        (bench.source / f"{number:05}.txt").touch()
    to_do = [bench.video(f"z{number}.mp4", "first:fail io" if number == 1 else "done") for number in range(4)]
    ledger = Ledger(bench.state)
    with ledger.transaction():
        run = ledger.create_run(bench.start(options), 1.0)
        over = (b"%05d.txt" % number for number in range(OVER))
        skipped = [NewJob(b"/" + name, name, JobState.SKIPPED, reason="not a video or picture") for name in over]
        ledger.add_jobs(run.run_id, [*skipped, *(new_job(bench, path) for path in to_do)])
        running = ledger.job(OVER + 1)
        assert running
        assert ledger.start(running.job_id, "token", 2.0)
    ledger.close()
    with bench.engine(options) as driven:
        driven.engine.send(ResumeRun(run.run_id))
        early = driven.until(lambda snapshot: any(worker.job_id or worker.pid for worker in snapshot.workers))
        assert early.run
        assert early.run.total < OVER, "a worker is started before all rows are there"
        begun.set()
        done = driven.until_done()
    rows = jobs(done)
    assert len(done.jobs) == OVER + len(to_do)
    assert {rows[path.name].state for path in to_do} == {JobState.DONE}
    assert {rows[path.name].attempts for path in to_do} == {1, 2}
    assert bench.log() == {path.name: 2 if path.name == "z1.mp4" else 1 for path in to_do}
    assert bench.oracle() == {JobState.DONE: len(to_do), JobState.SKIPPED: OVER}
