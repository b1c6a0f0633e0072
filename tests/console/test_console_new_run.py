"""Starting a run: the form, what it fills in by itself, and what it refuses."""

import os
from functools import partial
from pathlib import Path

import pytest
from console_script import LARGE, SMALL, ScriptedEngine, app_over, picture, until
from textual.pilot import Pilot
from textual.widgets import OptionList

from pipeline.commands import StartRun
from pipeline.errors import SettingsError
from pipeline.model import STAGES, RunKind
from pipeline.settings import Settings, with_preset
from screens.new_run import NewRun
from screens.ports import Refusal, RunRequest
from screens.widgets.folders import MOST_FILES, FolderTree, PathInput
from vconsole.app import ConsoleApp, preparer


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a folder of videos, as the working folder."""
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"")
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


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_a_run_is_started_with_a_folder_from_the_tree(library: Path, size: tuple[int, int]) -> None:
    engine = ScriptedEngine()
    app = app_over(engine)
    async with app.run_test(size=size) as pilot:
        screen = await opened(pilot, app)
        await until(pilot, lambda: "F5" in picture(app))
        await pilot.press("down", "enter")
        folder, out = screen.query_one("#folder", PathInput), screen.query_one("#out", PathInput)
        videos = os.fsencode(library / "videos")
        await until(pilot, lambda: folder.path == videos and out.path == videos + b"-features")
        await pilot.press("f5")
        await until(pilot, lambda: bool(engine.sent) and not isinstance(app.screen, NewRun))
        command = engine.sent[0]
        assert isinstance(command, StartRun)
        assert (command.kind, command.inputs, command.preset) == (RunKind.EXTRACT, (videos,), "standard")
        assert command.out == videos + b"-features"
        assert "No run yet" in picture(app), "the monitor must not claim a run that the engine has not told of"


async def test_paths_and_preset_can_be_typed_and_chosen(library: Path) -> None:
    engine = ScriptedEngine()
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        screen = await opened(pilot, app)
        screen.query_one("#folder").focus()
        await pilot.press(*"videos", "tab", "ctrl+u", *"out", "tab", "tab")
        presets = screen.query_one("#preset", OptionList)
        assert app.focused is presets
        while presets.highlighted_option is None or str(presets.highlighted_option.prompt) != "scenes":
            await pilot.press("down")
        await until(pilot, lambda: "without vectors" in picture(app))
        await pilot.press("f2")
        await until(pilot, lambda: bool(engine.sent))
        command = engine.sent[0]
        assert isinstance(command, StartRun)
        assert command.inputs == (os.fsencode(library / "videos"),)
        assert command.out == os.fsencode(library / "out")
        assert command.preset == "scenes"
        assert command.settings.embed.enabled is False


async def test_nothing_is_sent_without_a_folder(library: Path) -> None:
    engine = ScriptedEngine()
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "There is no folder yet" in picture(app))
        assert engine.sent == []


async def test_a_refusal_is_shown_with_its_remedy_and_the_form_stays(library: Path) -> None:
    engine = ScriptedEngine()
    refusal = Refusal("The weights of clip-vit-b-32 are not here.", "Fetch them, or use the preset scenes.")
    app = app_over(engine, refusal=refusal)
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app)
        await pilot.press("down", "enter", "ctrl+s")
        await until(pilot, lambda: "✗ The weights of clip-vit-b-32 are not here. Fetch them" in picture(app))
        assert isinstance(app.screen, NewRun)
        assert engine.sent == []
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, NewRun))


async def test_an_output_folder_of_ones_own_is_kept(library: Path) -> None:
    app = app_over(ScriptedEngine())
    async with app.run_test(size=SMALL) as pilot:
        screen = await opened(pilot, app)
        out = screen.query_one("#out", PathInput)
        out.value = "/elsewhere"
        await pilot.press("down", "enter")
        await until(pilot, lambda: screen.query_one("#folder", PathInput).value.endswith("videos"))
        await pilot.pause()
        assert out.path == b"/elsewhere"


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


@pytest.mark.parametrize("name", [b"not-utf8-\xff\xfe", "left\u202etxt".encode(), b"two\nlines", b"[red]"])
async def test_a_folder_whose_name_cannot_be_typed_is_taken_with_all_its_bytes(library: Path, name: bytes) -> None:
    odd = os.fsencode(library / "videos") + b"/" + name
    Path(os.fsdecode(odd)).mkdir()
    engine = ScriptedEngine()
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        screen = await opened(pilot, app)
        await pilot.press("down", "enter")
        tree = screen.query_one(FolderTree)
        await until(pilot, lambda: len(tree.root.children[0].children) == 2)
        await pilot.press("down", "enter")
        await until(pilot, lambda: screen.query_one("#folder", PathInput).path == odd)
        assert screen.query_one("#folder", PathInput).value.isprintable()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: bool(engine.sent))
        command = engine.sent[0]
        assert isinstance(command, StartRun)
        assert command.inputs == (odd,)
        assert command.out == odd + b"-features"


def request(preset: str = "scenes") -> RunRequest:
    return RunRequest(RunKind.EXTRACT, (b"/videos",), b"/out", preset)


def test_a_request_becomes_a_command_with_the_settings_of_its_preset() -> None:
    checked: list[StartRun] = []
    command = preparer(partial(with_preset, Settings()), checked.append)(request())
    assert isinstance(command, StartRun)
    assert checked == [command]
    assert command.settings == with_preset(Settings(), "scenes")


def test_what_the_checks_refuse_is_told_with_its_remedy() -> None:
    def check(command: StartRun) -> None:
        raise SettingsError("no such folder", remedy="Choose another.")

    assert preparer(partial(with_preset, Settings()), check)(request()) == Refusal("no such folder", "Choose another.")
    unknown = preparer(partial(with_preset, Settings()), lambda command: None)(request("scnes"))
    assert isinstance(unknown, Refusal)
    assert "scenes" in unknown.remedy
