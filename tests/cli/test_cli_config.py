"""Where settings come from, which of them wins, and how a wrong one is told."""

import tomllib
from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.settings import Settings, with_preset
from vconsole.config import load
from vconsole.options import Entry, Options, from_arguments
from vconsole.parsers import build_parser
from vconsole.places import state_dir
from vconsole.sample import text

SAMPLE = Path(__file__).parents[2] / "sample_config.toml"


def from_file(tmp_path: Path, content: str, *overrides: str, environ: dict[str, str] | None = None) -> Settings:
    path = tmp_path / "config.toml"
    path.write_text(content)
    return load(Options(config=str(path), overrides=overrides), environ or {})


def test_each_layer_wins_over_the_one_before(tmp_path: Path) -> None:
    content = "[scenes]\nmin_scene_len = 2\n[presets.p]\ndescription = 'd'\nsettings.scenes.min_scene_len = 3\n"
    variable = {"VCONSOLE_SCENES__MIN_SCENE_LEN": "4"}
    assert load(environ={}).scenes.min_scene_len == 15
    assert from_file(tmp_path, content).scenes.min_scene_len == 2
    assert with_preset(from_file(tmp_path, content), "p").scenes.min_scene_len == 3
    assert with_preset(from_file(tmp_path, content, environ=variable), "p").scenes.min_scene_len == 4
    settings = from_file(tmp_path, content, "scenes.min_scene_len=5", environ=variable)
    assert with_preset(settings, "p").scenes.min_scene_len == 5


def test_a_preset_keeps_what_it_does_not_set(tmp_path: Path) -> None:
    chosen = with_preset(from_file(tmp_path, "[scenes]\ndetector = 'content'\n"), "quick")
    assert (chosen.scenes.detector, chosen.frames.method) == ("content", "keyframes")


def test_set_wins_over_an_option_of_its_own() -> None:
    options = Options(overrides=("engine.workers=3",), entries=(Entry(("engine", "workers"), "2", "--workers"),))
    assert load(options, {}).engine.workers == 3


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("host.batch_size=8", 8),
        ("host.device=cuda:1", "cuda:1"),
        ('host.device="cpu"', "cpu"),
        ("crop.enabled=false", False),
        ("embed.models=a, b", ("a", "b")),
        ('embed.models=["a"]', ("a",)),
        ("state_dir=2024", "2024"),
        ("console.theme=2024-01-01", "2024-01-01"),
    ],
)
def test_set_takes_toml_values_and_bare_texts(override: str, expected: object) -> None:
    value: object = load(Options(overrides=(override,)), {})
    for name in override.partition("=")[0].split("."):
        value = getattr(value, name)
    assert value == expected


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("VP_BATCH_SIZE", "host.batch_size"),
        ("VP_MAX_WORKERS", "engine.workers"),
        ("PIPELINE_MAX_PARALLEL_JOBS", "engine.workers"),
        ("VP_SCENE_THRESH", "scenes.threshold"),
        ("VP_CROP_PROBES", "crop.probes"),
        ("VP_CROP_CLIP_SECS", "crop.clip_s"),
        ("CUDA_MEMORY_FRACTION", "host.memory_fraction"),
    ],
)
def test_older_names_are_understood_and_new_ones_win(name: str, key: str) -> None:
    section, field = key.split(".")
    new = f"VCONSOLE_{section}__{field}".upper()
    assert getattr(getattr(load(environ={name: "1"}), section), field) == 1
    two = "0.5" if key == "host.memory_fraction" else "2"
    assert getattr(getattr(load(environ={name: "1", new: two}), section), field) == float(two)


def test_the_older_scene_threshold_brings_the_detector_it_belongs_to() -> None:
    """27 is a number of detector content; on the scale of the default one it would find no cut at all."""
    older = {"VP_SCENE_THRESH": "27"}

    def chosen(*overrides: str, **environ: str) -> tuple[str, float | None]:
        scenes = with_preset(load(Options(overrides=overrides), {**older, **environ}), "standard").scenes
        return scenes.detector, scenes.threshold

    assert chosen() == ("content", 27)
    assert chosen(VCONSOLE_SCENES__DETECTOR="hash", VCONSOLE_SCENES__THRESHOLD="0.4") == ("hash", 0.4)
    assert chosen(VCONSOLE_SCENES__DETECTOR="threshold") == ("threshold", 27)
    assert chosen(VCONSOLE_SCENES__THRESHOLD="3") == ("adaptive", 3)
    assert chosen("scenes.detector=adaptive", "scenes.threshold=2") == ("adaptive", 2)


def test_the_environment_reaches_models_whose_names_have_dashes() -> None:
    settings = load(environ={"VCONSOLE_MODELS__CLIP_VIT_B_32__PATH": "/w.safetensors"})
    model = settings.models["clip-vit-b-32"]
    assert (model.path, model.architecture, model.weights) == ("/w.safetensors", "ViT-B-32", "")


