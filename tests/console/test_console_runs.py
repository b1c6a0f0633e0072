"""The run history: what it shows, what its keys ask of the engine, and the offer at the start."""

from dataclasses import replace
from typing import Any

import pytest
from console_script import (
    HOSTILE,
    LARGE,
    SMALL,
    ScriptedEngine,
    ScriptedHistory,
    app_over,
    busy,
    interrupted_before,
    past_details,
    past_run,
    picture,
    remembered,
    run_view,
    until,
)
from textual.pilot import Pilot

from pipeline.commands import OpenRun, ResumeRun, StartRun
from pipeline.history import SettingValue
from pipeline.model import JobState, RunKind, RunState
from pipeline.snapshot import RunSummary, Snapshot
from screens.dialogs import Question
from screens.monitor import Monitor
from screens.ports import Refusal
from screens.presenters.compare import comparison
from screens.presenters.runs import run_details, run_row, runs_heading, totals
from screens.run_order import arranged
from screens.runs import Runs
from screens.widgets.outside import Line, line_width
from screens.widgets.runlist import RunList
from vconsole.app import ConsoleApp

NOW_S = 1_763_700_000.0


def over(history: ScriptedHistory, snapshot: Snapshot | None = None) -> tuple[ScriptedEngine, ConsoleApp]:
    engine = ScriptedEngine(snapshot)
    return engine, app_over(engine, history=history)


async def opened(pilot: "Pilot[int]", app: ConsoleApp) -> None:
    await pilot.press("h")
    await until(pilot, lambda: isinstance(app.screen, Runs) and "× real" in picture(app))


def said(app: ConsoleApp) -> str:
    return "\n".join(notification.message for notification in app._notifications)


def text(lines: tuple[Line, ...]) -> str:
    return "\n".join("".join(cell.text for cell in line) for line in lines)


@pytest.mark.parametrize("size", [SMALL, LARGE, (60, 20)])
async def test_the_history_shows_every_run_with_its_totals(size: tuple[int, int]) -> None:
    _, app = over(remembered())
    async with app.run_test(size=size) as pilot:
        await pilot.press("h")
        runs, videos = "4 runs  ✓ 2 done  × 1 cancelled  ! 1 interrupted", "1,974 videos  ✓ 1,535 done  ✗ 6 failed"
        for word in (runs, videos, "! interrupted", "655"):
            await until(pilot, lambda word=word: word in picture(app))


async def test_the_details_follow_the_selection_and_fill_the_screen_on_enter() -> None:
    _, app = over(remembered())
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app)
        assert "/data/archive" in picture(app)
        await pilot.press("j")
        await until(pilot, lambda: "run 7  ✓ done" in picture(app) and "4:03:20 of video" in picture(app))
        await pilot.press("enter", "G")
        for word in ("frames.frames_per_scene  5  (default 3)", "python 3.11.7, av 18.1.0", "cores 2, memory 8.0 GiB"):
            await until(pilot, lambda word=word: word in picture(app))
        assert "write.compression" not in picture(app), "a setting at its default is no news"
        await pilot.press("escape")
        await until(pilot, lambda: "1,974 videos" in picture(app) and "! interrupted" in picture(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Monitor))


async def test_two_marked_runs_are_compared() -> None:
    _, app = over(remembered())
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app)
        await pilot.press("m", "j", "m", "j", "c")
        for word in ("A  run 8", "B  run 7", "B 0.50×", "gzip", "17.0.0", "18.1.0", "versions and machine that differ"):
            await until(pilot, lambda word=word: word in picture(app))
        assert "3.11.7" not in picture(app), "what is the same in both is no difference"
        await pilot.press("escape")
        await until(pilot, lambda: "details" in picture(app))


