"""The plan before a run: what it shows while it is made, what it refuses, and how it is left."""

import os
from dataclasses import replace
from pathlib import Path

from console_planner import INPUTS, PLANNED, ScriptedPlanner
from console_script import LARGE, SMALL, ScriptedEngine, app_over, busy, picture, until
from textual.pilot import Pilot

from pipeline.commands import StartRun
from pipeline.forecast import NOTHING_TO_DO, Check, Plan, PlannedJob, PlanState, Tally, Verdict
from pipeline.health import Grade
from pipeline.model import RunKind
from pipeline.settings import Settings
from screens.plan import PlannedInputs, RunPlan
from screens.ports import Refusal, RunRequest
from screens.presenters.plan import check_lines, job_line, summary_lines
from screens.presenters.run_settings import run_settings
from screens.widgets.outside import Line
from vconsole.app import ConsoleApp
from vconsole.planning import Planner


def text(lines: tuple[Line, ...]) -> str:
    return "\n".join("".join(part.text for part in line).rstrip() for line in lines)


REQUEST = RunRequest(RunKind.EXTRACT, (b"/videos", b"/more"), b"/out", "scenes")
LOOKING = Plan(state=PlanState.LOOKING, tallies=(Tally(Verdict.TO_DO, 5, 50),), looked_at=5, last=b"[red]\x1b.mp4")


async def opened(pilot: "Pilot[int]", app: ConsoleApp, planner: Planner) -> RunPlan:
    screen = RunPlan(replace(app.house.ports, planning=planner), REQUEST, 9)
    app.push_screen(screen)
    await until(pilot, lambda: app.screen is screen and bool(screen.query(PlannedInputs)))
    return screen


async def test_a_plan_shows_how_far_it_is_and_then_all_of_it() -> None:
    engine, planner = ScriptedEngine(busy()), ScriptedPlanner(LOOKING, PLANNED)
    app = app_over(engine)
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app, planner)
        await until(pilot, lambda: "5 inputs so far" in picture(app))
        await until(pilot, lambda: "[red]␛.mp4" in picture(app))
        planner.may_end.set()
        await until(pilot, lambda: "3 inputs looked at" in picture(app))
        for words in ("expected time", "2 min to 5 min", "about 1.4 MiB", "runs 4, 2", "! warning", "→ Free some."):
            assert words in picture(app), words
        assert "Run 7 is under way; this one waits for it." in picture(app)
        assert engine.sent == []


async def test_the_inputs_can_be_narrowed_to_a_verdict() -> None:
    engine, planner = ScriptedEngine(), ScriptedPlanner(LOOKING, PLANNED)
    planner.may_end.set()
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app, planner)
        await until(pilot, lambda: "all inputs: 3" in picture(app))
        await pilot.press("right", "right")
        await until(pilot, lambda: "duplicates: 1" in picture(app) and "readme.txt" not in picture(app))
        await pilot.press("left", "left")
        await until(pilot, lambda: "all inputs: 3" in picture(app))


async def test_what_is_done_already_is_done_again_only_if_that_is_asked_for() -> None:
    done = replace(INPUTS[0], verdict=Verdict.DONE)
    nothing = Check(NOTHING_TO_DO, Grade.WARNING, "All that is there is done already.")
    plan = replace(
        PLANNED,
        checks=(*PLANNED.checks, nothing),
        tallies=(Tally(Verdict.DONE, 1, 3_000_000),),
        jobs=(done,),
        looked_at=1,
    )
    engine = ScriptedEngine()
    app = app_over(engine)
    async with app.run_test(size=LARGE) as pilot:
        for keys, words, force in (("", "All that is there is done already.", False), ("a", "2 min to 5 min", True)):
            planner = ScriptedPlanner(LOOKING, plan)
            planner.may_end.set()
            await opened(pilot, app, planner)
            await until(pilot, lambda: "a do all again" in picture(app))
            await pilot.press(*keys)
            await until(pilot, lambda words=words: words in picture(app))
            assert ("leave what is done" in picture(app)) is force
            assert ("All that is there is done already." in picture(app)) is not force
            await pilot.press("f5")
            await until(pilot, lambda: app.screen is app.monitor)
            command = engine.sent.pop()
            assert isinstance(command, StartRun)
            assert command.force is force


async def test_planning_is_stopped_by_its_key_and_by_leaving() -> None:
    engine = ScriptedEngine()
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        planner = ScriptedPlanner(LOOKING, PLANNED)
        await opened(pilot, app, planner)
        await until(pilot, lambda: "stop planning" in picture(app))
        await pilot.press("x")
        await until(pilot, lambda: "Planning was stopped after 7 inputs." in picture(app))
        assert "stop planning" not in picture(app)
        await pilot.press("escape")
        planner = ScriptedPlanner(LOOKING, PLANNED)
        await opened(pilot, app, planner)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.monitor and planner.stopped.is_set())
        assert engine.sent == []


