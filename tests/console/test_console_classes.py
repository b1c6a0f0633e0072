"""The classes of videos in the queue and in the room of a video."""

from dataclasses import replace

import pytest
from console_script import (
    HOSTILE,
    LARGE,
    SMALL,
    ScriptedEngine,
    ScriptedHistory,
    app_over,
    facts_of,
    job,
    picture,
    run_view,
    until,
)

from pipeline.history import PastRun, RunDetails
from pipeline.job_facts import ClassFacts, ClassScene, ClassShare
from pipeline.model import JobState, RunKind, RunState
from pipeline.snapshot import Snapshot
from screens.order import QueueOrder
from screens.presenters.job import job_body
from screens.presenters.queue import queue_row
from screens.widgets.outside import line_width

ROWS = (
    job(1, JobState.DONE, name="a.mp4", label="red circle", scenes=2, frames=6),
    job(2, JobState.DONE, name="b.mp4", label="blue star", scenes=1, frames=3),
    job(3, JobState.DONE, name="c.mp4", scenes=1, frames=3),
)
FACTS = ClassFacts(
    label="red circle",
    shares=(ClassShare("red circle", 0.91), ClassShare("blue star", 0.08), ClassShare("none of [these]", 0.01)),
    scenes=(ClassScene(0.0, 4.0, "red circle", 0.97), ClassScene(4.0, 6.0, "", 0.4)),
    method="words",
    model="clip-vit-b-32",
)


def engine_of() -> ScriptedEngine:
    return ScriptedEngine(Snapshot(serial=1, run=run_view(ROWS), jobs=ROWS))


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_queue_tells_the_class_of_a_video_and_its_filter_finds_it(size: tuple[int, int]) -> None:
    app = app_over(engine_of())
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "red circle" in picture(app) and "blue star" in picture(app))
        assert "3 frames" in picture(app)
        await pilot.press("slash", *"blue", "enter")
        await until(pilot, lambda: "a.mp4" not in picture(app))
        assert "b.mp4" in picture(app)


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_room_of_a_video_tells_its_classes_and_those_of_its_scenes(size: tuple[int, int]) -> None:
    engine = engine_of()
    known = replace(facts_of(engine, 1), classes=FACTS)
    app = app_over(engine, job_facts=lambda _: known)
    async with app.run_test(size=size) as pilot:
        await pilot.press("j", "enter")
        await until(pilot, lambda: "class: red circle" in picture(app))
        assert "91%" in picture(app)
        assert "none of [these]" in picture(app)


def test_a_class_that_comes_later_is_found_and_one_that_goes_is_not() -> None:
    order = QueueOrder()
    order.filter("square")
    order.update(ROWS)
    assert len(order) == 0
    order.update((*ROWS[:2], replace(ROWS[2], label="Green Square")))
    assert [order.row(0).job_id, len(order)] == [3, 1]
    order.sort_by("name")
    order.update(ROWS)
    assert len(order) == 0


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("width", [20, 43, 80, 140])
def test_hostile_classes_never_change_the_width_or_hide(name: str, width: int) -> None:
    row = queue_row(job(1, JobState.DONE, name="a.mp4", label=name), width)
    hostile = ClassFacts(name, (ClassShare(name, 1.0),), (ClassScene(0, 1, name, 1.0),) * 2, "probe", name)
    body = job_body(replace(facts_of(engine_of(), 1), classes=hostile), width)
    assert all(line_width(line) <= max(line_width(row), width) for line in (row, *body))
    assert all(part.text.isprintable() for line in (row, *body) for part in line)


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_history_tells_the_classes_of_a_classification_and_offers_nothing_that_a_shell_does(
    size: tuple[int, int],
) -> None:
    run = PastRun(
        70, RunKind.CLASSIFY, RunState.INTERRUPTED, "words", ("/data/out",), "/data/out/classes.csv", False,
        1.0, 2.0, 3.0, ((JobState.QUEUED, 2), (JobState.DONE, 5), (JobState.FAILED, 1)),
    )  # fmt: skip
    details = RunDetails(run, 4.0, 0, 0.0, 0.0, 0, 0, 0, 0, (), (), (), (), "", (("red [circle]", 4), ("", 1)))
    engine = engine_of()
    app = app_over(engine, history=ScriptedHistory(details))
    async with app.run_test(size=size) as pilot:
        await pilot.press("h")
        await until(pilot, lambda: "red [circle] 4  (no class) 1" in picture(app))
        assert "vconsole resume 70" in picture(app)
        assert "start again" not in picture(app)
        await pilot.press("u", "v")
        await until(pilot, lambda: any("only a shell" in note.message for note in app._notifications))
        assert engine.sent == []