async def test_a_filter_narrows_the_runs_and_the_marks_stay() -> None:
    _, app = over(remembered())
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app)
        runs = app.screen.query_one(RunList)
        await pilot.press("m", "slash", *"INTERRUPTED", "enter")
        await until(pilot, lambda: [run.run_id for run in runs.runs] == [6])
        assert "/INTERRUPTED: 1 of 4" in picture(app)
        assert "1,974 videos" in picture(app), "the totals are those of all runs"
        await pilot.press("c")
        await until(pilot, lambda: "A  run 8" in picture(app) and "B  run 6" in picture(app))
        await pilot.press("escape", "slash", *"quick", "backspace", "enter", "n")
        await until(pilot, lambda: runs.run is not None and runs.run.run_id == 5)
        await pilot.press("slash", *"zzz")
        await until(pilot, lambda: "No run contains “zzz”" in picture(app))
        await pilot.press("escape")
        await until(pilot, lambda: len(runs.runs) == 4)
        assert isinstance(app.screen, Runs)


async def test_the_runs_are_put_in_another_order() -> None:
    _, app = over(remembered())
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app)
        runs = app.screen.query_one(RunList)
        for order, first in (("longest", 8), ("most failed", 8), ("most videos", 8), ("newest", 8)):
            await pilot.press("o")
            await until(pilot, lambda order=order: f"runs, {order} first" in picture(app))
            assert runs.runs[0].run_id == first
        history = (past_run(1, elapsed_s=5.0), past_run(2, elapsed_s=9.0, counts=((JobState.FAILED, 9),)))
        assert [run.run_id for run in arranged(history, "", "longest first")] == [2, 1]
        assert [run.run_id for run in arranged(history, "", "most videos first")] == [1, 2]


async def test_the_path_of_the_outputs_is_copied() -> None:
    _, app = over(remembered())
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app)
        await pilot.press("y")
        await until(pilot, lambda: app.clipboard == "/data/videos-features")
        assert "The path of the outputs was sent to the terminal's clipboard" in said(app)


async def test_without_a_mark_nothing_is_compared() -> None:
    _, app = over(remembered())
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app)
        await pilot.press("c")
        await until(pilot, lambda: "Mark a run with m" in said(app))
        await pilot.press("m", "c")
        await pilot.pause()
        assert "A  run 8" not in picture(app)


@pytest.mark.parametrize(("steps", "run_id"), [(2, 6), (3, 5)])
async def test_an_interrupted_or_cancelled_run_is_resumed(steps: int, run_id: int) -> None:
    engine, app = over(remembered())
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app)
        await pilot.press(*"j" * steps)
        await until(pilot, lambda: "u resume" in picture(app))
        await pilot.press("u")
        await until(pilot, lambda: engine.sent == [ResumeRun(run_id)])
        await until(pilot, lambda: isinstance(app.screen, Monitor))


async def test_a_run_that_is_over_is_shown_in_the_monitor_again() -> None:
    engine, app = over(remembered())
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app)
        await pilot.press("v")
        await until(pilot, lambda: engine.sent == [OpenRun(8)])
        await until(pilot, lambda: isinstance(app.screen, Monitor))


async def test_an_interrupted_run_is_not_shown_as_one_that_is_over() -> None:
    engine, app = over(remembered())
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app)
        await pilot.press("j", "j", "v")
        await until(pilot, lambda: "Run 6 is interrupted; it is not over." in said(app))
        assert engine.sent == []


async def test_a_run_that_is_done_is_not_resumed() -> None:
    engine, app = over(remembered())
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app)
        assert "u resume" not in picture(app)
        await pilot.press("u")
        await until(pilot, lambda: "Run 8 is done; there is nothing to resume." in said(app))
        assert engine.sent == []


async def test_a_run_starts_again_only_after_a_yes_and_its_checks() -> None:
    engine, app = over(remembered())
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app)
        await pilot.press("a", "enter")
        await pilot.pause()
        assert engine.sent == []
        await pilot.press("a")
        await until(pilot, lambda: "What is whole is not done again." in picture(app))
        await pilot.press("a")
        await until(pilot, lambda: bool(engine.sent))
        command = engine.sent[0]
        assert isinstance(command, StartRun)
        assert (command.inputs, command.out) == ((b"/data/lectures", b"/data/archive"), b"/data/videos-features")
        await until(pilot, lambda: isinstance(app.screen, Monitor))


