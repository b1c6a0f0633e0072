"""Chunks of a long video put together say what the video says in one piece, and only the whole is listened to."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sound_make import make_video, silence

from pipeline.extract import extract
from pipeline.extract_job import Division, ExtractJob, RunContext
from pipeline.identity import content_id, identity_of, open_regular
from pipeline.model import JobState, Stage
from pipeline.models.registry import fingerprint
from pipeline.models.standalone import StandaloneHost
from pipeline.outputs.features import read_features
from pipeline.outputs.format import Speech
from pipeline.outputs.paths import features_path
from pipeline.sections import ModelSettings
from pipeline.settings import PipelineSettings


class Stages:
    """Hears which stages are over."""

    def __init__(self) -> None:
        self.passed_: list[Stage] = []

    def progress(self, stage: Stage, share: float, **_: object) -> None:
        """Nothing."""

    def passed(self, stage: Stage, seconds: float, items: int, *, reused: bool = False) -> None:
        self.passed_.append(stage)


def test_chunks_put_together_say_what_the_whole_says(
    said: tuple[NDArray[np.int16], NDArray[np.int16]], tmp_path: Path, host: StandaloneHost, mine: ModelSettings
) -> None:
    video = make_video(tmp_path / "talk.mp4", [np.concatenate([silence(2), said[0], silence(5), said[1]])])
    descriptor = open_regular(os.fsencode(video))
    identity, content = identity_of(os.fstat(descriptor)), content_id(descriptor)
    os.close(descriptor)
    sections = {"engine": {"chunk_s": 6.0}, "embed": {"enabled": False}, "speech": {"enabled": True, "model": "mine"}}
    settings = PipelineSettings.model_validate(sections)

    def spoken(out: Path, *, chunks: bool) -> Speech:
        run = RunContext(settings, os.fsencode(out), {"mine": fingerprint("mine", mine)}, [host.socket_path])
        job = ExtractJob(os.fsencode(video), b"talk.mp4", identity, content, 1, "", force=False)
        if chunks:
            asked = extract(replace(job, may_divide=True), run, Stages())
            division = Division(**asked.result["division"])
            assert len(division.cuts) >= 2
            for number in range(len(division.cuts) + 1):
                heard = Stages()
                part = replace(job, division=replace(division, chunk=number))
                assert extract(part, run, heard).state is JobState.DONE
                assert Stage.SPEECH not in heard.passed_
            job = replace(job, division=division)
        heard = Stages()
        outcome = extract(job, run, heard)
        assert outcome.state is JobState.DONE, outcome.failure
        assert Stage.SPEECH in heard.passed_
        speech = read_features(features_path(os.fsencode(out), b"talk.mp4")).speech
        assert speech is not None
        return speech

    whole, joined = spoken(tmp_path / "whole", chunks=False), spoken(tmp_path / "joined", chunks=True)
    assert len(whole.segments["text"]) > 1
    assert joined.language == whole.language
    for name, column in whole.segments.items():
        assert np.array_equal(column, joined.segments[name]), name
