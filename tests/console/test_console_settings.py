"""The settings room: what it shows, what it lets be typed, and what it says before and after it saves."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from console_script import LARGE, PLAN, SMALL, ScriptedEngine, app_over, busy, picture, row_texts, until
from textual.pilot import Pilot
from textual.widgets import Input

from pipeline.machine import GpuView, HostView, ModelView
from pipeline.snapshot import Snapshot
from screens.dialogs import Question
from screens.drafts import Draft
from screens.presenters.advisor import advise
from screens.presenters.settings import details, row, rows
from screens.settings import SettingsRoom
from screens.sheet import Key, Layer, Setting, Sheet
from screens.widgets.outside import Line
from screens.widgets.settings_list import SettingsList
from vconsole.app import ConsoleApp
from vconsole.options import Options
from vconsole.settings_file import SettingsFile

WORKERS: Key = ("engine", "workers")
CONTENT = "[engine]\nworkers = 2 # the other tenant\nstall_s = 30\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration file with two settings."""
    path = tmp_path / "config.toml"
    path.write_text(CONTENT)
    return path


def app_with(path: Path, engine: ScriptedEngine | None = None, environ: Mapping[str, str] | None = None) -> ConsoleApp:
    store = SettingsFile(Options(config=str(path)), environ or {})
    return app_over(engine or ScriptedEngine(busy()), store=store)


async def opened(pilot: "Pilot[int]", app: ConsoleApp) -> SettingsRoom:
    await pilot.press("s")
    await until(pilot, lambda: isinstance(app.screen, SettingsRoom))
    assert isinstance(app.screen, SettingsRoom)
    listing = app.screen.query_one(SettingsList)
    await until(pilot, lambda: "workers " in "".join(row_texts(listing)))
    return app.screen


def line_of(app: ConsoleApp, name: str) -> str:
    """Return the first row of the list that begins with a name."""
    listing = app.screen.query_one(SettingsList)
    return next(text for text in row_texts(listing) if text.strip("▌* ").startswith(f"{name} "))


def said(app: ConsoleApp) -> str:
    """Return the words on the screen with the line breaks taken out."""
    return " ".join(picture(app).split())


@pytest.mark.parametrize("size", [SMALL, LARGE, (60, 20)])
async def test_a_value_is_typed_checked_and_saved(config: Path, size: tuple[int, int]) -> None:
    app = app_with(config)
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app)
        assert "2 " in line_of(app, "workers")
        assert "file" in line_of(app, "workers")
        await pilot.press("enter", "ctrl+u", "0")
        await until(pilot, lambda: "✗ must be auto or a whole number from 1 to 256" in picture(app))
        await pilot.press("enter")
        assert app.focused is app.screen.query_one("#value"), "a wrong value is not taken"
        await pilot.press("backspace", "6")
        await until(pilot, lambda: "✗ must be" not in picture(app))
        await pilot.press("enter")
        await until(pilot, lambda: "1 change not saved" in picture(app))
        assert "unsaved" in line_of(app, "workers")
        assert config.read_text() == CONTENT
        await pilot.press("w")
        await until(pilot, lambda: "Saved 1 change." in picture(app))
        assert "all saved" in picture(app)
        assert config.read_text() == CONTENT.replace("workers = 2", "workers = 6")
        assert config.with_name("config.toml.bak").read_text() == CONTENT
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, SettingsRoom))


async def test_changes_are_undone_one_by_one_and_the_default_is_a_key_away(config: Path) -> None:
    app = app_with(config)
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app)
        await pilot.press("d")
        await until(pilot, lambda: "1 change not saved" in picture(app))
        assert "auto" in line_of(app, "workers")
        await pilot.press("j", "enter", "3", "enter")
        await until(pilot, lambda: "2 changes not saved" in picture(app))
        await pilot.press("u")
        await until(pilot, lambda: "1 change not saved" in picture(app))
        await pilot.press("u")
        await until(pilot, lambda: "all saved" in picture(app))
        await pilot.press("u")
        await until(pilot, lambda: "There is nothing to undo." in picture(app))