async def test_a_refused_run_says_why_and_sends_nothing() -> None:
    history = remembered()
    history.refusal = Refusal("The input /data/lectures does not exist.", "Check the path.")
    engine, app = over(history)
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app)
        await pilot.press("a", "a")
        await until(pilot, lambda: "✗ The input /data/lectures does not exist. Check the path." in picture(app))
        assert engine.sent == []
        await pilot.press("j")
        await until(pilot, lambda: "does not exist" not in picture(app))


async def test_the_run_under_way_is_shown_live_and_a_resumed_one_waits_for_it() -> None:
    history = remembered()
    history.facts[9] = past_details(past_run(9, RunState.RUNNING, counts=((JobState.QUEUED, 50),), elapsed_s=0.0))
    jobs = busy().jobs
    engine, app = over(history, replace(busy(), run=run_view(jobs, run_id=9)))
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "20:34" in picture(app) and "8 done" in picture(app))
        engine.change(run=run_view(jobs, run_id=9, counts=((JobState.DONE, 55), (JobState.FAILED, 4))))
        await until(pilot, lambda: "55 done" in picture(app))
        await pilot.press("j", "j", "j", "u")
        await until(pilot, lambda: engine.sent == [ResumeRun(6)])
        assert isinstance(app.screen, Runs)


async def test_a_change_of_a_run_has_the_history_read_again() -> None:
    history = remembered()
    engine, app = over(history)
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app)
        assert history.listed == 1
        history.facts[9] = past_details(past_run(9, RunState.QUEUED))
        engine.change(runs=(summary(9, RunState.QUEUED),))
        await until(pilot, lambda: "· queued" in picture(app))
        engine.change(machine=replace(engine.snapshot.machine, cpu_share=0.1))
        await pilot.pause()
        assert history.listed == 2


async def test_a_ledger_that_cannot_be_read_is_told() -> None:
    class Broken(ScriptedHistory):
        def runs(self) -> Refusal:
            return Refusal("The ledger is damaged.", "Move it away.")

    _, app = over(Broken())
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("h")
        await until(pilot, lambda: "✗ The ledger is damaged. Move it away." in picture(app))


async def test_an_empty_history_says_what_to_do() -> None:
    _, app = over(ScriptedHistory())
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("h")
        await until(pilot, lambda: "There has been no run yet." in picture(app))
        await pilot.press("enter", "u", "a", "m", "c", "j", "g", "G")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Monitor))


async def test_hostile_text_is_shown_as_itself() -> None:
    name = "".join(HOSTILE[:-1])
    run = past_run(3, inputs=(name, name), out=name, preset=name)
    odd = past_details(run, settings=(SettingValue(name, name, name + "x"),), versions=((name, name),), untold="")
    other = past_details(past_run(2), untold=name)
    _, app = over(ScriptedHistory(odd, other))
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("h")
        await until(pilot, lambda: "run 3  ✓ done" in picture(app))
        for keys in (("m",), ("enter",), ("escape", "j", "c"), ("escape", "a")):
            await pilot.press(*keys)
            await pilot.pause()
            assert picture(app).replace("\n", "").isprintable()


@pytest.mark.parametrize("size", [(30, 8), (10, 3), (250, 70)])
async def test_no_size_breaks_the_history(size: tuple[int, int]) -> None:
    _, app = over(remembered())
    async with app.run_test(size=size) as pilot:
        await pilot.press("h", "m", "j", "c", "escape", "enter", "escape", "a", "escape", "escape")
        await until(pilot, lambda: app.screen is app.monitor)


def summary(run_id: int, state: RunState, **parts: Any) -> RunSummary:
    known: dict[str, Any] = {"preset": "quick", "out": "/out", "created_s": NOW_S, "total": 655, "failed": 3}
    return RunSummary(run_id=run_id, kind=RunKind.EXTRACT, state=state, **(known | parts))


