"""HDR beside the colours: read, told to encoders that can write it, and said to be dropped where it is."""

import struct
from dataclasses import replace
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from test_transcode_plans import FACTS, VIDEO
from transcode_make import Film, make, run, settings

from pipeline.transcode.facts import NO_HDR, HdrFacts
from pipeline.transcode.hdr import encoder_words, hdr_facts
from pipeline.transcode.picture import plan_picture
from pipeline.transcode.problems import problems_of
from pipeline.transcode.recipe import recipe

MASTERING = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329, 0.0001, 1000.0)
TOLD = HdrFacts(MASTERING, (1000, 400), ("Dolby Vision",))
HDR10 = replace(
    VIDEO,
    pixel_format="yuv420p10le",
    bit_depth=10,
    matrix="bt2020nc",
    primaries="bt2020",
    transfer="smpte2084",
    hdr_told=TOLD,
)
FILM = replace(FACTS, video=HDR10)
X265 = settings(video_codec="libx265", pixel_format="", crf=30)


class Said:
    """Side data of a frame."""

    def __init__(self, name: str, data: bytes) -> None:
        self.type = Enum("Type", {name: 1})[name]
        self._data = data

    def __bytes__(self) -> bytes:
        return self._data


def test_what_a_frame_tells_is_read():
    numbers = [part for value in MASTERING for part in Fraction(value).limit_denominator(10_000).as_integer_ratio()]
    data = [
        Said("MASTERING_DISPLAY_METADATA", struct.pack("=20i2i", *numbers, 1, 1)),
        Said("CONTENT_LIGHT_LEVEL", struct.pack("=2I", 1000, 400)),
        Said("DOVI_METADATA", b""),
        Said("DOVI_RPU_BUFFER", b""),
        Said("A53_CC", b"x"),
    ]
    found = hdr_facts(data)
    assert found.mastering == pytest.approx(MASTERING) and (found.light, found.dynamic) == (TOLD.light, TOLD.dynamic)


@pytest.mark.parametrize(
    "data", [b"", b"short", struct.pack("=20i2i", *[0] * 20, 1, 1), struct.pack("=22i", *[1] * 22)]
)
def test_what_says_nothing_of_a_display_is_none(data: bytes):
    whole = data == struct.pack("=22i", *[1] * 22)
    assert bool(hdr_facts([Said("MASTERING_DISPLAY_METADATA", data)]).mastering) == whole


def test_encoders_are_told_in_their_own_words():
    assert encoder_words("libx265", TOLD) == [
        "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)",
        "max-cll=1000,400",
    ]
    assert encoder_words("libsvtav1", TOLD)[1] == "content-light=1000,400"
    assert encoder_words("libx264", TOLD) == [] == encoder_words("libx265", NO_HDR)


@pytest.mark.parametrize(
    ("wanted", "dropped"),
    [
        (X265, ["the Dolby Vision metadata"]),
        (settings("archive"), ["the Dolby Vision metadata"]),
        (settings(), ["the Dolby Vision metadata"]),
        (
            settings("edit"),
            [
                "the Dolby Vision metadata",
                "the HDR10 metadata (mastering display, brightness), which prores_ks is not told",
            ],
        ),
        (settings("remux"), []),
    ],
    ids=["x265", "archive", "standardize", "edit", "remux"],
)
def test_what_is_dropped_is_said(wanted: Any, dropped: list[str]):
    assert list(recipe(FILM, wanted).dropped) == dropped


def test_colours_that_only_dolby_vision_explains_are_a_problem():
    odd = replace(
        FILM, video=replace(HDR10, transfer="", primaries="", matrix="", hdr_told=HdrFacts((), (), TOLD.dynamic))
    )
    assert "dolby_vision" in {problem.code for problem in problems_of(odd, X265)}
    assert "dolby_vision" not in {problem.code for problem in problems_of(FILM, X265)}


@pytest.mark.parametrize("encoder", ["libx265", "libsvtav1"])
def test_a_mastering_display_survives_being_encoded_twice(tmp_path: Path, encoder: str):
    words = ":".join(["log-level=none", *encoder_words("libx265", TOLD)])
    film = Film(
        frames=5,
        codec="libx265",
        options={"preset": "ultrafast", "x265-params": words},
        pixel_format="yuv420p10le",
        matrix=9,
        primaries=9,
        transfer=16,
    )
    source = make(tmp_path / "a.mkv", film)
    speed = {"libx265": "ultrafast", "libsvtav1": "12"}[encoder]
    wanted = settings(video_codec=encoder, pixel_format="", crf=30, speed=speed, resolution="160x90")
    result = run(source, tmp_path / "out", wanted).result
    for facts in (result["facts_in"], result["facts_out"]):
        told = facts["video"]["hdr_told"]
        assert told["mastering"] == pytest.approx(MASTERING, abs=1e-3) and tuple(told["light"]) == TOLD.light
    assert not result["dropped"]


def test_a_full_range_without_a_matrix_can_be_made_narrow():
    untold = replace(VIDEO, matrix="", range="pc")
    chain = plan_picture(untold, settings("edit"), None).chain
    assert not any("auto" in arguments for name, arguments in chain if name == "scale")
