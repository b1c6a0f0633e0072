"""The classes of videos in the queue and in the room of a video."""

from dataclasses import replace

import pytest
from console_classes import FACTS, ROWS
from console_script import (
    HOSTILE,
    LARGE,
    SMALL,
    ScriptedEngine,
    app_over,
    facts_of,
    job,
    picture,
    run_view,
    until,
)

from pipeline.job_facts import ClassFacts, ClassScene, ClassShare
from pipeline.model import JobState
from pipeline.snapshot import Snapshot
from screens.order import QueueOrder
from screens.presenters.job import job_body
from screens.presenters.queue import queue_row
from screens.widgets.outside import line_width


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
