"""What keys ask of the engine, and the ways to leave."""

from dataclasses import replace

import pytest
from console_script import (
    PLAN,
    SMALL,
    ScriptedEngine,
    app_over,
    busy,
    interrupted_before,
    job,
    picture,
    run_view,
    until,
)

from pipeline.commands import CancelJob, CancelRun, Drain, Pause, ResumeRun, Retry, SetWorkers, Unpause
from pipeline.model import JobState, RunState
from pipeline.snapshot import Snapshot, WorkerView
from screens.action import meet
from screens.actions import ACTIONS
from screens.dialogs import Question, Stopping


async def press(engine: ScriptedEngine, *keys: str) -> None:
    """Press keys on the monitor over `engine` and let everything settle."""
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press(*keys)
        await pilot.pause()


def in_state(state: RunState) -> Snapshot:
    jobs = busy().jobs
    return Snapshot(serial=1, run=run_view(jobs, state=state), jobs=jobs, failures=busy().failures)


async def test_space_pauses() -> None:
    engine = ScriptedEngine(busy())
    await press(engine, "space")
    assert engine.sent == [Pause()]


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.DRAINING])
async def test_space_goes_on_after_a_pause_or_a_drain(state: RunState) -> None:
    engine = ScriptedEngine(in_state(state))
    await press(engine, "space")
    assert engine.sent == [Unpause()]


async def test_d_drains() -> None:
    engine = ScriptedEngine(busy())
    await press(engine, "d")
    assert engine.sent == [Drain()]


async def test_with_no_run_nothing_is_sent() -> None:
    engine = ScriptedEngine()
    await press(engine, "space", "d", "x", "r", "u", "left_square_bracket", "right_square_bracket")
    assert engine.sent == []


async def test_u_resumes_the_newest_interrupted_run() -> None:
    engine = ScriptedEngine(interrupted_before())
    await press(engine, "escape", "u")
    assert engine.sent == [ResumeRun(6)]


async def test_u_resumes_the_interrupted_run_on_the_screen() -> None:
    engine = ScriptedEngine(in_state(RunState.INTERRUPTED))
    await press(engine, "u")
    assert engine.sent == [ResumeRun(7)]


async def test_r_retries_the_selected_failure_alone() -> None:
    engine = ScriptedEngine(busy())
    await press(engine, "4", "j", "j", "r")
    assert engine.sent == [Retry(job_ids=(9,))]


async def test_r_retries_all_where_none_is_selected() -> None:
    engine = ScriptedEngine(busy())
    await press(engine, "4", "r")
    assert engine.sent == [Retry()]


async def test_r_on_a_job_that_runs_sends_nothing() -> None:
    engine = ScriptedEngine(busy())
    await press(engine, "j", "r")
    assert engine.sent == []


async def test_capital_r_retries_all_whatever_is_selected() -> None:
    engine = ScriptedEngine(busy())
    await press(engine, "4", "j", "R")
    assert engine.sent == [Retry()]


async def test_x_asks_before_it_cancels_the_run() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert engine.sent == []
        assert "47 videos" in picture(app)
        await pilot.press("r")
        await until(pilot, lambda: engine.sent == [CancelRun(7)])


async def test_x_offers_the_selected_video() -> None:
    engine = ScriptedEngine(busy())
    await press(engine, "j", "x", "v")
    assert engine.sent == [CancelJob(13)]


@pytest.mark.parametrize("key", ["s", "escape", "enter"])
async def test_a_question_answered_without_care_changes_nothing(key: str) -> None:
    engine = ScriptedEngine(busy())
    await press(engine, "x", key)
    assert engine.sent == []


async def test_q_leaves_at_once_where_nothing_runs() -> None:
    engine = ScriptedEngine()
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("q")
        await until(pilot, lambda: app.return_value == 0)
    assert engine.closed == [False]


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
async def test_leaving_a_run_asks_and_staying_changes_nothing(key: str) -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, Question))
        for word in ("After what runs", "Now", "Stay", "What runs now (2 videos)"):
            assert word in picture(app)
        await pilot.press("s")
        await until(pilot, lambda: not isinstance(app.screen, Question))
        assert engine.sent == []
        assert engine.closed == []


async def test_leaving_now_closes_the_engine_and_stays_alive_meanwhile() -> None:
    engine = ScriptedEngine(busy())
    engine.may_close.clear()
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("q", "n")
        await until(pilot, lambda: isinstance(app.screen, Stopping) and engine.closed == [False])
        assert "Stopping…" in picture(app)
        engine.change(run=run_view(busy().jobs, elapsed_s=4000.0))
        await until(pilot, lambda: "1:06:40" in picture(app))
        assert app.return_value is None
        engine.may_close.set()
        await until(pilot, lambda: app.return_value == 0)


async def test_q_again_while_stopping_ends_at_once() -> None:
    engine = ScriptedEngine(busy())
    engine.may_close.clear()
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("q", "n")
        await until(pilot, lambda: engine.closed == [False])
        await pilot.press("q")
        await until(pilot, lambda: engine.closed == [False, True] and app.return_value == 0)
        engine.may_close.set()


async def test_leaving_after_what_runs_drains_and_then_leaves() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("q", "a")
        await until(pilot, lambda: engine.sent == [Drain()])
        await until(pilot, lambda: "leaving once what runs now" in picture(app))
        assert engine.closed == []
        jobs = tuple(job(i, JobState.DONE if i < 9 else JobState.QUEUED) for i in range(20))
        engine.change(jobs=jobs, run=run_view(jobs, state=RunState.DRAINING))
        await until(pilot, lambda: app.return_value == 0)
    assert engine.closed == [False]


async def test_staying_after_all_takes_the_drain_back() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("q", "a")
        await until(pilot, lambda: engine.sent == [Drain()])
        await pilot.press("q", "s")
        await until(pilot, lambda: engine.sent == [Drain(), Unpause()])
        await until(pilot, lambda: "leaving once" not in picture(app))


async def test_keys_can_be_mapped_by_the_ids_of_the_registry() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        app.set_keymap({"run.drain": "f9"})
        await pilot.press("f9")
        await until(pilot, lambda: engine.sent == [Drain()])


def test_actions_have_ids_of_their_own_and_no_key_means_two_things_in_one_place() -> None:
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
    for first in ACTIONS:
        for second in ACTIONS:
            if first.id < second.id and meet(first.place, second.place):
                assert not set(first.keys) & set(second.keys), (first.id, second.id)


async def test_the_brackets_ask_for_fewer_and_more_workers() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("right_square_bracket", "right_square_bracket", "left_square_bracket")
        await until(pilot, lambda: engine.sent == [SetWorkers(2), SetWorkers(3), SetWorkers(2)])
        pool = (WorkerView(slot=0, pid=11, state="busy"), WorkerView(slot=1, pid=12, state="starting"))
        engine.change(worker_plan=replace(PLAN, workers=3), workers=pool)
        await until(pilot, lambda: "workers 1/2 busy, 3 wanted" in picture(app))
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: engine.sent[3:] == [SetWorkers(4)])


async def test_the_last_worker_stays() -> None:
    engine = ScriptedEngine(busy())
    await press(engine, "left_square_bracket")
    assert engine.sent == [SetWorkers(1)]


async def test_ctrl_c_again_instead_of_an_answer_leaves_now() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("ctrl+c")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("ctrl+c")
        await until(pilot, lambda: app.return_value == 0)
    assert engine.closed == [False]


async def test_ctrl_c_answers_no_other_question() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert isinstance(app.screen, Question)
        assert engine.sent == [] and engine.closed == []
