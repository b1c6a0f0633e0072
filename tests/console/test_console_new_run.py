"""The form of a new run: what is chosen and counted, what it fills in by itself, and what it refuses."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from console_script import HOSTILE, LARGE, SMALL, ScriptedEngine, app_over, picture, until
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from pipeline.commands import StartRun
from pipeline.forecast import Holding
from pipeline.model import STAGES, RunKind
from pipeline.settings import Settings
from screens.choice import Choice, Counting
from screens.new_run import NewRun
from screens.plan import RunPlan
from screens.presenters.choice import held, short
from screens.preset_choice import PresetChoice
from screens.setting_value import SettingValue
from screens.widgets.folders import MOST_FILES, FolderTree, PathInput
from screens.widgets.picks import Picks
from vconsole.app import ConsoleApp
from vconsole.planning import Planner


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a folder of videos, as the working folder."""
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"12345")
    (tmp_path / "videos" / "notes.txt").write_bytes(b"no video")
    (tmp_path / ".hidden").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def opened(pilot: "Pilot[int]", app: ConsoleApp) -> NewRun:
    await pilot.press("a")
    await until(pilot, lambda: isinstance(app.screen, NewRun))
    assert isinstance(app.screen, NewRun)
    screen = app.screen
    await until(pilot, lambda: len(screen.query_one(FolderTree).root.children) > 0)
    return screen


def chosen(screen: NewRun) -> list[bytes]:
    return screen._choice.paths


async def take(pilot: "Pilot[int]", screen: NewRun, preset: str) -> None:
    """Select a preset by the keyboard."""
    presets = screen.query_one("#preset", OptionList)
    presets.focus()
    while presets.highlighted_option is None or str(presets.highlighted_option.prompt) != preset:
        await pilot.press("down")


@pytest.mark.parametrize("size", [SMALL, LARGE, (60, 20)])
async def test_a_run_is_started_with_a_folder_from_the_tree(library: Path, size: tuple[int, int]) -> None:
    engine = ScriptedEngine()
    app = app_over(engine)
    async with app.run_test(size=size) as pilot:
        screen = await opened(pilot, app)
        await pilot.press("down", "space")
        videos = os.fsencode(library / "videos")
        out = screen.query_one("#out", PathInput)
        await until(pilot, lambda: chosen(screen) == [videos] and out.path == videos + b"-features")
        await take(pilot, screen, "scenes")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, RunPlan) and "F5 starts the run" in picture(app))
        assert engine.sent == [], "nothing starts before the plan was seen"
        await pilot.press("f5")
        await until(pilot, lambda: bool(engine.sent) and app.screen is app.monitor)
        command = engine.sent[0]
        assert isinstance(command, StartRun)
        assert (command.kind, command.inputs, command.preset) == (RunKind.EXTRACT, (videos,), "scenes")
        assert command.out == videos + b"-features"
        assert command.settings.embed.enabled is False
        assert "No run yet" in picture(app), "the monitor must not claim a run that the engine has not told of"


async def test_a_transcode_is_started_with_the_presets_and_settings_of_its_kind(library: Path) -> None:
    engine = ScriptedEngine()
    app = app_over(engine)
    async with app.run_test(size=LARGE) as pilot:
        screen = await opened(pilot, app)
        await pilot.press("down", "space")
        videos = os.fsencode(library / "videos")
        screen.query_one("#kind").focus()
        await pilot.press("down")
        presets, out = screen.query_one("#preset", OptionList), screen.query_one("#out", PathInput)
        await until(pilot, lambda: out.path == videos + b"-transcoded")
        offered = [str(presets.get_option_at_index(index).prompt) for index in range(presets.option_count)]
        assert offered == ["standardize", "proxy-480p", "archive", "edit", "remux"]
        await until(pilot, lambda: "transcode.video_codec" in picture(app) and "embed.models" not in picture(app))
        await take(pilot, screen, "proxy-480p")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, RunPlan) and "F5 starts the run" in picture(app))
        assert "libx264 and aac in mp4" in picture(app)
        await pilot.press("f5")
        await until(pilot, lambda: bool(engine.sent))
        command = engine.sent[0]
        assert isinstance(command, StartRun)
        assert (command.kind, command.preset, command.out) == (
            RunKind.TRANSCODE,
            "proxy-480p",
            videos + b"-transcoded",
        )
        assert command.settings.transcode.resolution == "854x480"


async def test_the_tree_tells_what_a_folder_holds_before_it_is_chosen(library: Path) -> None:
    app = app_over(ScriptedEngine())
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app)
        await pilot.press("down")
        await until(pilot, lambda: "1 video, 5 B, hours unknown" in picture(app))
        await until(pilot, lambda: "videos  1 · 5 B" in picture(app))
        assert "nothing chosen yet" in picture(app)


