"""A run that reads text: the engine says what reads, the outputs and the console's facts have the lines."""

import os
from pathlib import Path

import pytest
from own_engine import carried_out
from PIL import Image, ImageDraw, ImageFont

from pipeline.commands import StartRun
from pipeline.engine.checks import checks
from pipeline.engine.plan import check
from pipeline.errors import JobError, SettingsError
from pipeline.health import Grade
from pipeline.job_facts import TextFact
from pipeline.job_reader import read_job
from pipeline.model import JobState, RunKind, RunState, Stage
from pipeline.models.families import text
from pipeline.models.load import load
from pipeline.outputs.manifest import read_manifest
from pipeline.reading.engines import choose, easyocr_files
from pipeline.sections import HostSettings
from pipeline.settings import PipelineSettings, Settings, with_preset
from pipeline.snapshot import Snapshot
from vconsole.dry_run import show


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


def ended(inputs: Path, folder: Path, settings: PipelineSettings) -> Snapshot:
    """Carry out a run and return the snapshot at its end."""
    one = Settings.model_validate({"engine": {"workers": 1}})
    out = os.fsencode(folder / "out")
    command = StartRun(RunKind.EXTRACT, (os.fsencode(inputs),), out, "everything", settings)
    return carried_out(folder / "state", one, command, RunState.DONE, RunState.INTERRUPTED)


def test_the_lines_are_in_the_manifest_and_in_the_facts_of_the_video(inputs: Path, tmp_path: Path) -> None:
    state, out = tmp_path / "state", tmp_path / "out"
    latest = ended(inputs, tmp_path, wanted())
    assert f"Text is read by {choose(wanted().text)}." in [notice.text for notice in latest.notices]
    assert [model.key for host in latest.hosts for model in host.served] == [choose(wanted().text)]
    assert next(view.done for view in latest.stages if view.stage is Stage.TEXT) == 1
    entries = {entry["source"]: entry for entry in read_manifest(os.fsencode(out))}
    assert entries["hello.png"]["text_lines"] == 1
    assert entries["hello.png"]["seconds"]["text"] > 0
    assert (entries["broken.mp4"]["status"], "text_lines" in entries["broken.mp4"]) == ("failed", False)
    facts = next(facts for facts in (read_job(state, 1), read_job(state, 2)) if facts.state is JobState.DONE)
    assert facts.timeline is not None
    assert facts.timeline.text == (TextFact(0.0, 0.0, "Hello 42 worlds"),)


def test_where_all_is_done_already_no_engine_is_loaded(inputs: Path, tmp_path: Path) -> None:
    (inputs / "broken.mp4").unlink()
    assert ended(inputs, tmp_path, wanted()).hosts
    again = ended(inputs, tmp_path, wanted())
    assert [job.state for job in again.jobs] == [JobState.DONE]
    assert again.hosts == ()


def test_a_run_whose_text_nothing_here_can_read_is_refused_before_it_begins(inputs: Path, tmp_path: Path) -> None:
    settings = wanted(engine="rapidocr", languages=("ru",))
    command = StartRun(RunKind.EXTRACT, (os.fsencode(inputs),), os.fsencode(tmp_path / "out"), "everything", settings)
    with pytest.raises(SettingsError, match="its model does not read ru"):
        check(command)
    told = next(one for one in checks(command) if one.name == "text")
    assert told.grade is Grade.FAULT
    assert "its model does not read ru" in told.text


def test_an_engine_that_cannot_be_loaded_ends_the_run_and_fails_no_video(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In easyocr's case its weights are there and are no weights; what it says of them is told."""
    monkeypatch.setenv("EASYOCR_MODULE_PATH", str(tmp_path))
    (tmp_path / "model").mkdir()
    for name in easyocr_files(("en",)):
        (tmp_path / "model" / name).write_bytes(b"not weights")
    latest = ended(inputs, tmp_path, wanted(engine="easyocr", languages=("en",)))
    assert latest.run is not None
    assert latest.run.state is RunState.INTERRUPTED
    assert any("easyocr" in one.text and "cannot be loaded: " in one.text for one in latest.notices), latest.notices
    assert [job.state for job in latest.jobs if job.name == "hello.png"] != [JobState.FAILED]


def test_a_library_that_cannot_be_loaded_is_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*_: object) -> None:
        raise ImportError("libGL.so.1 is\nmissing")

    monkeypatch.setattr(text, "reader", missing)
    with pytest.raises(JobError, match=r"^rapidocr .*cannot be loaded: ImportError: libGL\.so\.1 is missing\. Install"):
        load(choose(wanted().text), wanted().text, HostSettings(device="cpu"), lambda _: None)


def test_a_dry_run_says_what_would_read(inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = os.fsencode(tmp_path / "out")
    command = StartRun(RunKind.EXTRACT, (os.fsencode(inputs),), out, "everything", wanted())
    assert show(command, tmp_path / "state", as_json=False) == 0
    assert f"text is read by {choose(wanted().text)}" in capsys.readouterr().out
