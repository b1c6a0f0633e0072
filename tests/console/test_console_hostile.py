"""Text from outside: names that would harm a terminal or a markup parser show as visible symbols everywhere."""

import ast
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from console_planner import ScriptedPlanner
from console_script import (
    HOSTILE,
    LARGE,
    SMALL,
    ScriptedEngine,
    ScriptedExamination,
    ScriptedHistory,
    app_over,
    busy,
    facts_of,
    failure,
    job,
    past_details,
    past_run,
    picture,
    run_view,
    until,
)

from pipeline.forecast import Check, Plan, PlannedJob, PlanState, Tally, Verdict
from pipeline.health import Check as HealthCheck
from pipeline.health import Grade, Health
from pipeline.history import SettingValue
from pipeline.job_facts import JobFacts, LostFact, StreamFacts, TimelineFacts
from pipeline.machine import HostView
from pipeline.model import JobState, RunState
from pipeline.snapshot import Notice, Snapshot
from pipeline.text import visible
from screens.ports import Refusal
from screens.widgets.panes import QueuePane
from vconsole.app import ConsoleApp

SCREENS = Path(__file__).resolve().parents[2] / "screens"
WALL = SCREENS / "widgets" / "outside.py"


def hostile(name: str) -> Snapshot:
    """Return a snapshot in which everything that can come from outside is `name`."""
    jobs = (
        job(1, JobState.RUNNING, name=name, waiting_for=name),
        job(2, JobState.FAILED, name=name, note=name),
        job(3, JobState.SKIPPED, name=name, note=name),
    )
    return replace(
        busy(),
        run=run_view(jobs, inputs=(name, name), out=name, bottleneck=name, preset=name),
        jobs=jobs,
        failures=(failure(2, name=name, message=name, remedy=name, detail=name),),
        hosts=(HostView(device="cpu", state="ready", models=(name,), note=name),),
        notices=(Notice(at_s=busy().taken_s, level="warning", text=name),),
        machine=replace(busy().machine, gpu_note=name),
    )


async def test_nothing_but_printable_characters_reaches_the_terminal() -> None:
    engine = ScriptedEngine(hostile(HOSTILE[0]))
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        monitor = app.monitor
        for name in ("[/", "[@click=app.quit]" + "".join(HOSTILE[:-1]), HOSTILE[-1]):
            fresh = hostile(name)
            engine.change(run=fresh.run, jobs=fresh.jobs, failures=fresh.failures, hosts=fresh.hosts)
            engine.change(notices=fresh.notices, machine=fresh.machine)
            await until(pilot, lambda: monitor.snapshot.serial == engine.snapshot.serial)
            for keys in (("1", "j", "enter"), ("escape", "4", "j", "enter"), ("escape", "1", "x")):
                await pilot.press(*keys)
                sent = picture(app).replace("\n", "")
                assert sent.isprintable(), [char for char in sent if not char.isprintable()]
            await pilot.press("escape")


HARM = "[/[@click=app.quit]" + "".join(HOSTILE)
ROOMS = {
    "failures": (("f", "j", "y"), ("enter", "y", "Y"), ("escape", "p"), ("escape", "e"), ("escape", "slash", "x")),
    "runs": (("h", "y"), ("enter",), ("escape", "m", "j", "c"), ("escape", "a")),
    "new run": (("a", "space"), ("f5",), ("right",)),
    "doctor": (("D",), ("p",)),
    "models": (("M",), ("v",)),
    "job": (("1", "j", "enter"), ("right", "z"), ("z", "y", "r")),
    "settings": (("s", "slash", "left_square_bracket", "slash"), ("enter", "p", "enter")),
    "question": (("x",),),
    "palette": (("colon", "left_square_bracket", "slash"),),
}
"""The keys that lead to a room from the monitor and on in it, a picture after each group."""


def app_of_harm() -> tuple[ScriptedEngine, ConsoleApp]:
    """Return the console with harm in all that comes from outside."""
    engine = ScriptedEngine(hostile(HARM))
    check, path = Check(HARM, Grade.WARNING, HARM, HARM), os.fsencode(HARM)
    planned = (PlannedJob(path, Verdict.UNREADABLE, HARM, 5),)
    plan = Plan(PlanState.COMPLETE, (check,), (Tally(Verdict.UNREADABLE, 1, 5),), 1, path, planned)
    planner = ScriptedPlanner(plan, plan)
    planner.may_end.set()
    run = past_run(3, inputs=(HARM, HARM), out=HARM, preset=HARM)
    odd = past_details(run, settings=(SettingValue(HARM, HARM, ""),), versions=((HARM, HARM),), untold="")
    health = Health((HealthCheck(HARM, HARM, Grade.WARNING, HARM, HARM),), looking_at=HARM)

    def facts(job_id: int) -> JobFacts | Refusal:
        known = facts_of(engine, job_id)
        assert isinstance(known, JobFacts)
        course = TimelineFacts(9.0, (), (), (LostFact(1.0, 2.0, HARM),), 0, 0, HARM, (0, 0, 9, 9), 0)
        streams = StreamFacts(container=HARM, video_codec=HARM, pixel_format=HARM, audio_codec=HARM, audio_layout=HARM)
        return replace(known, source=HARM, preset=HARM, detail=HARM, timeline=course, streams=streams)

    app = app_over(
        engine,
        planning=planner,
        history=ScriptedHistory(odd, past_details(past_run(2), untold=HARM)),
        examine=lambda: ScriptedExamination(health),
        job_facts=facts,
        keep=lambda text: f"It is in {text}.",
    )
    return engine, app