async def test_a_run_may_start_before_all_is_looked_at_but_not_before_the_checks() -> None:
    engine, planner = ScriptedEngine(), ScriptedPlanner(Plan(), PLANNED)
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        screen = await opened(pilot, app, planner)
        await pilot.press("f5")
        await until(pilot, lambda: "The checks are not over yet." in picture(app))
        assert engine.sent == []
        screen.post_message(RunPlan.Planned(LOOKING))
        await until(pilot, lambda: "5 inputs so far" in picture(app))
        await pilot.press("f5")
        await until(pilot, lambda: len(engine.sent) == 1 and app.screen is app.monitor)


async def test_what_would_surely_fail_is_refused_with_its_remedy() -> None:
    fault = Check("model weights", Grade.FAULT, "They are not here.", "Fetch them.")
    refused = Plan(state=PlanState.REFUSED, checks=(Check("input", Grade.OK, "It is."), fault))
    engine, planner = ScriptedEngine(), ScriptedPlanner(refused, refused)
    planner.may_end.set()
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app, planner)
        await until(pilot, lambda: "✗ fault" in picture(app) and "→ Fetch them." in picture(app))
        await pilot.press("f5")
        await until(pilot, lambda: "It would surely fail" in picture(app))
        assert engine.sent == []


async def test_what_fails_between_plan_and_start_is_told_and_can_be_tried_again() -> None:
    engine = ScriptedEngine()
    planner = ScriptedPlanner(LOOKING, PLANNED, Refusal("The disk [red] is gone.", "Mount it."))
    planner.may_end.set()
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app, planner)
        await until(pilot, lambda: "F5 starts the run" in picture(app))
        await pilot.press("f5")
        await until(pilot, lambda: "✗ The disk [red] is gone. Mount it." in picture(app))
        planner.refusal = None
        await pilot.press("f5")
        await until(pilot, lambda: len(engine.sent) == 1)


async def test_a_plan_that_cannot_be_made_says_why() -> None:
    engine, planner = ScriptedEngine(), ScriptedPlanner(Plan(), Refusal("There is no preset [/].", "Take another."))
    planner.may_end.set()
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app, planner)
        await until(pilot, lambda: "✗ There is no preset [/]. Take another." in picture(app))


def test_the_worst_check_comes_first() -> None:
    checks = (Check("a", Grade.OK, "fine"), Check("b", Grade.FAULT, "broken", "mend"), Check("c", Grade.WARNING, "so"))
    assert [line.split()[-1] for line in text(check_lines(checks, 40)).splitlines() if line[:1] in "✓!✗"] == [
        "b", "c", "a",
    ]  # fmt: skip


def test_what_is_not_known_is_told_as_unknown() -> None:
    plan = Plan(state=PlanState.COMPLETE, tallies=PLANNED.tallies, looked_at=3)
    told = text(summary_lines(plan, 0, 41))
    assert told.count("unknown") == 2
    assert "No earlier run tells how long it takes." in told


def test_an_input_keeps_its_columns_whatever_its_name() -> None:
    for name in (b"a", b"x" * 300, b"\xff\n"):
        line = text((job_line(PlannedJob(name, Verdict.SKIPPED, "not a video or picture" * 3, 5), 100),))
        assert line.endswith("5 B") and line.isprintable()


def test_a_setting_is_changed_over_the_preset_and_an_empty_one_is_the_default() -> None:
    planner = Planner(Settings, Path("/nowhere"))
    quick = planner.settings("quick", {"frames.frames_per_scene": "7", "frames.method": ""})
    assert not isinstance(quick, Refusal)
    assert (quick.frames.frames_per_scene, quick.frames.method, quick.scenes.enabled) == (7, "scenes", False)
    wrong = planner.settings("quick", {"host.device": "gpu"})
    assert isinstance(wrong, Refusal) and "host.device" in wrong.message
    assert isinstance(planner.settings("qick", {}), Refusal)


def test_what_differs_and_what_is_usual_comes_first() -> None:
    planner = Planner(lambda: Settings.model_validate({"write": {"compression": "gzip"}}), Path("/nowhere"))
    plain, now = planner.settings("quick", {}), planner.settings("quick", {"embed.models": "tiny-shapes"})
    assert not isinstance(plain, Refusal) and not isinstance(now, Refusal)
    rows = run_settings(RunKind.EXTRACT, plain, now, {"embed.models": "tiny-shapes"})
    first = [row.key for row in rows[:14]]
    assert {"write.compression", "frames.method", "scenes.enabled", "embed.models", "engine.workers"} <= set(first)
    models = next(row for row in rows if row.key == "embed.models")
    assert (models.text, models.default, models.changed, models.differs) == ("tiny-shapes", "clip-vit-b-32", True, True)
    assert not any(row.key == "engine.snapshot_hz" for row in rows), "no run can change it"


def test_a_request_becomes_a_command_and_is_checked_again(tmp_path: Path) -> None:
    planner = Planner(Settings, tmp_path / "state")
    request = RunRequest(RunKind.EXTRACT, (os.fsencode(tmp_path),), os.fsencode(tmp_path / "out"), "scenes")
    command = planner.command(request)
    assert isinstance(command, StartRun) and command.settings.embed.enabled is False
    gone = RunRequest(RunKind.EXTRACT, (b"/no/such/folder",), b"/tmp/out", "scenes")
    assert isinstance(planner.command(gone), Refusal)
