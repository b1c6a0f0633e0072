"""The settings as a screen reads and saves them: every layer is told, and a file keeps what its owner wrote."""

import errno
import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.settings import READ_AT_START
from screens.ports import Refusal
from screens.sheet import Key, Saved, Setting, Sheet
from vconsole.config import load
from vconsole.options import Options
from vconsole.sample import text as sample
from vconsole.schema import leaves, locate
from vconsole.settings_file import SettingsFile
from vconsole.toml_text import changed

WORKERS: Key = ("engine", "workers")

OWN = """\
# the box in room 12
state_dir = "/data/state"   # the quick disk

[scenes]   # tuned in March
  threshold = 3.5 # not lower!
detector = 'adaptive'

[engine]
# two, because of the other tenant
workers = 2
[embed]
models = [  # both are needed
  "clip-vit-b-32",
  "tiny-shapes",
]

# presets of ours
[presets.night]
description = "At night."
settings.engine.workers = 8
[presets.night.settings.scenes]
threshold = 5
"""


def store(path: Path, *overrides: str, **environ: str) -> SettingsFile:
    return SettingsFile(Options(config=str(path), overrides=overrides), environ)


def read(file: SettingsFile) -> Sheet:
    sheet = file.read()
    assert isinstance(sheet, Sheet), sheet
    return sheet


def saved(file: SettingsFile, edits: dict[Key, str]) -> Saved:
    answer = file.save(read(file), edits)
    assert isinstance(answer, Saved), answer
    return answer


def setting(sheet: Sheet, key: Key) -> Setting:
    return next(one for one in sheet.settings if one.key == key)


