"""The operator's own keys: understood as people write them, refused with a sentence, and shown wherever keys are."""

import argparse
from pathlib import Path

import pytest
from console_script import SMALL, ScriptedEngine, app_over, busy, picture, until
from textual.widgets import Input

from pipeline.commands import Drain, Pause
from pipeline.errors import SettingsError
from pipeline.settings import Settings
from screens.actions import key_of
from screens.dialogs import Page
from screens.palette import Palette
from vconsole import console
from vconsole.config import load
from vconsole.keymap import checked
from vconsole.options import Options


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("ö", "ö"),
        ("Q", "Q"),
        ("!", "exclamation_mark"),
        ("@", "at"),
        ("+", "plus"),
        (",", "comma"),
        ("é", "é"),
        ("F5", "f5"),
        ("Ctrl+E", "ctrl+e"),
        ("ctrl+up", "ctrl+up"),
        ("alt+5", "alt+5"),
        ("PgDn", "pagedown"),
        ("Space", "space"),
    ],
)
def test_a_key_is_understood_as_people_write_it(written: str, key: str) -> None:
    assert checked({"pane.zoom": [written], "run.pause": ["f6"], "list.page-down": ["f7"]})["pane.zoom"] == (key,)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("ctrl+m", "cannot tell it from Enter"),
        ("ctrl+h", "cannot tell it from Backspace"),
        ("ctrl+i", "cannot tell it from Tab"),
        ("ctrl+[", "cannot tell it from Esc"),
        ("ctrl+b", "tmux keeps it"),
        ("F11", "many terminals change their size"),
        ("ctrl+shift+c", "do not pass it on"),
        ("super+k", "do not pass it on"),
        ("ctrl+1", "do not pass it on"),
        ("shift+pageup", "do not pass it on"),
        ("banana", "is no key"),
        ("", "is no key"),
        ("\x1b", "is no key"),
        ("ab", "is no key"),
    ],
)
def test_a_key_that_cannot_be_typed_is_refused_with_a_sentence(written: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason) as refused:
        checked({"run.pause": [written]}, lambda action: "my.toml: ")
    assert str(refused.value).startswith("my.toml: keys.run.pause: ")


def test_a_key_that_some_terminals_keep_may_stand_beside_another() -> None:
    assert checked({"run.pause": ["ctrl+b", "f9"]}) == {"run.pause": ("ctrl+b", "f9")}


def test_a_key_that_means_something_else_in_the_same_place_is_refused_by_both_names() -> None:
    with pytest.raises(SettingsError, match=r"keys\.run\.pause: d is the key of run\.drain \(drain\)"):
        checked({"run.pause": ["d"]})
    with pytest.raises(SettingsError, match=r"keys\.run\.pause: t is the key of app\.theme"):
        checked({"run.pause": ["t"]})
    with pytest.raises(SettingsError, match="is the key of"):
        checked({"run.pause": ["p"], "run.drain": ["p"]})


def test_two_actions_may_change_their_keys_with_each_other() -> None:
    assert checked({"run.pause": ["d"], "run.drain": ["space"]})["run.drain"] == ("space",)


def test_a_letter_is_refused_for_what_works_while_text_is_typed() -> None:
    with pytest.raises(SettingsError, match="works while text is typed"):
        checked({"newrun.plan": ["w"]})


def test_an_unknown_action_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(SettingsError, match=r"no such action; did you mean run\.pause\?"):
        checked({"run.paus": ["p"]})
    with pytest.raises(SettingsError, match="needs a key"):
        checked({"run.pause": []})


@pytest.mark.parametrize("line", ['run.pause = "p"', '"run.pause" = ["p"]', '[keys.run]\npause = "p"'])
def test_the_configuration_may_write_an_action_in_any_way_that_toml_has(tmp_path: Path, line: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(line if line.startswith("[keys") else f"[keys]\n{line}\n")
    assert load(Options(config=str(path)), {}).keys == {"run.pause": ("p",)}


def test_environment_and_command_line_set_keys_too() -> None:
    settings = load(Options(overrides=("keys.pane.queue=5",)), {"VCONSOLE_KEYS__RUN__PAUSE": "["})
    assert settings.keys == {"run.pause": ("[",), "pane.queue": ("5",)}


@pytest.mark.parametrize("content", ["[keys]\nrun.pause = 1.5", "[keys]\nrun.pause = [[]]", "[keys]\nrun.a.b = 'p'"])
def test_what_is_no_key_at_all_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(content)
    with pytest.raises(SettingsError, match=r"keys\.run\.\w+: (.* is no key|no such action)"):
        checked(load(Options(config=str(path)), {}).keys)


def test_keys_that_are_no_table_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("keys = 3")
    with pytest.raises(SettingsError, match=r"config\.toml: keys = 3: must be a table"):
        load(Options(config=str(path)), {})


def test_the_console_refuses_a_clash_by_file_and_key_before_it_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[keys]\nrun.pause = "q"\n')
    for name, value in {"TERM": "xterm", "COLUMNS": "80", "LINES": "24"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr(console, "_size", lambda terminal: None)
    with pytest.raises(SettingsError, match=rf"{path}: keys\.run\.pause: q is the key of app\.quit"):
        console.run(
            argparse.Namespace(command=None, config=str(path), overrides=[], before_config="", before_overrides=[])
        )


async def test_remapped_keys_work_and_are_shown_wherever_keys_are() -> None:
    engine = ScriptedEngine(busy())
    keys = {"run.pause": "ö", "run.drain": ["f9", "f8"], "app.help": "f6", "list.down": "J"}
    app = app_over(engine, settings=Settings.model_validate({"keys": keys, "console": {"refresh_hz": 20}}))
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: "ö pause" in picture(app))
        await pilot.press("space", "d", "ö", "f9", "f8")
        await until(pilot, lambda: engine.sent == [Pause(), Drain(), Drain()])
        await pilot.press("J", "question_mark")
        assert app.monitor.query_one("#queue").job is not None  # type: ignore[attr-defined]
        assert not isinstance(app.screen, Page)
        await pilot.press("f6")
        await until(pilot, lambda: isinstance(app.screen, Page) and "F9  F8" in picture(app))
        await pilot.press("f6", "colon")
        await until(pilot, lambda: isinstance(app.screen, Palette))
        app.screen.query_one(Input).value = "drain"
        await until(pilot, lambda: "F9      drain" in picture(app))


async def test_keys_of_one_console_are_not_those_of_the_next() -> None:
    async with app_over(ScriptedEngine(), settings=Settings.model_validate({"keys": {"run.new": "f9"}})).run_test():
        assert key_of("run.new") == "F9"
    async with app_over(ScriptedEngine()).run_test():
        assert key_of("run.new") == "a"


@pytest.mark.parametrize("kind", ["dumb", ""])
def test_a_terminal_that_can_show_nothing_is_pointed_to_the_commands(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("TERM", kind)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with pytest.raises(SettingsError, match=f"TERM={kind} cannot show the console") as refused:
        console.run(argparse.Namespace())
    assert "vconsole extract" in refused.value.remedy
