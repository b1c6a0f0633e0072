"""Chunks of a video, done one by one and put together, give the file, the text and the pictures of one piece."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from fake_host import FakeHost
from PIL import Image, ImageDraw, ImageFont

from pipeline.extract import extract
from pipeline.extract_job import Division, ExtractJob, RunContext
from pipeline.identity import content_id, identity_of, open_regular
from pipeline.model import JobState, Stage
from pipeline.outcome import Outcome
from pipeline.outputs.chunks import chunk_path, pictures_folder
from pipeline.outputs.features import read_features
from pipeline.outputs.paths import chunks_folder, features_path
from pipeline.reading.engines import choose
from pipeline.settings import PipelineSettings
from pipeline.stage_sections import TextSettings
from pipeline.stages.keys import TEXT_ENGINE

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "torture"))
from compare import differences

NAME = b"captioned.mp4"
RATE, SECONDS = 25, 9
CAPTIONS = ((0.0, 2.2, "The quick brown fox"), (2.6, 6.4, "jumps over the lazy dog"), (6.4, 9.0, "and sleeps all day"))
SECTIONS: dict[str, Any] = {
    "engine": {"chunk_s": 2.0},
    "embed": {"models": ["one", "two"], "augment": True},
    "frames": {"save": "jpeg", "candidates_per_s": 4},
}
TEXT = {"text": {"enabled": True, "interval_s": 0.4, "longest_px": 320}}
PRINTS = {TEXT_ENGINE: choose(TextSettings()), "one": "f1", "two": "f2"}


class Silent:
    """Hears how a job gets on and says nothing."""

    def progress(self, stage: Stage, share: float, **_: object) -> None:
        """Nothing."""

    def passed(self, stage: Stage, seconds: float, items: int, *, reused: bool = False) -> None:
        """Nothing."""


class Desk:
    """Does jobs of one video into one output folder, without a worker program."""

    def __init__(self, video: Path, out: Path, host: FakeHost, sections: dict[str, Any]) -> None:
        descriptor = open_regular(os.fsencode(video))
        identity, content = identity_of(os.fstat(descriptor)), content_id(descriptor)
        os.close(descriptor)
        self.out, self.host = out, host
        settings = PipelineSettings.model_validate(sections)
        self._run = RunContext(settings, os.fsencode(out), PRINTS, [str(host.path)])
        self._job = ExtractJob(os.fsencode(video), NAME, identity, content, 1, "", force=False)

    def do(self, **changes: Any) -> Outcome:
        return extract(replace(self._job, **changes), self._run, Silent())

    def divided(self) -> Division:
        outcome = self.do(may_divide=True)
        assert outcome.state is JobState.QUEUED, outcome.failure
        return Division(**outcome.result["division"])

    @property
    def output(self) -> bytes:
        return features_path(os.fsencode(self.out), NAME)


@pytest.fixture(scope="module")
def captioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine seconds in five shots with captions that cross the borders of chunks."""
    path = tmp_path_factory.mktemp("captioned") / "captioned.mp4"
    font = ImageFont.load_default(20)
    grounds = ((20, 60, 90), (90, 40, 20), (30, 80, 30), (80, 20, 80), (50, 50, 50))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"g": "20", "bf": "2", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(RATE * SECONDS):
            picture = Image.new("RGB", (320, 180), grounds[5 * number // (RATE * SECONDS)])
            draw = ImageDraw.Draw(picture)
            draw.ellipse((number % 200, 30, 60 + number % 200, 90), fill=(200, 180, 40))
            for start_s, end_s, text in CAPTIONS:
                if start_s <= number / RATE < end_s:
                    draw.text((20, 140), text, font=font, fill="white")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FakeHost]:
    host = FakeHost(tmp_path / "host.sock")
    yield host
    host.close()


@pytest.fixture
def whole(captioned: Path, tmp_path: Path, host: FakeHost) -> Path:
    """The output folder of the video done in one piece."""
    desk = Desk(captioned, tmp_path / "whole", host, SECTIONS)
    assert desk.do().state is JobState.DONE
    return desk.out


@pytest.fixture
def desk(captioned: Path, tmp_path: Path, host: FakeHost) -> Desk:
    return Desk(captioned, tmp_path / "out", host, SECTIONS)


def check_same(whole: Path, desk: Desk) -> None:
    """See that features and pictures are those of the video done in one piece, and that no chunk is left."""
    assert differences(whole / "features", desk.out / "features") == []
    pictures = [{path.name: path.read_bytes() for path in out.rglob("*.jpg")} for out in (whole, desk.out)]
    assert pictures[0] == pictures[1]
    assert pictures[0]
    assert not os.path.exists(chunks_folder(desk.output))


def test_chunks_in_any_order_give_the_vectors_text_and_pictures_of_one_piece(
    captioned: Path, tmp_path: Path, host: FakeHost
) -> None:
    whole, desk = (Desk(captioned, tmp_path / name, host, SECTIONS | TEXT) for name in ("one-piece", "chunks"))
    assert whole.do().state is JobState.DONE
    division = desk.divided()
    assert len(division.cuts) > 2
    for number in reversed(range(len(division.cuts) + 1)):
        assert desk.do(division=replace(division, chunk=number)).state is JobState.DONE
    before = desk.host.pictures.total()
    assert desk.do(division=division).state is JobState.DONE
    assert desk.host.pictures.total() - before <= 2 * len(division.cuts), "what chunks embedded is not embedded again"
    check_same(whole.out, desk)
    found = read_features(desk.output)
    assert found.text
    assert {caption for *_, caption in CAPTIONS} <= set(found.text.lines["text"].tolist())


@pytest.mark.parametrize("text", [{"max_pieces": 2}, {"max_pieces": 7, "unchanged": False}], ids=["few", "every one"])
def test_the_bound_of_text_cuts_chunks_put_together_where_it_cuts_one_piece(
    captioned: Path, tmp_path: Path, host: FakeHost, text: dict[str, Any]
) -> None:
    sections = SECTIONS | {"embed": {"enabled": False}, "text": TEXT["text"] | text}
    whole, desk = (Desk(captioned, tmp_path / name, host, sections) for name in ("one-piece", "chunks"))
    assert whole.do().state is JobState.DONE
    division = desk.divided()
    for number in range(len(division.cuts) + 1):
        assert desk.do(division=replace(division, chunk=number)).state is JobState.DONE
    done = desk.do(division=division)
    check_same(whole.out, desk)
    one, other = (read_features(out.output).text for out in (whole, desk))
    assert one is not None
    assert other is not None
    assert one.until_s == other.until_s == done.result["text_until_s"] is not None
    assert len(other.pieces["text"]) >= text["max_pieces"]


def empty(desk: Desk, number: int) -> None:
    os.unlink(chunk_path(desk.output, number))


def without_pictures(desk: Desk, number: int) -> None:
    shutil.rmtree(pictures_folder(chunk_path(desk.output, number)))


def of_another_making(desk: Desk, number: int) -> None:
    path = chunk_path(desk.output, number)
    shutil.copy(chunk_path(desk.output, number + 1), path)


@pytest.mark.parametrize("loss", [empty, without_pictures, of_another_making])
def test_what_is_not_there_of_a_chunk_is_made_when_all_are_put_together(
    desk: Desk, whole: Path, loss: Callable[[Desk, int], None]
) -> None:
    division = desk.divided()
    for number in range(len(division.cuts) + 1):
        desk.do(division=replace(division, chunk=number))
    loss(desk, 1)
    assert desk.do(division=division).state is JobState.DONE
    check_same(whole, desk)


def test_the_result_names_all_devices_that_made_the_vectors_of_its_chunks(desk: Desk) -> None:
    division = desk.divided()
    for number in range(len(division.cuts) + 1):
        desk.host.device = f"cuda:{number % 2}"
        desk.do(division=replace(division, chunk=number))
    desk.host.device = "cuda:2"
    assert desk.do(division=division).state is JobState.DONE
    assert {made.provenance.device for made in read_features(desk.output).embeddings.values()} == {"cuda:0, cuda:1"}


def test_what_is_embedded_when_chunks_are_put_together_names_its_device_too(desk: Desk) -> None:
    division = desk.divided()
    for number in range(len(division.cuts) + 1):
        desk.do(division=replace(division, chunk=number))
    empty(desk, 1)
    desk.host.device = "cuda:0"
    assert desk.do(division=division).state is JobState.DONE
    assert {made.provenance.device for made in read_features(desk.output).embeddings.values()} == {"cpu, cuda:0"}


def test_a_chunk_that_is_whole_is_not_made_again(desk: Desk) -> None:
    division = desk.divided()
    first = desk.do(division=replace(division, chunk=1))
    before = desk.host.pictures.total()
    again = desk.do(division=replace(division, chunk=1))
    assert (first.result["adopted"], again.result["adopted"]) == (False, True)
    assert desk.host.pictures.total() == before


def test_a_missing_chunk_is_told_and_an_output_without_it_is_not_the_last_word(desk: Desk, whole: Path) -> None:
    division = desk.divided()
    for number in range(len(division.cuts) + 1):
        desk.do(division=replace(division, chunk=number))
    outcome = desk.do(division=replace(division, missing={1: "The worker crashed."}))
    assert outcome.state is JobState.PARTIAL
    assert outcome.result["missing"] == [f"part 2 of {len(division.cuts) + 1} is missing: The worker crashed."]
    assert desk.do(division=division).state is JobState.DONE
    check_same(whole, desk)


def test_a_missing_chunk_fails_the_video_where_no_part_may_be_missing(
    captioned: Path, tmp_path: Path, host: FakeHost
) -> None:
    desk = Desk(captioned, tmp_path / "strict", host, SECTIONS | {"probe": {"keep_partial": False}})
    division = desk.divided()
    outcome = desk.do(division=replace(division, missing={0: "The worker crashed."}))
    assert outcome.state is JobState.FAILED
    assert outcome.failure is not None
    assert "keep_partial is off" in str(outcome.failure)