def said(sheet: Sheet, key: Key) -> list[tuple[str, str]]:
    return [(layer.origin, layer.value) for layer in setting(sheet, key).layers]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A file with comments and an order of its own."""
    path = tmp_path / "config.toml"
    path.write_text(OWN)
    return path


def test_every_setting_is_there_with_its_explanation_and_its_default(tmp_path: Path) -> None:
    sheet = read(store(tmp_path / "none.toml"))
    known = dict(leaves())
    assert [one.key for one in sheet.settings] == list(known)
    for one in sheet.settings:
        assert one.explanation == known[one.key].description
        assert one.allowed
        assert one.layers[0].origin == "default"
        assert store(tmp_path).check(one.key, one.default) == "", "a default can be typed as it is shown"
    assert {one.key for one in sheet.settings if one.effect == "start"} == READ_AT_START
    assert sheet.sections[0] == ("engine", "How the engine schedules, bounds and retries.")


def test_each_layer_is_told_the_weakest_first(own: Path) -> None:
    sheet = read(store(own, "scenes.threshold=6", VCONSOLE_ENGINE__WORKERS="3"))
    assert said(sheet, WORKERS) == [("default", "auto"), ("file", "2"), ("preset", "8"), ("environment", "3")]
    assert said(sheet, ("scenes", "threshold"))[-1] == ("command line", "6")
    workers = setting(sheet, WORKERS)
    assert [layer.value for layer in workers.heard("standard")] == ["auto", "2", "3"]
    above = workers.above_file("night")
    assert above is not None
    assert (above.origin, above.where) == ("environment", "VCONSOLE_ENGINE__WORKERS")
    assert setting(sheet, ("state_dir",)).above_file("night") is None


def test_a_preset_says_only_what_it_says_itself(own: Path) -> None:
    sheet = read(store(own, VCONSOLE_CROP__PROBES="9"))
    assert said(sheet, ("crop", "probes")) == [("default", "6"), ("environment", "9")]
    assert "night" in sheet.presets
    heard = setting(sheet, ("scenes", "threshold")).heard("night")[-1]
    assert (heard.origin, heard.value) == ("preset", "5.0".removesuffix(".0"))


def test_what_a_file_says_of_models_and_presets_is_shown_too(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("[models.clip-vit-b-32]\npath = '/w.safetensors'\n")
    one = setting(read(store(path)), ("models", "clip-vit-b-32", "path"))
    assert one.written == "/w.safetensors"
    changed_to = saved(store(path), {one.key: "/other.safetensors"})
    assert setting(changed_to.sheet, one.key).written == "/other.safetensors"


def test_saving_keeps_every_comment_and_the_order(own: Path) -> None:
    edits: dict[Key, str] = {
        WORKERS: "4",
        ("scenes", "threshold"): "2.5",
        ("scenes", "min_scene_len"): "20",
        ("embed", "models"): "clip-vit-b-32, clip-vit-l-14",
        ("console", "theme"): "ansi",
        ("state_dir",): "/x y",
    }
    answer = saved(store(own), edits)
    lines = own.read_text().splitlines()
    comments = [line[line.find("#") :] for line in OWN.splitlines() if "#" in line]
    assert [line[line.find("#") :] for line in lines if "#" in line] == comments
    kept = [line for line in OWN.splitlines() if line and line in lines]
    assert [line for line in lines if line in kept] == kept
    assert "  threshold = 2.5 # not lower!" in lines
    assert lines[lines.index("detector = 'adaptive'") + 1] == "min_scene_len = 20"
    assert tomllib.loads(own.read_text())["embed"]["models"] == ["clip-vit-b-32", "clip-vit-l-14"]
    assert {key: setting(answer.sheet, key).written for key in edits} == edits
    assert (own.parent / answer.backup).read_text() == OWN
    assert load(Options(config=str(own)), {}).state_dir == "/x y"


def test_a_new_value_goes_below_the_line_that_has_it_commented_out(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(sample())
    saved(store(path), {WORKERS: "4", ("crop", "enabled"): "false"})
    lines = path.read_text().splitlines()
    assert lines[lines.index('#workers = "auto"') + 1] == "workers = 4"
    assert lines[lines.index("[crop]") + 3] == "enabled = false"
    saved(store(path), {WORKERS: "", ("crop", "enabled"): ""})
    assert path.read_text() == sample()


def test_a_value_that_is_taken_out_leaves_its_comment(own: Path) -> None:
    answer = saved(store(own), {("scenes", "threshold"): "", WORKERS: "", ("embed", "models"): ""})
    lines = own.read_text().splitlines()
    assert "#  threshold = 3.5 # not lower!" in lines
    assert "# two, because of the other tenant" in lines
    assert "workers = 2" not in lines
    assert [setting(answer.sheet, key).written for key in (WORKERS, ("embed", "models"))] == [None, None]


@pytest.mark.parametrize(
    "content",
    [
        "engine.workers = 2\n",
        "engine = { workers = 2, nice = 5 } # in one line\n",
        "[engine]\nnice = 5",
        "[ engine ]\r\nnice = 5 # quiet\r\n[crop]\r\n",
        '["engine"]\n"workers" = 2\n',
        "[engine]\n[crop]\nprobes = 3\n",
        "",
        "state_dir = '''\n[engine]\nworkers = 9\n'''\n",
        "[embed]\nmodels = [\n 'a', # workers = 5\n]\n[engine]\nworkers = 2 # workers = 5\n",
    ],
)
def test_any_way_to_write_a_file_can_be_changed(tmp_path: Path, content: str) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(content.encode())
    before = load(Options(config=str(path)), {})
    saved(store(path), {WORKERS: "7"})
    after = load(Options(config=str(path)), {})
    assert after.engine.workers == 7
    same = {"engine": before.engine.model_copy(update={"workers": 7})}
    assert after.model_copy(update={"presets": {}}) == before.model_copy(update={**same, "presets": {}})
    if "\r\n" in content:
        assert b"\n" not in path.read_bytes().replace(b"\r\n", b"")
    saved(store(path), {WORKERS: ""})
    assert load(Options(config=str(path)), {}).engine.workers == "auto"


@given(st.lists(st.tuples(st.sampled_from([key for key, _ in leaves()]), st.integers(0, 2)), max_size=8))
def test_any_edits_to_a_file_say_what_was_meant_and_lose_no_line(edits: list[tuple[Key, int]]) -> None:
    text = sample()
    for key, number in edits:
        text = changed(text, {key: (None, f"v{number} # no comment", "two")[number]})
    meant = {key: ("", "v1 # no comment", "two")[number] for key, number in edits}
    tables = tomllib.loads(text)
    for key, value in meant.items():
        table = tables
        for name in key[:-1]:
            table = table[name]
        assert table.get(key[-1], "") == value
    rest = iter(text.splitlines())
    assert all(line in rest for line in sample().splitlines()), "a line of the owner is gone or moved"


def test_keys_are_checked_as_the_console_checks_them(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[keys]\nrun.pause = "b"\n')
    key = ("keys", "run", "pause")
    assert said(read(store(path)), key) == [("default", ""), ("file", "b")]
    assert store(path).check(key, "b, ctrl+e") == ""
    assert "is the key of" in store(path).check(key, "q")
    saved(store(path), {key: "b, ctrl+e"})
    assert load(Options(config=str(path)), {}).keys == {"run.pause": ("b", "ctrl+e")}


def test_a_machine_without_a_file_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = SettingsFile(environ={})
    sheet = read(file)
    assert (sheet.path, sheet.digest) == (str(tmp_path / "vconsole" / "config.toml"), "")
    answer = file.save(sheet, {WORKERS: "3"})
    assert isinstance(answer, Saved)
    assert answer.backup == ""
    assert load(environ={}).engine.workers == 3
    assert Path(sheet.path).read_text().startswith("# Settings of vconsole")


def test_a_file_that_was_changed_meanwhile_is_left_alone(own: Path) -> None:
    file = store(own)
    sheet = read(file)
    own.write_text(OWN + "# more\n")
    answer = file.save(sheet, {WORKERS: "4"})
    assert isinstance(answer, Refusal)
    assert "was changed" in answer.message
    assert own.read_text() == OWN + "# more\n"
    assert not own.with_name("config.toml.bak").exists()
    own.unlink()
    assert isinstance(file.save(sheet, {WORKERS: "4"}), Refusal)
    assert not own.exists()


def test_a_file_that_appeared_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    file = store(path)
    sheet = read(file)
    path.write_text("[engine]\nnice = 3\n")
    assert isinstance(file.save(sheet, {WORKERS: "4"}), Refusal)
    assert path.read_text() == "[engine]\nnice = 3\n"


def test_a_link_stays_a_link_and_the_mode_stays(own: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(own)
    own.chmod(0o640)
    answer = saved(store(link), {WORKERS: "4"})
    assert link.is_symlink()
    assert "workers = 4" in own.read_text()
    assert [os.stat(path).st_mode & 0o777 for path in (own, own.parent / answer.backup)] == [0o640, 0o640]


@pytest.mark.parametrize(
    ("key", "text", "told"),
    [
        (WORKERS, "0", "must be auto or a whole number from 1 to 256"),
        (WORKERS, "many", "must be auto or a whole number from 1 to 256"),
        (("crop", "enabled"), "maybe", "must be true or false"),
        (
            ("host", "device"),
            "gpu",
            "not understood (auto, cpu or cuda:N, or several with commas, each with a host of its own; auto = every "
            "GPU that CUDA may use, else the CPU.)",
        ),
        (("frames", "method"), "all", "must be scenes or interval or uniform or keyframes"),
        (("engine", "stall_s"), "0", "must be a number above 0"),
    ],
)
def test_a_wrong_value_is_told_as_typed_and_never_written(own: Path, key: Key, text: str, told: str) -> None:
    file = store(own)
    assert file.check(key, text) == told
    answer = file.save(read(file), {key: text})
    assert isinstance(answer, Refusal)
    assert told in answer.message
    assert own.read_text() == OWN


def test_right_values_and_none_pass_the_check(own: Path) -> None:
    file = store(own)
    for key, text in ((WORKERS, "auto"), (WORKERS, " 7 "), (("embed", "models"), "a, b"), (("state_dir",), "2024")):
        assert file.check(key, text) == ""
    assert all(file.check(key, "") == "" for key, _ in leaves())


def test_a_disk_that_refuses_is_told_and_the_file_stays(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file = store(own)
    sheet = read(file)
    monkeypatch.setattr("pipeline.outputs.atomic.flush", full)
    answer = file.save(sheet, {WORKERS: "4"})
    assert isinstance(answer, Refusal)
    assert "cannot be written: No space left on device. Nothing was saved." in answer.message
    assert [path.name for path in own.parent.iterdir()] == ["config.toml"]
    assert own.read_text() == OWN


def test_a_broken_file_is_told(own: Path) -> None:
    own.write_text("[engine\n")
    answer = store(own).read()
    assert isinstance(answer, Refusal)
    assert "not TOML" in answer.message


def test_a_run_goes_by_what_was_read_or_saved_last(own: Path) -> None:
    file = SettingsFile(Options(config=str(own)), {}, current=load(Options(config=str(own)), {}))
    assert file.settings().engine.workers == 2
    saved(file, {WORKERS: "5"})
    assert file.settings().engine.workers == 5
    own.write_text("[engine]\nworkers = 6\n")
    assert file.settings().engine.workers == 5
    read(file)
    assert file.settings().engine.workers == 6
    own.write_text("[engine\n")
    assert isinstance(file.read(), Refusal)
    assert file.settings().engine.workers == 6


def test_what_is_read_at_the_start_is_a_setting() -> None:
    assert all(locate(key).field for key in READ_AT_START)
