"""The file that a muxer writes: told as alive while its end is written, stopped when wanted back, of any name."""

import os
from pathlib import Path
from typing import Any

import av
import pytest
from transcode_make import Film, Report, decode_all, make, run, settings

from pipeline.model import FailureClass, Stage
from pipeline.transcode import part
from pipeline.transcode.output import open_output
from pipeline.transcode.part import PartFile

FRAMES, SIDE = 60, 512


def fill(container: Any) -> int:
    """Put incompressible pictures in; return how many bytes these are."""
    stream = container.add_stream("mjpeg", rate=25, options={"q:v": "1"})
    stream.width = stream.height = SIDE
    stream.pix_fmt = "yuvj420p"
    written = 0
    for number in range(FRAMES):
        frame = av.VideoFrame(SIDE, SIDE, "yuvj420p")
        for plane in frame.planes:
            plane.update(os.urandom(plane.buffer_size))
        frame.pts = number
        for packet in stream.encode(frame):
            written += packet.size
            container.mux(packet)
    return written


@pytest.fixture
def empty(tmp_path: Path) -> bytes:
    path = tmp_path / "a.part"
    path.touch()
    return os.fsencode(path)


def test_moving_the_index_to_the_front_tells_of_every_mebibyte(empty: bytes):
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1

    with PartFile(empty) as file:
        container = open_output(file, settings("edit"), "")
        written = fill(container)
        assert ticks == 0, "what is encoded is told by others"
        file.end(container.close, tick)
    assert ticks >= written / part.BUFFER_BYTES
    with av.open(os.fsdecode(empty)) as made:
        assert sum(1 for _ in made.decode(video=0)) == FRAMES


def test_what_the_tick_raises_stops_the_end_and_is_raised(empty: bytes):
    def tick() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), PartFile(empty) as file:
        container = open_output(file, settings("edit"), "")
        fill(container)
        file.end(container.close, tick)


def test_what_was_written_is_flushed_on_the_way(empty: bytes, monkeypatch: pytest.MonkeyPatch):
    flushed: list[int] = []
    monkeypatch.setattr(part, "_FLUSH_BYTES", 2 << 20)
    monkeypatch.setattr(os, "fdatasync", flushed.append)
    with PartFile(empty) as file:
        container = open_output(file, settings("remux"), "")
        written = fill(container)
        file.end(container.close, lambda: None)
    assert written // (3 << 20) <= len(flushed) <= written // (2 << 20)


def test_a_file_that_is_thrown_away_gets_no_end(empty: bytes):
    with PartFile(empty) as file:
        container = open_output(file, settings("edit"), "")
        fill(container)
    before = os.stat(empty).st_size
    container.close()
    assert os.stat(empty).st_size == before


def test_the_end_of_a_job_is_told_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Listening(Report):
        def progress(self, stage: Stage, share: float, **told: Any) -> None:
            super().progress(stage, share, **told)
            if ending:
                heard.append(stage)

    ending, heard = [], []
    end = PartFile.end

    def watched(file: PartFile, close: Any, tick: Any) -> None:
        ending.append(True)
        end(file, close, tick)
        ending.clear()

    monkeypatch.setattr("pipeline.transcode.encode._PROGRESS_S", 0.0)
    monkeypatch.setattr(PartFile, "end", watched)
    source = make(tmp_path / "a.mkv", Film(codec="mpeg4", options={}))
    assert run(source, tmp_path / "out", report=Listening()).failure is None
    assert set(heard) == {Stage.TRANSCODE}


def test_a_disk_that_fails_fails_the_job_with_its_own_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def failing(self: PartFile, data: bytes) -> int:
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(PartFile, "write", failing)
    outcome = run(make(tmp_path / "a.mkv", Film(codec="mpeg4", options={})), tmp_path / "out")
    assert outcome.failure is not None and outcome.failure.failure is FailureClass.IO
    assert not list((tmp_path / "out").iterdir())


def test_a_folder_whose_name_is_no_text_holds_an_output_with_its_index_at_the_front(tmp_path: Path):
    out = Path(os.fsdecode(os.fsencode(tmp_path) + b"/o\xff%d:t"))
    outcome = run(make(tmp_path / "a.mkv", Film(codec="mpeg4", options={})), out)
    assert outcome.failure is None and outcome.result["facts_out"]["index"] == "front"
    assert len(decode_all(out / "a.mp4")[0]) == 50
