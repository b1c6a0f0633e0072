"""What a choice holds, what a run over it would do, and what earlier runs tell of it: all without changing anything."""

import os
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from engine_harness import Bench, settings

from pipeline.engine import census, forecaster
from pipeline.engine.census import count
from pipeline.engine.checks import room
from pipeline.engine.forecaster import forecast
from pipeline.engine.past import Lengths, covered_s, pace
from pipeline.engine.seal import SEAL_NAME
from pipeline.engine.store import LEDGER_NAME
from pipeline.errors import LedgerError
from pipeline.forecast import Holding, Plan, PlanState, Verdict
from pipeline.health import Grade
from pipeline.identity import identity_of
from pipeline.model import RunKind
from pipeline.settings import Settings

NAMES = (b"[red].mp4", b"esc\x1b[2J.mkv", b"two\nlines.mov", b"not-utf8-\xff.mp4", b"x" * 246 + b".mp4")


def never() -> bool:
    return False


def hold(path: Path, lengths: Lengths | None = None) -> Holding:
    return count(os.fsencode(path), lengths or Lengths({}), never, lambda _: None)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def changed_in(bench: Bench, script: str) -> None:
    with closing(sqlite3.connect(bench.state / LEDGER_NAME)) as ledger:
        ledger.executescript(script)
    (bench.state / SEAL_NAME).unlink(missing_ok=True)


def test_videos_are_counted_by_their_names_at_any_depth(tmp_path: Path) -> None:
    for name in NAMES:
        with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:
            file.write(b"1234")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a.mp4").write_bytes(b"1")
    (tmp_path / "deep" / "notes.txt").write_bytes(b"1")
    (tmp_path / "deep" / ".hidden.mp4").write_bytes(b"1")
    os.mkfifo(tmp_path / "deep" / "pipe.mp4")
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    found = hold(tmp_path)
    assert (found.videos, found.source_bytes, found.over, found.capped) == (6, 21, True, False)
    assert found.expected_s is None, "nothing tells how long they are"
    assert hold(tmp_path / "deep" / "er" / "a.mp4").videos == 1
    assert "cannot be read" in hold(tmp_path / "gone").problem


def test_hours_come_from_earlier_runs_and_the_rest_by_size(tmp_path: Path) -> None:
    for name, size in (("a.mp4", 100), ("b.mp4", 300)):
        (tmp_path / name).write_bytes(b"0" * size)
    known = identity_of((tmp_path / "a.mp4").stat())
    lengths = Lengths({(known.inode, known.size_bytes, known.mtime_ns): 50.0})
    found = hold(tmp_path, lengths)
    assert (found.known_s, found.known_bytes, found.expected_s) == (50.0, 100, 200.0)
    (tmp_path / "a.mp4").write_bytes(b"1" * 200)
    assert hold(tmp_path, lengths).known_s == 0, "it has changed since"
    assert hold(tmp_path, lengths).expected_s == 250.0, "by what earlier runs have seen of other files"


def test_counting_ends_when_asked_and_at_its_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        (tmp_path / f"{number:02}.mp4").write_bytes(b"1")
    told: list[Holding] = []
    monkeypatch.setattr(census, "TELL_S", 0.0)
    stopped = count(os.fsencode(tmp_path), Lengths({}), lambda: len(told) >= 5, told.append)
    assert (stopped.videos, stopped.over, stopped.capped) == (5, True, True)
    assert [one.videos for one in told] == [1, 2, 3, 4, 5] and not any(one.over for one in told)
    monkeypatch.setattr(census, "MOST_ENTRIES", 9)
    assert hold(tmp_path).capped
    assert hold(tmp_path).videos == 10


def planned(bench: Bench, options: Settings, stop: threading.Event | None = None) -> tuple[Plan, list[Plan]]:
    told: list[Plan] = []
    return forecast(bench.start(options), bench.state, stop or threading.Event(), told.append), told


def test_a_plan_says_what_would_be_done_and_changes_nothing(bench: Bench) -> None:
    bench.video("a.mp4")
    (bench.source / "b.mp4").write_bytes((bench.source / "a.mp4").read_bytes())
    (bench.source / "notes.txt").write_bytes(b"none")
    plan, told = planned(bench, settings())
    counts = {tally.verdict: tally.count for tally in plan.tallies}
    assert counts == {Verdict.TO_DO: 1, Verdict.DUPLICATE: 1, Verdict.SKIPPED: 1}
    assert (plan.state, plan.looked_at, plan.pace, plan.time_s, plan.written_bytes) == (
        PlanState.COMPLETE, 3, None, None, None,
    )  # fmt: skip
    assert [job.relative for job in plan.jobs] == [b"a.mp4", b"b.mp4", b"notes.txt"]
    assert told[0].state is PlanState.CHECKING
    assert not bench.out.exists() and not bench.state.exists()