async def test_several_folders_can_be_chosen_and_dropped(library: Path) -> None:
    (library / "more").mkdir()
    (library / "more" / "b.mkv").write_bytes(b"123")
    app = app_over(ScriptedEngine())
    async with app.run_test(size=LARGE) as pilot:
        screen = await opened(pilot, app)
        more, videos = os.fsencode(library / "more"), os.fsencode(library / "videos")
        await pilot.press("down", "space", "down", "space")
        await until(pilot, lambda: chosen(screen) == [more, videos])
        await until(pilot, lambda: "2 videos, 8 B, hours unknown" in picture(app))
        await pilot.press("space")
        await until(pilot, lambda: chosen(screen) == [more])
        screen.query_one("#chosen").focus()
        await pilot.press("down", "delete")
        await until(pilot, lambda: chosen(screen) == [])


async def test_a_folder_above_takes_the_place_of_what_it_holds(library: Path) -> None:
    app = app_over(ScriptedEngine())
    async with app.run_test(size=LARGE) as pilot:
        screen = await opened(pilot, app)
        await pilot.press("down", "space", "up", "space")
        await until(pilot, lambda: chosen(screen) == [os.fsencode(library)])
        assert "gave way to it" in picture(app)
        await pilot.press("down", "space")
        await until(pilot, lambda: "which is chosen already" in picture(app))
        assert chosen(screen) == [os.fsencode(library)]


async def test_a_path_can_be_typed_and_an_output_folder_of_ones_own_is_kept(library: Path) -> None:
    app = app_over(ScriptedEngine())
    async with app.run_test(size=SMALL) as pilot:
        screen = await opened(pilot, app)
        screen.query_one("#out", PathInput).value = "/elsewhere"
        screen.query_one("#typed").focus()
        await pilot.press(*"videos", "enter")
        await until(pilot, lambda: chosen(screen) == [os.fsencode(library / "videos")])
        assert screen.query_one("#typed", PathInput).value == ""
        assert screen.query_one("#out", PathInput).path == b"/elsewhere"


async def test_nothing_is_planned_without_a_folder(library: Path) -> None:
    app = app_over(ScriptedEngine())
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Nothing is chosen yet" in picture(app))
        assert isinstance(app.screen, NewRun)


async def test_only_kinds_that_the_engine_knows_are_offered_and_hidden_folders_are_not(library: Path) -> None:
    app = app_over(ScriptedEngine())
    async with app.run_test(size=SMALL) as pilot:
        screen = await opened(pilot, app)
        kinds = screen.query_one("#kind", OptionList)
        assert [str(option.prompt) for option in kinds.options] == [kind.value for kind in STAGES]
        assert ".hidden" not in picture(app)


async def test_a_folder_with_very_many_files_still_shows_its_folders(library: Path) -> None:
    for number in range(MOST_FILES + 50):
        (library / f"{number:04}.mp4").touch()
    app = app_over(ScriptedEngine())
    async with app.run_test(size=SMALL) as pilot:
        screen = await opened(pilot, app)
        labels = [str(node.label) for node in screen.query_one(FolderTree).root.children]
        assert labels[0] == "videos"
        assert len(labels) == 1 + MOST_FILES


async def test_the_tree_can_go_up(library: Path) -> None:
    app = app_over(ScriptedEngine())
    async with app.run_test(size=SMALL) as pilot:
        screen = await opened(pilot, app)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: library.name in [str(n.label) for n in screen.query_one(FolderTree).root.children])


@pytest.mark.parametrize("name", [b"not-utf8-\xff\xfe", "left\u202etxt".encode(), b"two\nlines", b"[red]", b"x" * 250])
async def test_a_folder_whose_name_cannot_be_typed_is_taken_with_all_its_bytes(library: Path, name: bytes) -> None:
    odd = os.fsencode(library / "videos") + b"/" + name
    Path(os.fsdecode(odd)).mkdir()
    engine = ScriptedEngine()
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        screen = await opened(pilot, app)
        await pilot.press("down", "enter")
        tree = screen.query_one(FolderTree)
        await until(pilot, lambda: len(tree.root.children[0].children) == 3)
        await pilot.press("down", "space")
        await until(pilot, lambda: chosen(screen) == [odd])
        out = Path(os.fsdecode(odd) + "-features")
        if len(name) > 240:
            screen.query_one("#out", PathInput).put(b"/tmp/short")
            out = Path("/tmp/short")
        assert screen.query_one("#out", PathInput).value.isprintable()
        await take(pilot, screen, "scenes")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, RunPlan) and "F5 starts the run" in picture(app))
        assert picture(app).replace("\n", "").isprintable()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: bool(engine.sent))
        command = engine.sent[0]
        assert isinstance(command, StartRun)
        assert (command.inputs, command.out) == ((odd,), os.fsencode(out))


