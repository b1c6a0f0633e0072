"""Pictures and sound come out as they went in: SSIM, colours, and a flash together with its beep."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from transcode_make import Film, make, run, settings
from transcode_measure import apart_ms, bars, colours, flash_and_beep, ssim

from pipeline.model import JobState
from pipeline.transcode.words import MATRICES


def transcoded(source: Path, folder: Path, **values: object) -> Path:
    outcome = run(source, folder, settings(**values))
    assert outcome.state is JobState.DONE, outcome
    return folder / f"{source.stem}.mp4"


def test_standardize_keeps_the_picture(tmp_path: Path):
    source = make(tmp_path / "a.mkv", Film(codec="mpeg4", options={"b": "4M"}, width=640, height=360))
    mean, lowest, count = ssim(source, transcoded(source, tmp_path / "out"))
    assert mean > 0.98 and lowest > 0.97 and count == 50


@pytest.mark.parametrize("matrix", [1, 6, 5], ids=["bt709", "bt601", "bt470bg"])
@pytest.mark.parametrize("scale", [1, 2], ids=["tv", "pc"])
def test_colour_bars_keep_their_colours_whatever_the_range_and_the_matrix(tmp_path: Path, matrix: int, scale: int):
    lossless = Film(codec="ffv1", options={}, picture=bars, range=scale, matrix=matrix)
    source = make(tmp_path / "a.mkv", lossless)
    outcome = run(source, tmp_path / "out")
    told = outcome.result["facts_out"]["video"]
    assert (told["range"], told["matrix"]) == (["tv", "pc"][scale - 1], MATRICES[matrix])
    before, after = colours(source), colours(tmp_path / "out" / "a.mp4")
    assert np.abs(before.astype(int) - after).max() <= 4


def test_colour_bars_in_rgb_come_out_as_the_same_colours(tmp_path: Path):
    film = Film(codec="png", options={}, pixel_format="rgb24", picture=bars)
    source = make(tmp_path / "a.mov", film)
    after = colours(transcoded(source, tmp_path / "out"))
    assert np.abs(colours(source).astype(int) - after).max() <= 4


@pytest.mark.parametrize(
    ("name", "film", "delay_s"),
    [
        ("a.mkv", Film(frames=100), 0.0),
        ("a.mkv", Film(frames=100), 0.35),
        ("a.ts", Film(frames=120, fps=Fraction(30000, 1001), sound_codec="mp2"), 0.0),
        ("a.mov", Film(frames=100, sound_codec="pcm_s16le"), 0.0),
        ("a.mkv", Film(frames=120, fps=Fraction(30), times=lambda n: n * 33 + (n % 3) * 5), 0.1),
        ("a.mp4", Film(frames=240, fps=Fraction(60), sound_rate=44_100), 0.0),
    ],
    ids=["plain", "late sound", "ts", "pcm", "variable", "60 a second"],
)
def test_a_flash_and_its_beep_stay_together(tmp_path: Path, name: str, film: Film, delay_s: float):
    source = flash_and_beep(tmp_path / name, film, delay_s=delay_s)
    before = apart_ms(source)
    after = apart_ms(transcoded(source, tmp_path / "out", keyframe_interval_s=0.7, audio_rate_hz=48_000))
    moved = [abs(b - a) for a, b in zip(before, after, strict=True)]
    assert max(moved) <= 20, (before, after)
