"""Speech in a whole run: the manifest, the screen's facts, subtitles, and a model that cannot be loaded."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from own_engine import carried_out
from sound_make import make_video, silence

from pipeline.commands import StartRun
from pipeline.job_reader import read_job
from pipeline.model import JobState, RunKind, RunState, Stage
from pipeline.outputs.format import table
from pipeline.outputs.manifest import read_manifest
from pipeline.outputs.subtitles import srt, vtt
from pipeline.sections import ModelSettings
from pipeline.settings import PipelineSettings, Settings, with_preset
from vconsole.cli import run as vconsole

ONE_WORKER = Settings.model_validate({"engine": {"workers": 1}})


def wanted(model: ModelSettings) -> PipelineSettings:
    settings = Settings.model_validate(
        {
            "engine": {"workers": 1, "settle_s": 0},
            "host": {"device": "cpu", "threads": 1},
            "models": {"mine": model.model_dump()},
        }
    )
    values = with_preset(settings, "everything").model_dump()
    values["embed"]["enabled"] = values["text"]["enabled"] = False
    values["speech"]["model"] = "mine"
    return PipelineSettings.model_validate(values)


def test_what_is_said_is_in_the_manifest_the_facts_and_the_subtitles(
    tmp_path: Path, mine: ModelSettings, said: tuple[np.ndarray, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    inputs, state, out, to = (tmp_path / name for name in ("in", "state", "out", "subtitles"))
    (inputs / "deep").mkdir(parents=True)
    make_video(inputs / "deep" / "talk.mp4", [np.concatenate([silence(3), said[0], silence(3)])])
    make_video(inputs / "mute.mp4", [])
    command = StartRun(RunKind.EXTRACT, (os.fsencode(inputs),), os.fsencode(out), "everything", wanted(mine))
    latest = carried_out(state, ONE_WORKER, command)
    assert next(view.done for view in latest.stages if view.stage is Stage.SPEECH) == 2
    entries = {entry["source"]: entry for entry in read_manifest(os.fsencode(out))}
    assert entries["mute.mp4"]["speech_segments"] == 0
    assert (count := entries["deep/talk.mp4"]["speech_segments"]) > 0
    facts = next(facts for facts in (read_job(state, 1), read_job(state, 2)) if facts.name == "deep/talk.mp4")
    assert facts.state is JobState.DONE
    assert facts.timeline is not None
    assert facts.timeline.speech is not None
    assert len(facts.timeline.speech) == count
    assert facts.timeline.language
    assert vconsole(["export", str(out), "--to", str(to), "--format", "srt", "vtt", "--json"]) == 0
    *written, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert [one["path"] for one in written] == [str(to / "deep" / f"talk.mp4.{kind}") for kind in ("srt", "vtt")]
    assert (summary["written"], summary["without_speech"], summary["bad"]) == (2, 1, 0)
    assert (to / "deep" / "talk.mp4.srt").read_text().startswith("1\n00:00:0")
    (out / "features" / "mute.mp4.h5").write_bytes(b"damaged")
    assert vconsole(["export", str(out), "--to", str(to)]) == 1


def test_a_model_that_cannot_be_loaded_ends_the_run_and_fails_no_video(
    tmp_path: Path, said: tuple[np.ndarray, np.ndarray]
) -> None:
    import torch

    inputs, path = tmp_path / "in", tmp_path / "foreign.pt"
    inputs.mkdir()
    for number in range(3):
        make_video(inputs / f"{number}.mp4", [np.concatenate([silence(number + 1), said[0]])])
    torch.save({"weights": torch.zeros(3)}, path)
    model = ModelSettings(family="whisper", architecture="mine", path=str(path))
    command = StartRun(
        RunKind.EXTRACT, (os.fsencode(inputs),), os.fsencode(tmp_path / "out"), "everything", wanted(model)
    )
    latest = carried_out(tmp_path / "state", ONE_WORKER, command, RunState.INTERRUPTED, RunState.DONE)
    assert latest.run is not None
    assert latest.run.state is RunState.INTERRUPTED
    assert any("foreign.pt" in notice.text for notice in latest.notices), latest.notices
    assert all(job.state is not JobState.FAILED for job in latest.jobs)


SEGMENTS = table(
    "speech",
    {
        "start_s": [0.5, 3661.0], "end_s": [2.0, 3661.0], "text": ["Tom & <Jerry> --> run", "和平"],
        "confidence": [0.9, 0.8], "no_speech_prob": [0.1, 0.1],
    },
)  # fmt: skip


def test_subtitles_are_written_as_players_read_them() -> None:
    assert srt(SEGMENTS) == (
        "1\n00:00:00,500 --> 00:00:02,000\nTom & <Jerry> --> run\n\n2\n01:01:01,000 --> 01:01:01,001\n和平\n"
    )
    assert vtt(SEGMENTS) == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:02.000\nTom &amp; &lt;Jerry&gt; --&gt; run\n\n"
        "01:01:01.000 --> 01:01:01.001\n和平\n"
    )


def test_ffmpeg_reads_the_subtitles(tmp_path: Path) -> None:
    import av

    for kind, text in (("srt", srt(SEGMENTS)), ("vtt", vtt(SEGMENTS))):
        path = tmp_path / f"one.{kind}"
        path.write_text(text)
        with av.open(str(path)) as container:
            stream = container.streams.subtitles[0]
            packets = [packet for packet in container.demux(stream) if packet.size]
        assert [float(packet.pts * packet.time_base) for packet in packets] == [0.5, 3661.0]
