"""`vconsole benchmark` from the command line to its reports and exit codes, with real models and videos."""

import json
import os
from pathlib import Path

import pytest
from report_make import report, result

from pipeline.benchmark import runner
from pipeline.benchmark.order import Order
from pipeline.benchmark.plan import Kind, Subject
from pipeline.benchmark.report import Method, Reason, Report, read_report
from pipeline.media.samples import Recipe, make_in, make_video
from pipeline.media.shapes import ALL, Look, draw
from pipeline.settings import PipelineSettings
from vconsole.__main__ import main

QUICK = ["--warmup-iterations", "1", "--iterations", "5", "--min-seconds", "0"]


def order(scratch: Path, subject: Subject, **method: float) -> Order:
    return Order((subject,), Method.model_validate(method), PipelineSettings(), str(scratch))


def save(path: Path, made: Report) -> str:
    path.write_text(made.model_dump_json())
    return str(path)


def test_an_extractor_is_measured_with_its_floors_checked_and_reported(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(draw(ALL[0], Look(background=(200, 200, 200)))).save(tmp_path / "a.png")
    prefix = tmp_path / "out" / "P"
    known = save(tmp_path / "old.json", report(result("extractor tiny-shapes image", [1e-9] * 9)))
    typed = ["benchmark", "--extractors", "tiny-shapes", "--inputs", str(tmp_path / "a.png"), *QUICK]
    code = main([*typed, "--output-report-prefix", str(prefix), "--baseline", known, "--fail-on-regression", "20"])
    made = read_report(prefix.with_suffix(".json"))
    assert [one.name for one in made.results] == [
        "write storage file", "read storage file", "forward tiny-shapes image", "extractor tiny-shapes image",
    ]  # fmt: skip
    extractor = made.results[-1]
    assert code == (3 if extractor.valid else 0)  # other tests may keep the machine busy
    assert extractor.statistics.count == len(extractor.times_s) >= 5
    assert len(extractor.paces_s) == len(extractor.times_s)
    assert min(extractor.paces_s) > 0
    assert extractor.output.reference == "packaged with the program"
    assert extractor.output.similarity == pytest.approx(1, abs=1e-3)
    assert extractor.floor is not None
    assert all(one.reasons or one.verdict == "VALID" for one in made.results)
    assert made.comparison is not None
    assert sorted(path.name for path in prefix.parent.iterdir()) == ["P.csv", "P.html", "P.json", "P.md"]


def test_a_preset_tells_its_stages_and_stands_on_decoding(tmp_path: Path) -> None:
    make_video(tmp_path, Recipe("a.mp4", (("red", "circle"),)))
    typed = ["benchmark", "--presets", "scenes", *QUICK, "--sweep", "workers=1,2"]
    assert main([*typed, "--inputs", str(tmp_path / "a.mp4"), "--output-report-prefix", str(tmp_path / "P")]) == 0
    made = read_report(tmp_path / "P.json")
    one, two = (result for result in made.results if result.kind == Kind.PRESET)
    assert {"probe", "scenes", "write"} <= set(one.stages)
    assert (one.items, two.items) == (1, 2)
    assert one.rates.video_s_per_s > 0
    assert one.floor is not None
    assert one.floor.name == "decode h264 video"


def test_each_result_stands_on_the_floor_of_its_own_codec(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    for codec in ("h264", "mpeg4"):
        make_in(videos, codec)
    typed = ["benchmark", "--extractors", "perceptual", *QUICK, "--inputs", str(videos)]
    assert main([*typed, "--output-report-prefix", str(tmp_path / "P")]) == 0
    made = {one.name: one for one in read_report(tmp_path / "P.json").results}
    for codec in ("h264", "mpeg4"):
        extractor, decode = made[f"extractor perceptual video {codec}"], made[f"decode {codec} video"]
        assert extractor.codec == codec
        assert extractor.floor is not None
        assert extractor.floor.name == decode.name
        assert extractor.floor.share == pytest.approx(extractor.rates.video_s_per_s / decode.rates.video_s_per_s)
        assert decode.floor is not None
        assert decode.floor.name == f"demux {codec} video"
        assert f"of decode {codec} video" in (tmp_path / "P.md").read_text()


def test_the_floors_of_this_machine_are_measured_by_themselves(tmp_path: Path) -> None:
    few = ["--iterations", "2", "--warmup-iterations", "0", "--min-seconds", "0"]
    assert main(["benchmark", "--floors", *few, "--output-report-prefix", str(tmp_path / "P")]) == 0
    made = {one.name: one for one in read_report(tmp_path / "P.json").results}
    codecs = ("h264", "hevc", "av1", "vp9", "mpeg4", "prores")
    of_videos = {f"{what} {codec} video" for what in ("demux", "decode") for codec in codecs}
    assert {"write storage file", "read storage file", *of_videos} <= set(made)
    assert {made[f"decode {codec} video"].items for codec in codecs} == {160}


def test_a_stage_is_measured_by_its_own_clock(tmp_path: Path) -> None:
    make_video(tmp_path, Recipe("a.mp4", (("red", "circle"), ("blue", "square"))))
    typed = ["benchmark", "--stages", "probe", "scenes", "dedupe", *QUICK, "--inputs", str(tmp_path / "a.mp4")]
    assert main([*typed, "--output-report-prefix", str(tmp_path / "P")]) == 0
    made = {one.target: one for one in read_report(tmp_path / "P.json").results if one.kind == Kind.STAGE}
    assert list(made) == ["probe", "scenes", "dedupe"]
    assert made["dedupe"].statistics.p50 < made["scenes"].statistics.p50
    assert made["scenes"].rates.video_s_per_s > 0
    assert made["scenes"].floor is not None
    assert made["probe"].floor is None


def test_what_cannot_be_measured_is_said(tmp_path: Path) -> None:
    (tmp_path / "b.mp4").write_bytes(b"no video")
    subject = Subject(Kind.DECODE, "videos", "video", (str(tmp_path / "b.mp4"),))
    made = runner.run(order(tmp_path, subject), lambda _: None)
    assert made.results == ()
    assert "InvalidData" in made.missing[0].message


def test_a_child_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "never.mp4")
    monkeypatch.setattr(runner, "LOAD_S", 3.0 - PipelineSettings().host.load_timeout_s)
    subject = Subject(Kind.DECODE, "videos", "video", (str(tmp_path / "never.mp4"),))
    made = runner.run(order(tmp_path, subject, max_seconds=0.1), lambda _: None)
    assert made.results == ()
    assert "after 3 s and was ended" in made.missing[0].message
    assert "shorter videos" in made.missing[0].remedy


@pytest.mark.parametrize(("slower", "code"), [(1.0, 0), (1.25, 3)], ids=["the same", "a quarter slower"])
def test_reports_are_compared_without_measuring(
    tmp_path: Path, slower: float, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    old = save(tmp_path / "a.json", report(result(times_s=[0.1, 0.101, 0.102] * 5)))
    new = save(tmp_path / "b.json", report(result(times_s=[0.1 * slower, 0.101 * slower, 0.102 * slower] * 5)))
    assert main(["benchmark", "--compare", old, new, "--fail-on-regression", "10"]) == code
    said = capsys.readouterr().out
    assert "extractor toy image" in said
    assert ("regression" in said) == (code == 3)


def test_what_is_invalid_is_no_regression_and_passes_no_gate_unsaid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doubt = Reason(code="other_load", text="others were busy", recommendation="Stop them.")
    old = save(tmp_path / "a.json", report(result(times_s=[0.1, 0.101, 0.102] * 5)))
    new = save(tmp_path / "b.json", report(result(times_s=[0.2, 0.201, 0.202] * 5, reasons=(doubt,))))
    assert main(["benchmark", "--compare", old, new, "--fail-on-regression", "10"]) == 0
    assert "not judged    extractor toy image: +100.0 %" in capsys.readouterr().out


@pytest.mark.parametrize(
    "typed",
    [
        [],
        ["--extractors", "nothing"],
        ["--presets", "nothing"],
        ["--stages", "nothing"],
        ["--stages", "embed"],
        ["--stages", "speech"],
        ["--presets", "scenes", "--inputs", "/nowhere"],
        ["--extractors", "tiny-shapes", "--iterations", "0"],
        ["--extractors", "tiny-shapes", "--sweep", "colour=red"],
        ["--extractors", "tiny-shapes", "--baseline", "/nowhere.json"],
        ["--extractors", "tiny-shapes", "--fail-on-regression", "5"],
        ["--compare", "/nowhere.json"],
    ],
)
def test_bad_usage_is_refused_before_anything_is_measured(typed: list[str]) -> None:
    assert main(["benchmark", *typed]) == 2


def test_the_schema_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--schema"]) == 0
    assert "results" in json.loads(capsys.readouterr().out)["properties"]