async def test_who_overrides_a_value_is_said_before_and_after_it_is_saved(config: Path) -> None:
    app = app_with(config, environ={"VCONSOLE_ENGINE__WORKERS": "3"})
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app)
        told = "VCONSOLE_ENGINE__WORKERS (environment) says 3 and wins over"
        assert "environment" in line_of(app, "workers")
        await until(pilot, lambda: "! VCONSOLE_ENGINE__WORKERS (environment) says 3" in picture(app))
        await pilot.press("enter", "ctrl+u", "5", "enter", "w")
        await until(pilot, lambda: f"engine.workers: {told}" in said(app))
        assert "With the next new run: engine.workers." in said(app)
        assert "3 " in line_of(app, "workers")
        assert "environment" in line_of(app, "workers")


async def test_a_file_changed_meanwhile_is_refused_and_the_edits_stay(config: Path) -> None:
    app = app_with(config)
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app)
        await pilot.press("enter", "ctrl+u", "5", "enter")
        config.write_text("[engine]\nnice = 3\n")
        await pilot.press("w")
        await until(
            pilot, lambda: "was changed by something else since it was read here. Nothing was saved." in said(app)
        )
        assert config.read_text() == "[engine]\nnice = 3\n"
        await pilot.press("f5")
        await until(pilot, lambda: "was changed" not in said(app))
        assert "1 change not saved" in picture(app)
        await pilot.press("w")
        await until(pilot, lambda: "Saved 1 change" in picture(app))
        assert config.read_text() == "[engine]\nnice = 3\nworkers = 5\n"


async def test_leaving_with_changes_asks(config: Path) -> None:
    app = app_with(config)
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app)
        for answer, there in (("s", True), ("d", False)):
            await pilot.press("d", "escape")
            await until(pilot, lambda: isinstance(app.screen, Question))
            await pilot.press(answer)
            await until(pilot, lambda there=there: isinstance(app.screen, SettingsRoom) is there)
            await pilot.press("u") if there else None
        assert config.read_text() == CONTENT
        await opened(pilot, app)
        await pilot.press("d", "escape")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("w")
        await until(pilot, lambda: not isinstance(app.screen, SettingsRoom))
        assert "workers = 2" not in config.read_text().replace("#workers", "")


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_quitting_with_changes_asks_what_is_to_become_of_them(config: Path, key: str) -> None:
    engine = ScriptedEngine()
    app = app_with(config, engine)
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app)
        await pilot.press("d", key)
        await until(pilot, lambda: "1 change not saved yet." in picture(app))
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, SettingsRoom))
        assert engine.closed == []
        await pilot.press("q", "w")
        await until(pilot, lambda: engine.closed == [False])
    assert "workers = 2" not in config.read_text().replace("#workers", "")


async def test_the_filter_finds_by_name_explanation_value_and_source(config: Path) -> None:
    app = app_with(config)
    async with app.run_test(size=LARGE) as pilot:
        screen = await opened(pilot, app)
        listing = screen.query_one(SettingsList)
        find = screen.query_one("#find", Input)
        await pilot.press("slash", *"luma")
        await until(pilot, lambda: listing.row_count() == 5)
        assert find.region.height == 1, "what is typed is seen"
        await pilot.press("escape")
        await until(pilot, lambda: "grace_s" in picture(app))
        assert app.screen is screen, "the filter is left, not the room"
        for needle, name, count in (("luma", "min_luma", 5), ("bombs", "max_pixels", 2), (" file", "stall_s", None)):
            await pilot.press("slash", "ctrl+u")
            find.value = needle
            await until(pilot, lambda name=name: name in picture(app) and "grace_s" not in picture(app))
            assert count is None or listing.row_count() == count
            await pilot.press("enter")
        await pilot.press("slash", *"qqq")
        await until(pilot, lambda: "No setting contains that." in picture(app))
        await pilot.press("escape")
        await until(pilot, lambda: "grace_s" in picture(app))


async def test_the_advice_is_taken_with_one_key_and_undone(config: Path) -> None:
    app = app_with(config)
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "1 by 2 cores / 2" in picture(app))
        await pilot.press("a")
        await until(pilot, lambda: "1 change not saved" in picture(app))
        assert "auto" in line_of(app, "workers")
        await pilot.press("w")
        await until(pilot, lambda: "Saved 1 change" in picture(app))
        assert "\n#workers = 2 # the other tenant\n" in config.read_text()


async def test_settings_are_shown_as_each_preset_reads_them(config: Path) -> None:
    app = app_with(config)
    async with app.run_test(size=(140, 70)) as pilot:
        await opened(pilot, app)
        assert "default" in line_of(app, "method")
        await pilot.press("p")
        await until(pilot, lambda: "keyframes" in line_of(app, "method"))
        assert "preset" in line_of(app, "method")