async def test_a_hostile_folder_shows_as_itself_in_the_form_and_in_the_plan(library: Path) -> None:
    odd = library / "videos" / "odd"
    odd.mkdir()
    for name in HOSTILE:
        if "\x00" not in name and "/" not in name:
            (odd / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    app = app_over(ScriptedEngine())
    async with app.run_test(size=LARGE) as pilot:
        screen = await opened(pilot, app)
        await pilot.press("down", "enter")
        await until(pilot, lambda: len(screen.query_one(FolderTree).root.children[0].children) > 0)
        await pilot.press("down", "enter", "space")
        await until(pilot, lambda: "left<202E>txt.4pm" in picture(app))
        await take(pilot, screen, "scenes")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "F5 starts the run" in picture(app))
        for words in ("[@click=app.quit]press.mp4", "esc␛[2J␛]52", "not-utf8-\\xff\\xfe.mp4"):
            assert words in picture(app)
        assert picture(app).replace("\n", "").isprintable()


async def test_a_setting_is_changed_for_this_run_and_checked_as_it_is_typed(library: Path) -> None:
    engine = ScriptedEngine()
    app = app_over(engine)
    async with app.run_test(size=LARGE) as pilot:
        screen = await opened(pilot, app)
        await pilot.press("down", "space")
        await take(pilot, screen, "scenes")
        choice = screen.query_one(PresetChoice)
        screen.query_one("#settings", Picks).focus()
        while choice.settings[screen.query_one("#settings", Picks).cursor].key != "frames.frames_per_scene":
            await pilot.press("down")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, SettingValue))
        await pilot.press("ctrl+u", *"-3")
        await until(pilot, lambda: "frames.frames_per_scene: must be a whole number" in picture(app))
        await pilot.press("enter")
        assert isinstance(app.screen, SettingValue), "a wrong value is not taken"
        await pilot.press("ctrl+u", "7")
        await until(pilot, lambda: "This will do." in picture(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen and "changed" in picture(app))
        await pilot.press("f5")
        await until(pilot, lambda: "F5 starts the run" in picture(app))
        await pilot.press("f5")
        await until(pilot, lambda: bool(engine.sent))
        command = engine.sent[0]
        assert isinstance(command, StartRun)
        assert command.settings.frames.frames_per_scene == 7
        assert command.settings.embed.enabled is False, "the preset still holds"


async def test_another_preset_drops_the_changes_and_esc_leaves_a_setting_as_it_is(library: Path) -> None:
    app = app_over(ScriptedEngine())
    async with app.run_test(size=LARGE) as pilot:
        screen = await opened(pilot, app)
        choice = screen.query_one(PresetChoice)
        choice.changes["frames.save"] = "jpeg"
        await take(pilot, screen, "quick")
        assert choice.changes == {}
        screen.query_one("#settings", Picks).focus()
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, SettingValue))
        app.screen.query_one(Input).value = "12"
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert choice.changes == {}


class Slow(Planner):
    """Counts a first video, and no second one before it is told to stop."""

    def count(self, path: bytes, stop: threading.Event, tell: Callable[[Holding], Any]) -> Holding:
        tell(Holding(videos=1, source_bytes=10))
        assert stop.wait(20)
        return Holding(videos=1, source_bytes=10, over=True, capped=True)


async def test_counting_shows_how_far_it_is_and_can_be_stopped(library: Path) -> None:
    app = app_over(ScriptedEngine(), planning=Slow(Settings, Path("/nowhere")))
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app)
        await pilot.press("down")
        await until(pilot, lambda: "1 video, 10 B, hours unknown; counting…" in picture(app))
        await until(pilot, lambda: "x stop counting" in picture(app))
        await pilot.press("x")
        await until(pilot, lambda: "at least 1 video, 10 B" in picture(app))
        assert "stop counting" not in picture(app)


def test_the_cursor_and_the_choice_are_counted_apart_and_what_was_left_is_stopped() -> None:
    choice = Choice()
    begun: list[tuple[bytes, threading.Event]] = []
    counting = Counting(choice, lambda path, stop: begun.append((path, stop)))
    choice.toggle(b"/a")
    choice.toggle(b"/b")
    counting.look(b"/c")
    assert [path for path, _ in begun] == [b"/c", b"/a"]
    counting.look(b"/d")
    assert begun[0][1].is_set() and not begun[1][1].is_set()
    assert counting.took(b"/a", Holding(videos=2, expected_s=5.0, over=True), begun[1][1])
    assert not counting.took(b"/c", Holding(videos=9), begun[0][1])
    counting.look(b"/d")
    assert [path for path, _ in begun] == [b"/c", b"/a", b"/d", b"/b"]
    counting.stop()
    assert choice.total().capped and choice.total().videos == 2


def test_what_is_held_says_how_sure_it_is() -> None:
    sure = Holding(videos=3, source_bytes=4096, known_s=7200, known_bytes=4096, expected_s=7200, over=True)
    assert held(sure) == "3 videos, 4.0 KiB, 2.0 h"
    guess = Holding(videos=3, source_bytes=4096, known_s=3600, known_bytes=2048, expected_s=7200, over=True)
    assert held(guess) == "3 videos, 4.0 KiB, about 2.0 h by size"
    assert held(Holding(videos=1, source_bytes=5)) == "1 video, 5 B, hours unknown; counting…"
    assert (short(Holding(videos=5, source_bytes=5)), short(Holding(over=True))) == ("5+ · 5 B", "0 · 0 B")
