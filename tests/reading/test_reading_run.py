"""A run that reads text: the engine says what reads, the outputs and the console's facts have the lines."""

import os
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from pipeline.commands import StartRun
from pipeline.engine import Engine
from pipeline.engine.plan import check
from pipeline.errors import SettingsError
from pipeline.job_facts import TextFact
from pipeline.job_reader import read_job
from pipeline.model import JobState, RunKind, RunState, Stage
from pipeline.outputs.manifest import read_manifest
from pipeline.reading.engines import choose
from pipeline.settings import PipelineSettings, Settings, with_preset
from vconsole.dry_run import show

LIMIT_S = 120.0


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder with one picture that shows a text, and a file that is none."""
    folder = tmp_path / "in"
    folder.mkdir()
    picture = Image.new("RGB", (320, 120), (10, 60, 30))
    ImageDraw.Draw(picture).text((20, 40), "Hello 42 worlds", font=ImageFont.load_default(28), fill="white")
    picture.save(folder / "hello.png")
    (folder / "broken.mp4").write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(200))
    return folder


def wanted(**text: object) -> PipelineSettings:
    settings = Settings.model_validate({"engine": {"workers": 1, "settle_s": 0}})
    values = with_preset(settings, "everything").model_dump()
    values["embed"]["enabled"] = False
    values["speech"]["enabled"] = False
    values["text"] |= text
    return PipelineSettings.model_validate(values)


def test_the_lines_are_in_the_manifest_and_in_the_facts_of_the_video(inputs: Path, tmp_path: Path) -> None:
    state, out = tmp_path / "state", tmp_path / "out"
    engine = Engine(Settings.model_validate({"engine": {"workers": 1}}), state_dir=state)
    engine.start()
    try:
        command = StartRun(RunKind.EXTRACT, (os.fsencode(inputs),), os.fsencode(out), "everything", wanted())
        engine.send(command)
        deadline = time.monotonic() + LIMIT_S
        while (run := engine.latest().run) is None or run.state is not RunState.DONE:
            assert time.monotonic() < deadline, engine.latest()
            time.sleep(0.05)
        latest = engine.latest()
    finally:
        engine.close()
    assert f"Text is read by {choose(wanted().text)}." in [notice.text for notice in latest.notices]
    assert next(view.done for view in latest.stages if view.stage is Stage.TEXT) == 1
    entries = {entry["source"]: entry for entry in read_manifest(os.fsencode(out))}
    assert entries["hello.png"]["text_lines"] == 1
    assert entries["hello.png"]["seconds"]["text"] > 0
    assert (entries["broken.mp4"]["status"], "text_lines" in entries["broken.mp4"]) == ("failed", False)
    facts = next(facts for facts in (read_job(state, 1), read_job(state, 2)) if facts.state is JobState.DONE)
    assert facts.timeline is not None
    assert facts.timeline.text == (TextFact(0.0, 0.0, "Hello 42 worlds"),)


def test_a_run_whose_text_nothing_here_can_read_is_refused_before_it_begins(inputs: Path, tmp_path: Path) -> None:
    settings = wanted(engine="rapidocr", languages=("ru",))
    command = StartRun(RunKind.EXTRACT, (os.fsencode(inputs),), os.fsencode(tmp_path / "out"), "everything", settings)
    with pytest.raises(SettingsError, match="its model does not read ru"):
        check(command)


def test_a_dry_run_says_what_would_read(inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = os.fsencode(tmp_path / "out")
    command = StartRun(RunKind.EXTRACT, (os.fsencode(inputs),), out, "everything", wanted())
    assert show(command, tmp_path / "state", as_json=False) == 0
    assert f"text is read by {choose(wanted().text)}" in capsys.readouterr().out