def test_an_empty_variable_counts_as_unset() -> None:
    assert load(environ={"VCONSOLE_HOST__BATCH_SIZE": "", "VP_BATCH_SIZE": ""}).host.batch_size == "auto"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[scenes]\nthreshhold = 3", "scenes.threshhold: no such setting; did you mean scenes.threshold?"),
        ("[scene]\nthreshold = 3", "scene.threshold: no such setting; did you mean scenes.threshold?"),
        ("batch_size = 3", "batch_size: no such setting; did you mean host.batch_size?"),
        ("scenes = 3", "scenes is a section"),
        ("[scenes.threshold]\na = 1", "scenes.threshold is a value, not a section"),
        ("[engine]\nworkers = 0", "engine.workers = 0: must be auto or a whole number from 1 to 256"),
        ("[host]\ndevice = 'gpu'", "host.device = 'gpu': not understood (auto, cpu or cuda:N"),
        ("[scenes]\nthreshold = nan", "scenes.threshold"),
        ("[engine]\nmax_attempts = 'x'", "engine.max_attempts = 'x': must be a whole number of at least 1"),
        ("[engine]\nstall_s = 0", "engine.stall_s = 0: must be a number above 0"),
        ("[frames]\nmethod = 'all'", "must be scenes or interval or uniform or keyframes"),
        ("[crop]\nenabled = 'maybe'", "crop.enabled = 'maybe': must be true or false"),
        ("[embed]\nmodels = 3", "embed.models = 3: must be a list of texts"),
        ("[models.'a/b']\narchitecture = 'x'", "not a name"),
        ("[models.mine]\npath = 'x'", "models.mine.architecture: missing"),
        ("[presets.p]\n", "presets.p.description: missing"),
        (
            "[presets.p]\ndescription = ''\n[presets.p.settings.scenes]\nthresh = 1",
            "did you mean presets.p.settings.scenes.threshold?",
        ),
        (
            "[presets.p]\ndescription = ''\n[presets.p.settings.scenes]\nthreshold = 'x'",
            "presets.p.settings.scenes.threshold = 'x': must be a number of at least 0",
        ),
        ("[engine", "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_naming_file_and_key(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        from_file(tmp_path, content)
    assert str(caught.value).startswith(f"{tmp_path}/config.toml: ")
    assert told in str(caught.value)


def test_wrong_variables_and_options_are_named_too() -> None:
    with pytest.raises(SettingsError, match=r"^VP_BATCH_SIZE: host\.batch_size = 'many'"):
        load(environ={"VP_BATCH_SIZE": "many"})
    with pytest.raises(SettingsError, match=r"^VCONSOLE_SCENES_THRESHOLD: .*did you mean scenes\.threshold\?"):
        load(environ={"VCONSOLE_SCENES_THRESHOLD": "3"})
    with pytest.raises(SettingsError, match=r"^--set: crop\.probe: no such setting; did you mean crop\.probes\?"):
        load(Options(overrides=("crop.probe=3",)), {})
    with pytest.raises(SettingsError, match=r"not of the form section\.key=value"):
        load(Options(overrides=("crop.probes",)), {})


def test_every_wrong_value_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        from_file(tmp_path, "[engine]\nnice = 40\n[crop]\nmin_share = 2\n")
    assert [line.split(" = ")[0].rsplit(" ", 1)[1] for line in str(caught.value).splitlines()] == [
        "engine.nice",
        "crop.min_share",
    ]


def test_a_named_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(Options(config=str(tmp_path / "none.toml")), {})
    with pytest.raises(SettingsError, match="cannot be read"):
        load(environ={"VCONSOLE_CONFIG": str(tmp_path / "none.toml")})


def test_a_hostile_key_cannot_reach_the_terminal(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        from_file(tmp_path, '["\\u001b]0;title\\u0007"]\nx = 1\n')
    assert str(caught.value).isprintable()


def test_options_before_and_behind_the_command_add_up_and_those_behind_win() -> None:
    line = ["--set", "crop.probes=2", "--set", "crop.clip_s=1", "runs", "--set", "crop.probes=3"]
    crop = load(from_arguments(build_parser().parse_args(line)), {}).crop
    assert (crop.probes, crop.clip_s) == (3, 1)


def test_an_unknown_preset_names_those_like_it() -> None:
    with pytest.raises(SettingsError) as caught:
        with_preset(load(environ={}), "standart")
    assert "standard" in caught.value.remedy


def test_the_state_folder_is_a_setting(tmp_path: Path) -> None:
    assert state_dir(load(environ={"VCONSOLE_STATE_DIR": str(tmp_path)})) == tmp_path
    assert state_dir(load(environ={})).name == "vconsole"


def test_the_sample_configuration_is_what_the_schema_says() -> None:
    assert SAMPLE.read_text() == text(), "run: python -m vconsole.sample > sample_config.toml"


def test_the_sample_configuration_uncommented_equals_the_defaults(tmp_path: Path) -> None:
    lines = SAMPLE.read_text().splitlines()
    content = "\n".join(line[1:] if line.startswith("#") and line[1:2].isalpha() else line for line in lines)
    named = {key: set(table) if isinstance(table, dict) else set() for key, table in tomllib.loads(content).items()}
    assert named["engine"] == set(type(Settings().engine).model_fields)
    settings = from_file(tmp_path, content)
    assert settings.model_copy(update={"presets": {}}) == Settings()
