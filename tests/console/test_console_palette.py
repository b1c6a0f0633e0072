"""Help and the command palette: both say what the registry says, and offer only what can be done now."""

from typing import get_args

import pytest
from console_script import SMALL, ScriptedEngine, app_over, busy, interrupted_before, picture, until
from textual.pilot import Pilot

from pipeline.commands import Drain, ResumeRun
from screens.action import Place, readable
from screens.actions import ACTIONS
from screens.dialogs import GROUPS, Page, Question, help_lines
from screens.new_run import NewRun
from screens.palette import Palette, offers
from vconsole.app import ConsoleApp


def words(here: tuple[Place, ...] = ()) -> list[str]:
    """Return the help as plain lines."""
    return ["".join(part.text for part in line).strip() for line in help_lines(70, here)]


def offered(app: ConsoleApp) -> set[str]:
    """Return the ids of what can be done now."""
    return {offer.action.id for offer in offers(app.screen)}


async def opened(pilot: Pilot[int], key: str = "colon") -> None:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(pilot.app.screen, Palette))


def test_the_help_begins_with_the_screen_one_is_on() -> None:
    assert words(("new run", "anywhere"))[0] == "a new run (here)"
    assert words(("monitor", "anywhere"))[0] == "the monitor (here)"


def test_every_place_of_an_action_has_a_title_in_the_help() -> None:
    assert {action.place for action in ACTIONS} <= {place for place, _ in GROUPS}


def test_keys_are_called_what_is_printed_on_them() -> None:
    named = {
        "slash": "/",
        "left_square_bracket": "[",
        "ctrl+c": "Ctrl+C",
        "f5": "F5",
        "shift+tab": "Shift+Tab",
        "G": "G",
    }
    assert {key: readable(key) for key in named} == named


def test_the_help_tells_every_action_of_every_place_and_its_name_for_the_configuration() -> None:
    lines = words()
    for action in ACTIONS:
        assert any(action.id in line for line in lines), action.id
        assert action.place in get_args(Place)
    assert sum(line.startswith("Ctrl+C") for line in lines) == 2


async def test_the_help_of_the_form_is_that_of_the_form() -> None:
    app = app_over(ScriptedEngine())
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, NewRun))
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, Page) and "a new run (here)" in picture(app))


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
async def test_the_palette_finds_an_action_by_a_word_and_takes_it(key: str) -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, key)
        await pilot.press(*"drain", "enter")
        await until(pilot, lambda: engine.sent == [Drain()])
        assert app.screen is app.monitor


async def test_the_palette_leaves_without_doing_anything() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot)
        await pilot.press("down", "down", "up", "escape")
        await until(pilot, lambda: app.screen is app.monitor)
        assert engine.sent == []


async def test_the_palette_says_where_nothing_is_called_so_and_enter_does_nothing() -> None:
    app = app_over(ScriptedEngine(busy()))
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot)
        await pilot.press(*"no such", "enter")
        await until(pilot, lambda: "Nothing that can be done now" in picture(app))
        assert isinstance(app.screen, Palette)


async def test_only_what_can_be_done_now_is_offered() -> None:
    engine = ScriptedEngine()
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        of_a_run = {"run.pause", "run.drain", "run.cancel", "run.retry", "run.retry-all", "run.more-workers"}
        assert "run.new" in offered(app)
        assert not offered(app) & {*of_a_run, "run.resume", "newrun.plan", "app.palette"}
        engine.change(**{name: getattr(busy(), name) for name in ("run", "jobs", "failures")})
        await until(pilot, lambda: of_a_run <= offered(app))
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, NewRun))
        assert "newrun.plan" in offered(app)
        assert not offered(app) & of_a_run


async def test_an_action_of_the_screen_below_is_taken_there() -> None:
    engine = ScriptedEngine(interrupted_before())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("escape")
        await opened(pilot)
        await pilot.press(*"resume", "enter")
        await until(pilot, lambda: engine.sent == [ResumeRun(6)])


async def test_the_palette_opens_rooms_and_fits_the_smallest_screen() -> None:
    app = app_over(ScriptedEngine())
    async with app.run_test(size=(60, 20)) as pilot:
        await opened(pilot)
        await pilot.press(*"new run")
        await until(pilot, lambda: "Enter takes it, Esc back" in picture(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, NewRun))


async def test_a_row_of_the_palette_is_chosen_by_a_second_click() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot)
        await pilot.press(*"drain")
        await until(pilot, lambda: "Finish the videos" in picture(app))
        await pilot.click("_Offers", offset=(5, 0), times=2)
        await until(pilot, lambda: engine.sent == [Drain()])
