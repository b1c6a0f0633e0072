"""What `vconsole transcode` makes of its options, and of presets, a user's own ones too."""

import os
from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.model import RunKind
from pipeline.settings import PRESETS, Settings, presets_of, with_preset
from vconsole.cli import run
from vconsole.config import load
from vconsole.options import from_arguments
from vconsole.parsers import build_parser
from vconsole.transcode import start_run

OWN = """
[presets.mine]
description = "Small AV1 files."
kind = "transcode"
settings.transcode = { output_format = "mkv", video_codec = "libsvtav1", audio_codec = "libopus", speed = "8" }
[presets.dense]
description = "More frames."
settings.frames = { method = "interval" }
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(OWN)
    return path


def made(*options: str, config: Path | None = None) -> Settings:
    """Return the settings of the command that these options start."""
    before = ["--config", str(config)] if config else []
    args = build_parser().parse_args([*before, "transcode", "/videos", "--out", "/out", *options])
    command = start_run(args, load(from_arguments(args), {}))
    assert (command.kind, command.inputs, command.out) == (RunKind.TRANSCODE, (b"/videos",), b"/out")
    return command.settings


def test_every_option_sets_what_it_is_called_after() -> None:
    found = made(
        *(
            "--output-format",
            "mkv",
            "--video-codec",
            "libx265",
            "--audio-codec",
            "libopus",
            "--crf",
            "22",
            "--cq",
            "30",
        ),
        *("--speed", "fast", "--tune", "grain", "--crop", "auto", "--resolution", "1280x720", "--upscale"),
        *("--fps", "30", "--audio-channels", "1", "--audio-stream", "2", "--keyframe-interval-s", "4"),
        *("--hwaccel", "none", "--salvage", "--report-file", "r.csv", "--workers", "3"),
    )
    wanted = found.transcode
    assert (wanted.output_format, wanted.video_codec, wanted.audio_codec) == ("mkv", "libx265", "libopus")
    assert (wanted.crf, wanted.cq, wanted.speed, wanted.tune, wanted.crop) == (22, 30, "fast", "grain", "auto")
    assert (wanted.resolution, wanted.upscale, wanted.fps, wanted.audio_channels) == ("1280x720", True, 30.0, 1)
    assert (wanted.audio_stream, wanted.keyframe_interval_s, wanted.hwaccel) == ("2", 4.0, "none")
    assert (wanted.salvage, wanted.report_file, found.engine.workers) == (True, os.path.abspath("r.csv"), 3)


def test_an_option_wins_over_the_preset_and_the_rest_of_the_preset_stays() -> None:
    found = made("--preset", "proxy-480p", "--crf", "30").transcode
    assert (found.crf, found.resolution, found.speed) == (30, "854x480", "veryfast")
    assert made("--preset", "archive", "--output-format", "webm").transcode.video_codec == "libsvtav1"


def test_a_preset_of_ones_own_says_its_kind_and_is_offered_to_no_other(config: Path) -> None:
    assert made("--preset", "mine", config=config).transcode.speed == "8"
    with pytest.raises(SettingsError, match="'dense' is one of extract runs"):
        made("--preset", "dense", config=config)
    with pytest.raises(SettingsError, match="'scenes' is one of extract runs"):
        made("--preset", "scenes")
    with pytest.raises(SettingsError, match="'remux' is one of transcode runs"):
        with_preset(Settings(), "remux", RunKind.EXTRACT)


def test_the_help_names_every_preset(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["transcode", "--help"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in presets_of(PRESETS, RunKind.TRANSCODE))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["transcode", "."], "no output folder was given"),
        (["transcode", ".", "--out", "."], "lies in the output folder"),
        (["transcode", ".", "--out", "../x", "--crf", "99"], "transcode.crf"),
        (["transcode", ".", "--out", "../x", "--output-format", "webm"], "webm holds no h264"),
        (["transcode", "nowhere", "--out", "../x"], "does not exist"),
        (["transcode", "nowhere", "--check"], "does not exist"),
    ],
)
def test_what_cannot_be_is_refused_with_exit_code_2(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    assert run(arguments) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
