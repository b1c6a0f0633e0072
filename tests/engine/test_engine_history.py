"""The run history: what ledger and reports tell of runs that are over."""

import json
import os
from pathlib import Path

import pytest
from engine_harness import Bench, settings

from pipeline.commands import StartRun
from pipeline.engine.history import MOST_REPORT_BYTES, details, history
from pipeline.engine.ledger import Ledger
from pipeline.engine.past import covered_s
from pipeline.errors import SettingsError
from pipeline.model import JobState, RunState
from screens.ports import Refusal
from vconsole.history import LedgerHistory


def test_the_history_holds_every_run_across_engines(bench: Bench) -> None:
    bench.video("a.mp4")
    bench.video("b.mp4", "fail corrupt")
    bench.run(settings())
    bench.run(settings(max_attempts=2))
    told = history(bench.state)
    assert [run.run_id for run in told.runs] == [2, 1]
    assert told.total == 2
    newest = told.runs[0]
    assert (newest.state, newest.total, newest.count(JobState.DONE), newest.count(JobState.FAILED)) == (
        RunState.DONE, 2, 1, 1,
    )  # fmt: skip
    assert newest.inputs == (str(bench.source),)
    assert newest.out == str(bench.out)


def test_details_tell_settings_and_versions_and_what_was_reused(bench: Bench) -> None:
    bench.video("a.mp4")
    bench.run(settings(max_attempts=2))
    bench.run(settings(max_attempts=2))
    second = details(bench.state, 2)
    assert second.reused == 1
    assert second.stages == (), "what was whole before took no time in this run"
    assert second.untold == ""
    assert "python" in dict(second.versions)
    assert "cores" in dict(second.machine)
    values = {one.name: one for one in second.settings}
    assert (values["engine.max_attempts"].value, values["engine.max_attempts"].default) == ("2", "3")
    assert (values["embed.enabled"].value, values["embed.enabled"].default) == ("false", "true")
    assert values["embed.models"].value == "clip-vit-b-32"
    assert "now that of another run" in details(bench.state, 1).untold


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"run_id": 1}', b"x" * (MOST_REPORT_BYTES + 1), None])
def test_a_report_that_is_none_is_told_and_harms_nothing(bench: Bench, content: bytes | None) -> None:
    bench.video("a.mp4")
    bench.run(settings())
    report = bench.out / "run.json"
    report.unlink()
    if content is not None:
        report.write_bytes(content)
    assert details(bench.state, 1).untold


def test_a_report_with_odd_values_is_read_as_far_as_it_goes(bench: Bench) -> None:
    bench.video("a.mp4")
    bench.run(settings())
    report = bench.out / "run.json"
    info = json.loads(report.read_bytes())
    report.write_text(json.dumps({**info, "versions": [1, 2], "machine": {"gpus": ["one", "two"], "cores": None}}))
    odd = details(bench.state, 1)
    assert odd.versions == ()
    assert dict(odd.machine) == {"gpus": "one, two", "cores": "null"}


def test_a_pipe_in_place_of_a_report_holds_nobody_up(bench: Bench) -> None:
    bench.video("a.mp4")
    bench.run(settings())
    (bench.out / "run.json").unlink()
    os.mkfifo(bench.out / "run.json")
    assert "cannot be read" in details(bench.state, 1).untold


def test_a_run_that_is_not_there_is_an_error(bench: Bench) -> None:
    bench.video("a.mp4")
    bench.run(settings())
    with pytest.raises(SettingsError, match="no run 9"):
        details(bench.state, 9)


@pytest.mark.parametrize(
    ("spans", "covered"),
    [([], 0), ([(0, 2), (1, 3)], 3), ([(0, 5), (1, 2)], 5), ([(0, 1), (4, 6)], 3), ([(3, 1), (3, 4)], 1)],
)
def test_time_at_work_is_counted_once_however_many_work(spans: list[tuple[float, float]], covered: float) -> None:
    assert covered_s(spans) == covered


def test_a_run_is_started_again_with_what_was_recorded(bench: Bench) -> None:
    bench.video("a.mp4")
    asked = bench.start(settings(max_attempts=2))
    bench.run(settings(max_attempts=2))
    again = LedgerHistory(bench.state).again(1)
    assert isinstance(again, StartRun)
    assert (again.inputs, again.out, again.preset) == (asked.inputs, asked.out, asked.preset)
    assert again.settings.engine.max_attempts == 2


def test_a_run_whose_inputs_are_gone_is_refused(bench: Bench, tmp_path: Path) -> None:
    bench.video("a.mp4")
    bench.run(settings())
    bench.source.rename(tmp_path / "elsewhere")
    refusal = LedgerHistory(bench.state).again(1)
    assert isinstance(refusal, Refusal)
    assert "does not exist" in refusal.message


def test_a_run_without_inputs_or_with_unknown_settings_or_unknown_is_refused(bench: Bench) -> None:
    bench.video("a.mp4")
    bench.run(settings())
    ledger = Ledger(bench.state)
    with ledger.transaction():
        ledger._db.execute("UPDATE runs SET inputs = x'' WHERE run_id = 1")
    ledger_history = LedgerHistory(bench.state)
    redo = ledger_history.again(1)
    with ledger.transaction():
        ledger._db.execute("UPDATE runs SET inputs = ?, settings = '{\"gone\": 1}'", (os.fsencode(bench.source),))
    ledger.close()
    old = ledger_history.again(1)
    assert isinstance(redo, Refusal)
    assert "found damaged" in redo.message
    assert isinstance(old, Refusal)
    assert "does not take" in old.message
    assert isinstance(ledger_history.again(7), Refusal)
    known = ledger_history.details(1)
    assert not isinstance(known, Refusal)
    assert [(one.name, one.value, one.default) for one in known.settings] == [("gone", "1", "")]


def test_without_a_ledger_the_history_says_so(tmp_path: Path) -> None:
    answer = LedgerHistory(tmp_path).runs()
    assert isinstance(answer, Refusal)
    assert "no ledger" in answer.message


def test_a_run_that_waits_for_another_is_told_at_once(bench: Bench) -> None:
    bench.video("a.mp4", f"gate {bench.state / 'never'}")
    with bench.engine(settings()) as driven:
        driven.engine.send(bench.start(settings()))
        driven.until_running("a.mp4")
        driven.engine.send(bench.start(settings(max_attempts=2)))
        snapshot = driven.until(lambda snapshot: len(snapshot.runs) == 2)
        assert [run.state for run in snapshot.runs] == [RunState.QUEUED, RunState.RUNNING]
        assert history(bench.state).runs[0].state is RunState.QUEUED
