"""What the ledger tells of failed videos, and the files it is exported to, from a ledger that is really written."""

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.commands import StartRun
from pipeline.engine.ledger import Ledger
from pipeline.engine.records import Ending, NewJob
from pipeline.errors import REMEDIES
from pipeline.identity import Identity
from pipeline.job_facts import JobFacts, StreamFacts
from pipeline.model import FailureClass, JobState, RunKind, Stage
from pipeline.settings import PipelineSettings
from screens.ports import Exported, Refusal
from screens.presenters.job_head import stream_words
from vconsole.failures import DISMISSED_NAME, RUNS_KEPT, LedgerFailures
from vconsole.jobs import job_reader

NAMES = (b"a.mp4", b'=cmd()\xff\x1b[2J,\n".mp4', b"whole.mp4")
SEEN = {"video_codec": "h264", "width": 640, "height": 360, "probe": {"container": "mov,mp4"}}
SENTENCE = "It ends in the middle."


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def ledger(state: Path) -> Iterator[Ledger]:
    opened = Ledger(state)
    yield opened
    opened.close()


def a_run_with_failures(ledger: Ledger) -> tuple[int, list[int]]:
    """Return a run and its jobs: the first two failed, the first of them twice."""
    command = StartRun(RunKind.EXTRACT, (b"/in",), b"/out", "standard", PipelineSettings())
    new = [
        NewJob(b"/in/" + name, name, JobState.QUEUED, Identity(1, number, 10 * number, 5), f"c{number}")
        for number, name in enumerate(NAMES, 1)
    ]
    with ledger.transaction():
        run_id = ledger.create_run(command, 1.0).run_id
        jobs = [job.job_id for job in ledger.add_jobs(run_id, new)]
    for at_s, job_id in enumerate((jobs[0], jobs[0], jobs[1]), 100):
        with ledger.transaction():
            ledger.retry(run_id, [JobState.FAILED], [job_id])
            started = ledger.start(job_id, "token", at_s)
            assert started is not None
            ledger.finish(job_id, started.attempt, "token", _failure(), at_s + 0.5)
    return run_id, jobs


def _failure() -> Ending:
    failure, stage = FailureClass.CORRUPT, Stage.PROBE
    return Ending(
        JobState.FAILED, "failed", failure, stage, SENTENCE, "moov atom not found", result={"content_id": "c", **SEEN}
    )


def test_a_failed_video_is_told_in_full_with_the_attempts_before_a_retry(ledger: Ledger, state: Path) -> None:
    _, jobs = a_run_with_failures(ledger)
    facts = job_reader(state)(jobs[0])
    assert isinstance(facts, JobFacts)
    assert (facts.message, facts.detail, facts.remedy) == (
        SENTENCE,
        "moov atom not found",
        REMEDIES[FailureClass.CORRUPT],
    )
    assert facts.streams == StreamFacts("mov,mp4", "h264", width=640, height=360, size_bytes=10, only_header=True)
    assert stream_words(facts.streams) == ("h264 · 640×360 · by its header alone", "not known · 10 B · mov")
    assert [(attempt.number, attempt.message) for attempt in facts.attempts] == [(1, SENTENCE), (2, SENTENCE)]


def test_sources_are_told_with_all_their_bytes(ledger: Ledger, state: Path) -> None:
    _, jobs = a_run_with_failures(ledger)
    assert LedgerFailures(state).sources(jobs[:2]) == (b"/in/a.mp4", b"/in/" + NAMES[1])


def test_without_a_ledger_each_question_is_refused_with_a_reason(tmp_path: Path) -> None:
    failures = LedgerFailures(tmp_path / "none")
    for answer in (failures.sources([1]), failures.export(1, os.fsencode(tmp_path), frozenset())):
        assert isinstance(answer, Refusal)
        assert answer.message


def test_the_export_holds_every_failed_video_and_only_those(ledger: Ledger, state: Path, tmp_path: Path) -> None:
    run_id, jobs = a_run_with_failures(ledger)
    folder = tmp_path / "new" / "folder"
    answer = LedgerFailures(state).export(run_id, os.fsencode(folder), frozenset({jobs[1]}))
    assert isinstance(answer, Exported)
    assert answer.videos == 2
    as_json, as_csv = (Path(os.fsdecode(path)) for path in answer.paths)
    assert sorted(folder.iterdir()) == sorted((as_json, as_csv))

    first, second = json.loads(as_json.read_text("ascii"))
    assert (first["video"], first["class"], first["stage"], first["dismissed"]) == ("a.mp4", "corrupt", "probe", False)
    assert [attempt["ended_utc"] for attempt in first["attempts"]] == ["1970-01-01T00:01:40Z", "1970-01-01T00:01:41Z"]
    assert first["streams"]["container"] == "mov,mp4"
    assert os.fsencode(second["path"]) == b"/in/" + NAMES[1]
    assert second["dismissed"] is True

    text = as_csv.read_text("utf-8")
    assert all(char.isprintable() or char in "\r\n" for char in text)
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["video_codec"] for row in rows] == ["h264", "h264"]
    assert [row["attempts"] for row in rows] == ["2", "1"]
    assert rows[1]["video"].startswith("'=cmd()"), "a spreadsheet must not take a name for a formula"


def test_an_export_that_cannot_be_written_says_so_and_leaves_nothing(
    ledger: Ledger, state: Path, tmp_path: Path
) -> None:
    run_id, _ = a_run_with_failures(ledger)
    (tmp_path / "file").write_text("in the way")
    answer = LedgerFailures(state).export(run_id, os.fsencode(tmp_path / "file"), frozenset())
    assert isinstance(answer, Refusal)
    assert "file" in answer.message and answer.remedy
    assert (tmp_path / "file").read_text() == "in the way"


def test_what_is_dismissed_outlives_the_console(state: Path) -> None:
    state.mkdir()
    assert LedgerFailures(state).dismissed(3) == frozenset()
    assert LedgerFailures(state).dismiss(3, frozenset({5, 4})) is None
    assert LedgerFailures(state).dismiss(4, frozenset({9})) is None
    assert LedgerFailures(state).dismissed(3) == frozenset({4, 5})
    assert LedgerFailures(state).dismiss(3, frozenset()) is None
    assert json.loads((state / DISMISSED_NAME).read_text()) == {"4": [9]}


def test_what_is_dismissed_is_kept_of_the_newest_runs(state: Path) -> None:
    state.mkdir()
    failures = LedgerFailures(state)
    for run_id in range(1, RUNS_KEPT + 3):
        failures.dismiss(run_id, frozenset({run_id}))
    assert failures.dismissed(2) == frozenset()
    assert failures.dismissed(3) == frozenset({3})


@pytest.mark.parametrize("damaged", ["", "[1]", '{"x": [1]}', '{"3": 7}', "\x00"])
def test_a_damaged_list_of_what_is_dismissed_dismisses_nothing(state: Path, damaged: str) -> None:
    state.mkdir()
    (state / DISMISSED_NAME).write_text(damaged)
    assert LedgerFailures(state).dismissed(3) == frozenset()
    assert LedgerFailures(state).dismiss(3, frozenset({1})) is None
    assert LedgerFailures(state).dismissed(3) == frozenset({1})
