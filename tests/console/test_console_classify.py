"""A classification from the run history: asked for, seen on its way, cancelled and gone on with."""

from dataclasses import replace

import pytest
from console_analyst import REPORT, ScriptedAnalyst
from console_classes import FOLDER, ScriptedClasses, classified, classifying
from console_script import HOSTILE, LARGE, SMALL, ScriptedEngine, app_over, busy, picture, remembered, until

from pipeline.commands import CancelRun, ResumeRun, StartRun
from pipeline.model import RunKind, RunState
from pipeline.snapshot import ClassifyView
from screens.analysis import Analysis
from screens.classify import ClassifyForm
from screens.ports import ClassifyRequest, Refusal
from screens.presenters.header import header
from screens.presenters.runs import run_details
from screens.runs import Runs
from screens.widgets.outside import line_width


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_classes_of_a_run_are_typed_checked_and_started(size: tuple[int, int]) -> None:
    engine, classes = ScriptedEngine(replace(busy(), run=None)), ScriptedClasses()
    app = app_over(engine, history=remembered(), classes=classes)
    async with app.run_test(size=size) as pilot:
        await pilot.press("h")
        await until(pilot, lambda: "run 8" in picture(app))
        await pilot.press("l")
        await until(pilot, lambda: "centroid" in picture(app) and FOLDER in picture(app).replace("\n", ""))
        await pilot.press(*"a dog, a cat", "f5")
        await until(pilot, lambda: isinstance(app.screen, Runs) and bool(engine.sent))
    assert classes.asked == [ClassifyRequest(FOLDER.encode(), "a dog, a cat", b"", "centroid", "", "0.0")]
    assert isinstance(engine.sent[0], StartRun)
    assert engine.sent[0].kind is RunKind.CLASSIFY


async def test_a_refusal_stays_with_the_form_and_leaving_starts_nothing() -> None:
    engine = ScriptedEngine(replace(busy(), run=None))
    classes = ScriptedClasses(Refusal("the model knows no [words]", "Name one."))
    app = app_over(engine, history=remembered(), classes=classes)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("h")
        await until(pilot, lambda: "run 8" in picture(app))
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, ClassifyForm))
        await pilot.press(*"a dog", "f5")
        await until(pilot, lambda: "✗ the model knows no [words] Name one." in picture(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Runs))
    assert engine.sent == []


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_one_on_its_way_is_seen_and_cancelled_after_a_question(size: tuple[int, int]) -> None:
    engine = ScriptedEngine(classifying())
    app = app_over(engine, history=classified(RunState.RUNNING))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "run 70 classifies stored videos: 300 of 1,200" in picture(app))
        await pilot.press("h")
        await until(pilot, lambda: "300 of 1,200" in picture(app) and "x cancel" in picture(app))
        engine.change(classify=ClassifyView(70, 900, 1200))
        await until(pilot, lambda: "900 of 1,200" in picture(app))
        await pilot.press("x")
        await until(pilot, lambda: "Cancel run 70?" in picture(app))
        await pilot.press("c")
        await until(pilot, lambda: bool(engine.sent))
    assert engine.sent == [CancelRun(70)]


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_an_interrupted_one_tells_its_classes_and_why_and_is_gone_on_with(size: tuple[int, int]) -> None:
    engine = ScriptedEngine(replace(busy(), run=None))
    app = app_over(engine, history=classified(RunState.INTERRUPTED))
    async with app.run_test(size=size) as pilot:
        await pilot.press("h", "enter")
        await until(pilot, lambda: "red [circle] 4  (no class) 1" in picture(app))
        assert "the weights are gone" in picture(app)
        await pilot.press("u")
        await until(pilot, lambda: bool(engine.sent))
        assert isinstance(app.screen, Runs)
        await pilot.press("v")
        await until(pilot, lambda: any("tells what they are" in note.message for note in app._notifications))
    assert engine.sent == [ResumeRun(70)]


async def test_its_analysis_is_that_of_the_folder_it_classified() -> None:
    analyst = ScriptedAnalyst(REPORT)
    app = app_over(ScriptedEngine(busy()), history=classified(RunState.DONE), analyst=analyst)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("h")
        await until(pilot, lambda: "run 70" in picture(app))
        await pilot.press("i")
        await until(pilot, lambda: "1,234 videos" in picture(app))
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, Analysis) and 70 in analyst.asked)
    assert analyst.asked[0] == FOLDER


async def test_a_run_without_features_is_not_classified() -> None:
    history = remembered()
    facts = history.facts[8]
    history.facts[8] = replace(facts, run=replace(facts.run, kind=RunKind.TRANSCODE, preset="standardize"))
    app = app_over(ScriptedEngine(busy()), history=history)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("h")
        await until(pilot, lambda: "run 8" in picture(app))
        assert "l classify" not in picture(app)
        await pilot.press("l")
        await until(pilot, lambda: any("stored no features" in note.message for note in app._notifications))


async def test_leaving_asks_while_one_is_on_its_way() -> None:
    engine = ScriptedEngine(classifying())
    app = app_over(engine, history=classified(RunState.RUNNING))
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("q")
        await until(pilot, lambda: "What is classified so far (300 videos) is kept" in picture(app))
        await pilot.press("s")
        await until(pilot, lambda: "under way" not in picture(app))
    assert engine.closed in ([], [False])


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("width", [43, 80, 140])
def test_hostile_names_never_change_the_width(name: str, width: int) -> None:
    details = classified(RunState.INTERRUPTED).details(70)
    hostile = replace(details, why=name, classes=((name, 3),), run=replace(details.run, inputs=(name,), out=name))
    lines = (*run_details(hostile.run, hostile, width), *header(classifying(), width))
    assert all(line_width(line) <= width for line in lines)
    assert all(part.text.isprintable() for line in lines for part in line)
