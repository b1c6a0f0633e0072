"""Transcode presets are measured on real videos, and what they make is read back before anybody may trust a figure."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.benchmark.plan import Kind
from pipeline.benchmark.report import Report, read_report
from pipeline.benchmark.transcodes import wrong
from pipeline.media.samples import Recipe, make_video
from vconsole.__main__ import main

FEW = ["--iterations", "3", "--warmup-iterations", "0", "--min-seconds", "0"]
TURNED = Recipe("turned.mp4", (("red", "circle"),), rotation_deg=90)


def measured(folder: Path, *typed: str) -> tuple[int, Report]:
    code = main(["benchmark", *typed, *FEW, "--output-report-prefix", str(folder / "P")])
    return code, read_report(folder / "P.json")


def test_a_preset_is_measured_checked_and_laid_over_decoding(tmp_path: Path) -> None:
    make_video(tmp_path, TURNED)
    typed = ["--presets", "proxy-480p", "--inputs", str(tmp_path / "turned.mp4"), "--sweep", "workers=1,2"]
    code, report = measured(tmp_path, *typed)
    one, two = (result for result in report.results if result.kind == Kind.TRANSCODE)
    assert code == 0
    assert (one.name, one.items, two.items) == ("transcode proxy-480p video h264 workers=1", 1, 2)
    assert {"probe", "transcode", "verify"} <= set(one.stages)
    assert one.rates.video_s_per_s > 0
    assert one.rates.mb_per_s > 0
    assert one.floor is not None
    assert one.floor.name == "decode h264 video"
    assert "1 video encoded by libx264" in one.notes[0]
    assert one.notes[0] in (tmp_path / "P.md").read_text()
    assert not one.output.problem
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".vconsole")]


def test_what_is_only_copied_stands_on_demuxing(tmp_path: Path) -> None:
    make_video(tmp_path, TURNED)
    _, report = measured(tmp_path, "--presets", "remux", "--inputs", str(tmp_path / "turned.mp4"))
    result = report.results[-1]
    assert "copied without encoding" in result.notes[0]
    assert result.floor is not None
    assert result.floor.name == "demux h264 video"


def test_without_inputs_a_video_is_made_up_in_which_there_is_something_to_do(tmp_path: Path) -> None:
    code, report = measured(tmp_path, "--presets", "standardize")
    assert code == 0
    assert "encoded by libx264" in report.results[-1].notes[0]


def test_a_video_that_is_as_it_should_be_is_not_measured(tmp_path: Path) -> None:
    make_video(tmp_path, Recipe("a.mkv", (("red", "circle"),)))
    code, report = measured(tmp_path, "--presets", "remux", "--inputs", str(tmp_path / "a.mkv"))
    assert code == 1
    assert "It is already as the settings ask for." in report.missing[0].message


def test_settings_that_contradict_each_other_are_bad_usage() -> None:
    assert main(["benchmark", "--presets", "standardize", "--set", "transcode.output_format=webm"]) == 2


@pytest.mark.parametrize(
    ("family", "source", "told"),
    [
        ("h264", {}, ""),
        ("", {}, ""),
        ("hevc", {}, "it is h264, not hevc"),
        ("h264", {"duration_s": 9.0}, "its source 9.00 s"),
    ],
)
def test_an_output_of_another_codec_or_length_is_wrong(
    tmp_path: Path, family: str, source: dict[str, Any], told: str
) -> None:
    make_video(tmp_path, TURNED)
    result = {"video_codec": "h264", "duration_s": 1.6, "lost_s": 0.0} | source
    problem = wrong(bytes(tmp_path / "turned.mp4"), result, family)
    assert problem.endswith(told) if told else not problem


def test_an_output_that_does_not_decode_is_wrong(tmp_path: Path) -> None:
    make_video(tmp_path, TURNED)
    path = tmp_path / "turned.mp4"
    path.write_bytes(path.read_bytes()[:2000])
    assert wrong(bytes(path), {"video_codec": "h264", "duration_s": 1.6, "lost_s": 0.0}, "h264")
