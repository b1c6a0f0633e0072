"""The ledger makes every move once, refuses the others, and is refused itself when it cannot be trusted."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.commands import StartRun
from pipeline.engine import folder, store
from pipeline.engine.ledger import Ledger
from pipeline.engine.records import Ending, JobRecord, NewJob
from pipeline.engine.seal import SEAL_NAME
from pipeline.errors import EngineRunningError, LedgerError
from pipeline.identity import Identity
from pipeline.model import FailureClass, JobState, RunKind, RunState
from pipeline.settings import PipelineSettings

DONE = Ending(
    JobState.DONE,
    "done",
    result={
        "output": "features/a.mp4.h5",
        "output_bytes": 3,
        "output_sha256": "ab",
        "output_mtime_ns": 5,
        "content_id": "c1",
        "stage_keys": {"probe": "k"},
    },
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "state")
    yield opened
    opened.close()


def a_run(ledger: Ledger, **changes: object) -> int:
    fields: dict[str, object] = {"inputs": (b"/in",), "out": b"/out", "force": False} | changes
    command = StartRun(RunKind.EXTRACT, preset="standard", settings=PipelineSettings(), **fields)  # type: ignore[arg-type]
    with ledger.transaction():
        return ledger.create_run(command, 1.0).run_id


def a_job(ledger: Ledger, run_id: int, name: bytes = b"a.mp4", number: int = 1) -> JobRecord:
    identity = Identity(2**64 - 1, 2**64 - number, 10, 20)
    new = NewJob(b"/in/" + name, name, JobState.QUEUED, identity, f"c{number}")
    with ledger.transaction():
        return ledger.add_jobs(run_id, [new])[0]


def test_an_attempt_is_charged_when_it_starts_and_finished_once(ledger: Ledger) -> None:
    job = a_job(ledger, a_run(ledger))
    with ledger.transaction():
        started = ledger.start(job.job_id, "t1", 2.0)
    assert started and (started.state, started.attempt, started.attempts) == (JobState.RUNNING, 1, 1)
    with ledger.transaction():
        assert ledger.start(job.job_id, "t2", 2.0) is None, "a running job is not started again"
        assert ledger.finish(job.job_id, 1, "t1", DONE, 3.0)
        assert not ledger.finish(job.job_id, 1, "t1", DONE, 3.0), "a second result is fenced out"
    after = ledger.job(job.job_id)
    assert after and after.state is JobState.DONE and after.result["output"] == "features/a.mp4.h5"
    assert [row["outcome"] for row in ledger.attempts(job.job_id)] == ["done"]


@pytest.mark.parametrize(("attempt", "token"), [(1, "other"), (2, "t1"), (0, "t1")])
def test_a_result_with_another_attempt_or_token_changes_nothing(ledger: Ledger, attempt: int, token: str) -> None:
    job = a_job(ledger, a_run(ledger))
    with ledger.transaction():
        ledger.start(job.job_id, "t1", 2.0)
        assert not ledger.finish(job.job_id, attempt, token, DONE, 3.0)
    after = ledger.job(job.job_id)
    assert after and after.state is JobState.RUNNING


def test_a_late_result_of_a_given_up_attempt_is_fenced_out_of_the_next(ledger: Ledger) -> None:
    job = a_job(ledger, a_run(ledger))
    with ledger.transaction():
        ledger.start(job.job_id, "t1", 2.0)
        ledger.finish(job.job_id, 1, "t1", Ending(JobState.WAITING, "stalled"), 3.0)
        ledger.start(job.job_id, "t2", 4.0)
        assert not ledger.finish(job.job_id, 1, "t1", DONE, 5.0)
        assert ledger.finish(job.job_id, 2, "t2", DONE, 5.0)


def test_done_is_terminal(ledger: Ledger) -> None:
    run_id = a_run(ledger)
    job = a_job(ledger, run_id)
    with ledger.transaction():
        ledger.start(job.job_id, "t", 2.0)
        ledger.finish(job.job_id, 1, "t", DONE, 3.0)
        assert ledger.start(job.job_id, "t", 4.0) is None
        assert ledger.move([job.job_id], JobState.CANCELLED) == []
        assert ledger.retry(run_id, JobState, [job.job_id]) == []
        assert ledger.cancel_open(run_id) == 0
    after = ledger.job(job.job_id)
    assert after and after.state is JobState.DONE


def test_an_attempt_given_back_is_not_counted_but_still_numbered(ledger: Ledger) -> None:
    job = a_job(ledger, a_run(ledger))
    with ledger.transaction():
        ledger.start(job.job_id, "t1", 2.0)
        ledger.finish(job.job_id, 1, "t1", Ending(JobState.QUEUED, "given_back", charged=False), 3.0)
        again = ledger.start(job.job_id, "t2", 2.0)
    assert again and (again.attempt, again.attempts) == (2, 1)


def test_a_dead_engine_costs_the_video_nothing_until_it_died_alone_too(ledger: Ledger) -> None:
    run_id = a_run(ledger)
    job = a_job(ledger, run_id)
    states = []
    for number in range(10):
        with ledger.transaction():
            ledger.start(job.job_id, f"t{number}", 2.0)
            assert ledger.recover(3.0, max_engine_deaths=5) == 1
        after = ledger.job(job.job_id)
        assert after
        states.append((after.state, after.attempts))
    assert states == [(JobState.QUEUED, 0)] * 9 + [(JobState.QUARANTINED, 1)]
    assert {row["outcome"] for row in ledger.attempts(job.job_id)} == {"engine_died"}


def test_recovery_cancels_what_a_cancelled_run_had_left(ledger: Ledger) -> None:
    run_id = a_run(ledger)
    jobs = [a_job(ledger, run_id, name, number) for number, name in enumerate((b"a.mp4", b"b.mp4"), 1)]
    with ledger.transaction():
        ledger.start(jobs[0].job_id, "t", 2.0)
        ledger.move_run(run_id, RunState.CANCELLED, 2.5)
        ledger.recover(3.0, max_engine_deaths=5)
    assert ledger.counts(run_id) == {JobState.CANCELLED: 2}


def test_recovery_leaves_no_run_open(ledger: Ledger) -> None:
    run_id = a_run(ledger)
    with ledger.transaction():
        ledger.move_run(run_id, RunState.RUNNING, 2.0)
        ledger.recover(3.0, max_engine_deaths=5)
    after = ledger.run(run_id)
    assert after and after.state is RunState.INTERRUPTED


def test_twins_by_file_and_by_content_are_skipped_and_say_of_what(ledger: Ledger) -> None:
    run_id = a_run(ledger)
    first = a_job(ledger, run_id, b"a.mp4", 1)
    link = NewJob(b"/in/l.mp4", b"l.mp4", JobState.QUEUED, first.identity, "c1")
    copy = NewJob(b"/in/c.mp4", b"c.mp4", JobState.QUEUED, Identity(1, 2, 3, 4), "c1")
    with ledger.transaction():
        same_file, same_content = ledger.add_jobs(run_id, [link, copy])
    assert (same_file.state, same_file.reason) == (JobState.SKIPPED, "the same file as a.mp4")
    assert (same_content.state, same_content.reason) == (JobState.SKIPPED, "duplicate of a.mp4")
    assert same_file.duplicate_of == same_content.duplicate_of == first.job_id


def test_names_that_are_not_utf8_come_back_as_they_were(ledger: Ledger) -> None:
    run_id = a_run(ledger, inputs=(b"/in/\xff", b"/x"), out=b"/out/\xfe")
    name = b"caf\xe9\n\x1b]0;x\x07.mp4"
    job = a_job(ledger, run_id, name)
    ending = Ending(
        JobState.DONE,
        "done",
        message=f"in {os.fsdecode(name)}",
        result=DONE.result | {"output": os.fsdecode(b"features/" + name)},
    )
    with ledger.transaction():
        ledger.start(job.job_id, "t", 2.0)
        ledger.finish(job.job_id, 1, "t", ending, 3.0)
    run, after, output = ledger.run(run_id), ledger.job(job.job_id), ledger.output(b"/out/\xfe", name)
    assert run and (run.inputs, run.out) == ((b"/in/\xff", b"/x"), b"/out/\xfe")
    assert after and after.relative == name and after.identity == job.identity
    assert output and os.fsencode(output.output) == b"features/" + name and output.stage_keys == {"probe": "k"}


def test_retry_gives_a_clean_sheet_and_can_be_narrowed(ledger: Ledger) -> None:
    run_id = a_run(ledger)
    found = [a_job(ledger, run_id, b"%d.mp4" % number, number) for number in (1, 2, 3)]
    for job, failure in zip(found, (FailureClass.CORRUPT, FailureClass.STALLED, FailureClass.STALLED), strict=True):
        with ledger.transaction():
            ledger.start(job.job_id, "t", 2.0)
            ledger.finish(job.job_id, 1, "t", Ending(JobState.QUARANTINED, "x", failure, message="m", crash=True), 3.0)
    states = (JobState.FAILED, JobState.QUARANTINED)
    with ledger.transaction():
        assert ledger.retry(run_id, states, failure=FailureClass.CORRUPT) == [found[0].job_id]
        assert ledger.retry(run_id, states, [found[2].job_id]) == [found[2].job_id]
    after = ledger.job(found[2].job_id)
    assert after and (after.state, after.attempts, after.crashes, after.message) == (JobState.QUEUED, 0, 0, "")


def test_one_failing_operation_does_not_undo_its_neighbours(ledger: Ledger) -> None:
    run_id = a_run(ledger)
    with ledger.transaction():
        with pytest.raises(LedgerError):
            ledger.apart(lambda: (ledger.move_run(run_id, RunState.DONE, 9.0), ledger.move_run(99, RunState.DONE, 9.0)))
        ledger.set_discovered(run_id, True)
    after = ledger.run(run_id)
    assert after and after.state is RunState.QUEUED and after.discovered


def test_an_equal_run_is_found_only_if_interrupted_and_equal(ledger: Ledger) -> None:
    run_id = a_run(ledger)
    command = StartRun(RunKind.EXTRACT, (b"/in",), b"/out", "other name", PipelineSettings())
    assert ledger.equal_run(command) is None
    with ledger.transaction():
        ledger.move_run(run_id, RunState.INTERRUPTED, 2.0)
    same = ledger.equal_run(command)
    assert same and same.run_id == run_id
    other = PipelineSettings.model_validate({"scenes": {"detector": "hash"}})
    assert ledger.equal_run(StartRun(RunKind.EXTRACT, (b"/in",), b"/out", "standard", other)) is None


def test_a_second_engine_is_refused_and_told_who_holds_the_folder(tmp_path: Path) -> None:
    first = Ledger(tmp_path)
    with pytest.raises(EngineRunningError, match=f"process {os.getpid()} on "):
        Ledger(tmp_path)
    first.close()
    Ledger(tmp_path).close()


def test_the_state_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    Ledger(tmp_path / "state").close()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / store.LEDGER_NAME).stat().st_mode & 0o777 == 0o600


def test_every_commit_is_flushed_to_the_disk(ledger: Ledger) -> None:
    assert ledger._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert ledger._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 8192] = b"\x55" * 8192  # a whole page at least: half of one may be unused
    path.write_bytes(data)


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {store.SCHEMA_VERSION + 1}")
    connection.close()


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE other (a)")
    connection.close()


def text(path: Path) -> None:
    path.write_text("no database at all" * 100)


@pytest.mark.parametrize("spoil", [damage, newer, foreign, text])
def test_a_ledger_that_cannot_be_trusted_is_refused_by_path_with_a_remedy_and_kept(
    tmp_path: Path, spoil: object
) -> None:
    ledger = Ledger(tmp_path)
    run_id = a_run(ledger)
    for number in range(200):
        a_job(ledger, run_id, b"%d.mp4" % number, number)
    ledger.close()
    path = tmp_path / store.LEDGER_NAME
    spoil(path)  # type: ignore[operator]
    (tmp_path / SEAL_NAME).unlink()  # as after a crash: what is wrong must be found without the seal
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=str(path)) as caught:
        Ledger(tmp_path)
    assert caught.value.remedy
    assert path.read_bytes() == before


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "filesystem_type", lambda path: "nfs4")
    with pytest.raises(LedgerError, match="nfs4"):
        Ledger(tmp_path)


def test_reading_works_beside_the_writer_and_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger"):
        Ledger.read_only(tmp_path)
    writer = Ledger(tmp_path)
    run_id = a_run(writer)
    a_job(writer, run_id)
    with Ledger.read_only(tmp_path) as reader:
        assert [run.run_id for run in reader.runs()] == [run_id]
        assert reader.counts(run_id) == {JobState.QUEUED: 1}
        assert reader.summaries()[0].total == 1
        newest = reader.run_of_output(b"/out")
        assert newest and newest.run_id == run_id
        with pytest.raises(sqlite3.OperationalError):
            reader._db.execute("DELETE FROM jobs")
    writer.close()