def test_what_earlier_runs_did_gives_time_and_room(bench: Bench) -> None:
    for number in range(4):
        bench.video(f"{number}.mp4")
    bench.run(settings())
    assert pace(bench.state, RunKind.TRANSCODE, "standard") is None
    changed_in(bench, "UPDATE attempts SET started_s = 100, ended_s = 104")
    changed_in(bench, "UPDATE jobs SET size_bytes = 1000, result = json_set(result, '$.output_bytes', 10)")
    known = pace(bench.state, RunKind.EXTRACT, "standard")
    assert known is not None
    assert (known.runs, known.low, known.high, known.written_share, known.same_preset) == (
        (1,), 1000, 1000, 0.01, True,
    )  # fmt: skip
    other = pace(bench.state, RunKind.EXTRACT, "quick")
    assert other is not None and not other.same_preset
    for number in range(4, 6):
        bench.video(f"{number}.mp4")
    plan, _ = planned(bench, settings())
    assert plan.count_of(Verdict.DONE) == 4 and plan.count_of(Verdict.TO_DO) == 2
    work = plan.bytes_of(Verdict.TO_DO)
    assert plan.time_s == (work / 1000, work / 1000)
    assert plan.written_bytes == pytest.approx(work * 0.01)
    changed, _ = planned(
        bench, settings().model_copy(update={"scenes": settings().scenes.model_copy(update={"enabled": False})})
    )
    assert changed.count_of(Verdict.CHANGED) == 4


def test_time_in_which_nothing_was_tried_does_not_count() -> None:
    assert covered_s([(0, 10), (5, 8), (9, 12), (100, 101)]) == 13


def test_planning_ends_when_asked(bench: Bench) -> None:
    bench.video("a.mp4")
    stop = threading.Event()
    stop.set()
    plan, _ = planned(bench, settings(), stop)
    assert (plan.state, plan.looked_at) == (PlanState.CANCELLED, 0)


def test_a_plan_lists_only_so_many_and_counts_all(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecaster, "MOST_LISTED", 2)
    for number in range(5):
        bench.video(f"{number}.mp4")
    plan, _ = planned(bench, settings())
    assert (len(plan.jobs), plan.looked_at) == (2, 5)


def test_a_fault_has_a_remedy_and_keeps_the_inputs_from_being_looked_through(bench: Bench) -> None:
    bench.video("a.mp4")
    needs = Settings.model_validate({"host": {"device": "cuda:63"}})
    bench.out.write_bytes(b"not a folder")
    plan, _ = planned(bench, needs)
    assert plan.state is PlanState.REFUSED and plan.refused and plan.looked_at == 0
    faults = {check.name: check for check in plan.checks if check.grade is Grade.FAULT}
    assert set(faults) >= {"output", "model weights"}
    assert all(check.remedy for check in faults.values())
    assert "--out" not in faults["output"].remedy, "there is no such option in the console"


def test_a_missing_input_and_a_broken_ledger_are_faults(bench: Bench) -> None:
    command = replace(bench.start(settings()), inputs=(os.fsencode(bench.source / "gone"),))
    plan = forecast(command, bench.state, threading.Event(), lambda _: None)
    assert [check.name for check in plan.checks if check.grade is Grade.FAULT] == ["input"]
    bench.video("a.mp4")
    bench.run(settings())
    (bench.state / LEDGER_NAME).write_bytes(b"no database")
    broken, _ = planned(bench, settings())
    assert broken.refused
    with pytest.raises(LedgerError):
        Lengths.read(bench.state)


def test_nothing_to_do_and_too_little_room_are_warnings_and_no_faults(bench: Bench) -> None:
    plan, _ = planned(bench, settings())
    assert not plan.refused
    assert "There is no video" in next(c.text for c in plan.checks if c.grade is Grade.WARNING)
    assert room(os.fsencode(bench.out), 1e18).grade is Grade.WARNING
    assert room(os.fsencode(bench.out), None).grade is Grade.OK