async def test_a_saved_theme_is_taken_at_once(config: Path) -> None:
    app = app_with(config)
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app)
        await pilot.press("slash", *"console.theme", "enter", "enter", "ctrl+u", *"vconsole-light", "enter", "w")
        await until(pilot, lambda: app.theme == "vconsole-light")
        await until(pilot, lambda: "At once: console.theme." in said(app))


async def test_a_file_that_cannot_be_read_is_told(config: Path) -> None:
    config.write_text("[engine\n")
    app = app_with(config)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "not TOML" in picture(app))
        await pilot.press("enter", "d", "u", "a", "p", "w", "j")
        config.write_text(CONTENT)
        await pilot.press("f5")
        await until(pilot, lambda: "workers " in picture(app))


def words(line: Line) -> str:
    return "".join(cell.text for cell in line)


def setting(*layers: Layer, key: Key = WORKERS) -> Setting:
    return Setting(key, "How many.", "a number", "run", (Layer("default", "1"), *layers))


def test_a_row_and_its_details_say_who_counts() -> None:
    one = setting(Layer("file", "2", "/c.toml"), Layer("preset", "5", "night"), Layer("command line", "3", "--workers"))
    assert words(row(one, None, "standard", 60)).split() == ["workers", "3", "command", "line"]
    assert words(row(one, None, "standard", 44)).split() == ["workers", "3", "option"]
    assert words(row(one, "4", "standard", 60)).split() == ["*", "workers", "4", "unsaved"]
    told = "\n".join(words(line) for line in details(one, "4", "night", (), 60))
    assert "command line  3  --workers" in told
    assert "! --workers (command line) says 3" in told
    assert "unsaved       4" in told
    quiet = setting(Layer("file", "2", "/c.toml"), Layer("preset", "5", "night"))
    assert "wins over" not in "".join(words(line) for line in details(quiet, None, "standard", (), 60))
    assert "The preset night says 5" in "".join(words(line) for line in details(quiet, None, "night", (), 60))


def test_rows_of_every_width_fit() -> None:
    one = setting(Layer("file", "x" * 300, "/c.toml"))
    for width in (20, 40, 44, 60, 75):
        assert width < 30 or len(words(row(one, None, "", width))) <= width


def test_a_draft_holds_only_what_differs_from_the_file() -> None:
    one = setting(Layer("file", "2"))
    draft = Draft()
    assert draft.put(one, "3")
    assert draft.put(one, "2")
    assert draft.edits == {}
    assert not draft.put(one, "2")
    assert draft.undo()
    assert draft.edits == {WORKERS: "3"}
    assert not Draft().put(setting(), "1"), "the default of what the file does not set"
    draft.keep_for([setting(Layer("file", "3"))])
    assert (draft.edits, draft.undo()) == ({}, False)


def test_the_advice_gives_the_numbers_of_the_formula() -> None:
    plan = replace(PLAN, workers=7, cores=16, by_cores=8, by_memory=6, by_gpu=5, free_memory_bytes=25 * 2**30)
    gpu = GpuView(0, "a GPU", None, None, 24 * 2**30, None, None, None, None)
    machine = replace(busy().machine, gpus=(gpu,))
    workers, threads, batch = advise(Snapshot(worker_plan=plan, machine=machine))
    assert workers.reason == (
        "auto is 5 on this machine, the least of 8 by 16 cores / 2, 6 by 25.0 GiB of free memory / 4 GiB, "
        "5 by GPU memory / (engine.job_memory_gb + 2 GB)."
    )
    assert (workers.value, threads.value, batch.value) == ("auto", "0", "auto")
    assert threads.reason == "0 is 3 on this machine: 16 cores / 5 workers."
    loaded = ModelView("clip-vit-b-32", "cuda:0", "bf16", 8, 1.5)
    host = HostView(device="cuda:0", state="ready", served=(loaded,))
    told = advise(Snapshot(worker_plan=plan, machine=machine, hosts=(host,)))[2].reason
    assert told.endswith("It is now 8 for clip-vit-b-32 on cuda:0.")
    assert advise(Snapshot()) == ()


def test_sections_without_a_match_are_left_out() -> None:
    sheet = Sheet(
        "/c.toml", "", (setting(), setting(key=("crop", "probes"))), (("engine", "E."), ("crop", "C.")), (), ""
    )
    assert [getattr(one, "name", "") for one in rows(sheet, {}, "", "probes")] == ["crop", ""]