@pytest.mark.parametrize("room", ROOMS)
async def test_no_room_sends_or_tells_anything_but_printable_characters(room: str) -> None:
    engine, app = app_of_harm()
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: app.monitor.snapshot.serial == engine.snapshot.serial)
        for keys in ROOMS[room]:
            await pilot.press(*keys)
            await pilot.pause()
            sent = [picture(app).replace("\n", ""), *(str(note.message) for note in app._notifications)]
            odd = {char for text in sent for char in text if not char.isprintable()}
            assert not odd, (keys, odd)
        assert app.screen is not app.monitor
        assert app.is_running


async def test_a_hostile_name_is_shown_as_itself() -> None:
    jobs = tuple(job(i, name=name) for i, name in enumerate(HOSTILE) if len(name) < 60)
    app = app_over(ScriptedEngine(Snapshot(serial=1, run=run_view(jobs), jobs=jobs)))
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("z")
        for row in jobs:
            await until(pilot, lambda row=row: visible(row.name) in picture(app))


async def test_a_hostile_filter_finds_its_name() -> None:
    jobs = tuple(job(i, name=name) for i, name in enumerate(HOSTILE))
    app = app_over(ScriptedEngine(Snapshot(serial=1, run=run_view(jobs), jobs=jobs)))
    async with app.run_test(size=SMALL) as pilot:
        queue = app.screen.query_one(QueuePane)
        await pilot.press("slash", "left_square_bracket", "slash", "right_square_bracket")
        await until(pilot, lambda: queue.order.needle == "[/]")
        assert queue.row_count() == 1


async def test_outputs_with_a_hostile_name_end_a_run_well() -> None:
    snapshot = hostile("[/")
    assert snapshot.run is not None
    app = app_over(ScriptedEngine(replace(snapshot, notices=(), run=replace(snapshot.run, state=RunState.DONE))))
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: "outputs in [/" in picture(app))


BUILDERS = {"Content", "Text", "Segment", "Strip", "Static", "Label", "Markdown", "notify", "from_markup"}
"""Names that put text on the screen; `notify` parses markup unless it is told not to."""


def test_only_the_wall_builds_what_is_drawn() -> None:
    found = []
    for path in sorted(SCREENS.rglob("*.py")):
        if path == WALL:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                if name in BUILDERS:
                    found.append(f"{path.name}:{node.lineno} calls {name}")
    assert found == []


TITLES = {"border_title", "border_subtitle"}
LABELLED = {"Option", "Button", "RadioButton", "Checkbox"}


def _is_safe(value: ast.expr) -> bool:
    """Return whether an expression is a literal, or came through the wall."""
    if isinstance(value, ast.Constant):
        return True
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "outside"


def test_titles_and_labels_are_literals_or_come_through_the_wall() -> None:
    found = []
    for path in sorted(SCREENS.rglob("*.py")):
        guarded: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assign):
                targets = [target for target in node.targets if isinstance(target, ast.Attribute)]
                if isinstance(node.targets[0], ast.Name) and _is_safe(node.value):
                    guarded.add(node.targets[0].id)
                for target in targets:
                    known = isinstance(node.value, ast.Name) and node.value.id in guarded
                    if target.attr in TITLES and not known and not _is_safe(node.value):
                        found.append(f"{path.name}:{node.lineno} sets {target.attr}")
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in LABELLED:
                found += [f"{path.name}:{node.lineno}" for argument in node.args[:1] if not _is_safe(argument)]
    assert found == []


def test_the_console_imports_no_decoder_and_no_model() -> None:
    program = (
        "import sys, vconsole.app\n"
        "print(sorted({'torch', 'av', 'cv2', 'whisper', 'easyocr', 'h5py', 'scenedetect'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_screens_enter_the_pipeline_by_its_door_alone() -> None:
    light = (
        "snapshot",
        "machine",
        "rows",
        "commands",
        "settings",
        "model",
        "text",
        "forecast",
        "health",
        "history",
        "lab",
        "job_facts",
        "shelf",
        "analysis_report",
    )
    door = {f"pipeline.{name}" for name in light}
    for path in SCREENS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] != "screens":
                assert not node.module.startswith(("pipeline", "vconsole", "themes")) or node.module in door, path