@pytest.mark.parametrize(("key", "sent"), [("r", [ResumeRun(6)]), ("s", []), ("escape", []), ("enter", [])])
async def test_the_start_offers_to_resume_and_does_only_what_is_said(key: str, sent: list[ResumeRun]) -> None:
    engine = ScriptedEngine(interrupted_before())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: "Run 6 was interrupted: extract · quick, 655 videos" in picture(app))
        assert isinstance(app.screen, Question)
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, Monitor))
        assert engine.sent == sent


async def test_the_offer_leads_to_the_runs() -> None:
    engine = ScriptedEngine(interrupted_before())
    app = app_over(engine, history=remembered())
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, Runs) and "× real" in picture(app))
        assert engine.sent == []


async def test_several_interrupted_runs_go_on_in_the_order_in_which_they_were_asked_for() -> None:
    runs = (summary(9, RunState.INTERRUPTED), summary(8, RunState.INTERRUPTED), summary(7, RunState.DONE))
    engine = ScriptedEngine(Snapshot(serial=1, runs=(*runs, summary(6, RunState.INTERRUPTED))))
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: "before it was interrupted too" in picture(app))
        await pilot.press("a")
        await until(pilot, lambda: engine.sent == [ResumeRun(8), ResumeRun(9)])


async def test_nothing_is_offered_where_a_later_run_was_done() -> None:
    runs = (summary(9, RunState.DONE), summary(8, RunState.INTERRUPTED))
    app = app_over(ScriptedEngine(Snapshot(serial=1, runs=runs)))
    async with app.run_test(size=SMALL) as pilot:
        await pilot.pause()
        assert isinstance(app.screen, Monitor)


@pytest.mark.parametrize("width", [38, 57, 77, 120, 200])
def test_every_row_has_the_width_of_its_heading(width: int) -> None:
    for run in (past_run(1), past_run(2, RunState.INTERRUPTED, inputs=(), preset="x" * 60), past_run(3, counts=())):
        row = run_row(run, "A", NOW_S, width)
        assert line_width(row) == line_width(runs_heading(width))
        assert line_width(row) <= max(width, 57)


def test_the_totals_say_when_they_are_only_of_the_newest() -> None:
    assert "2 runs of 1,200, the newest" in text(totals((past_run(1), past_run(2)), 1200, 100))


def test_details_say_what_is_not_known_and_why() -> None:
    run = past_run(1, RunState.QUEUED, started_s=0.0, elapsed_s=0.0, counts=())
    facts = past_details(
        run, stages=(), untold="There is no run.json in its output folder.", made_video_s=0.0, frames=0
    )
    shown = text(run_details(run, facts, 78))
    for words in ("it never began", "no stage has made anything", "not known. There is no run.json"):
        assert words in shown
    assert "reading what else is known" in text(run_details(run, None, 78))
    assert "✗ gone" in text(run_details(run, Refusal("gone"), 78))


def test_a_comparison_waits_for_both_runs_and_tells_what_one_lacks() -> None:
    one, other = past_details(past_run(1)), past_details(past_run(2), untold="It is of another run.", versions=())
    assert "reading both runs" in text(comparison(one, None, NOW_S, 78))
    assert "✗ gone" in text(comparison(Refusal("gone"), one, NOW_S, 78))
    shown = text(comparison(one, other, NOW_S, 78))
    assert "not known of run 2. It is of another run." in shown
    assert "settings that differ: none" in shown
    assert all(line_width(line) <= 78 for line in comparison(one, other, NOW_S, 78))


def test_what_came_out_in_part_is_told_apart_where_there_is_room() -> None:
    run = replace(past_run(1), counts=((JobState.DONE, 10), (JobState.PARTIAL, 1), (JobState.FAILED, 3)))
    assert "✓ 10 done  ◐ 1 partial  ✗ 3 failed" in text(totals((run,), 1, 78))
    assert "✓ 11 done  ✗ 3 failed" in text(totals((run,), 1, 40))
