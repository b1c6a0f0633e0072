"""Encoding beside the decoding: in order, with every error told, and no thread left behind."""

import threading
from pathlib import Path
from typing import Any

import pytest
from transcode_make import Film, Report, make, run, settings

from pipeline.model import FailureClass, JobState
from pipeline.progress import no_tick
from pipeline.transcode import lines
from pipeline.transcode.beside import Beside
from pipeline.transcode.output import EncodingError


class OddError(Exception):
    """What only this test raises."""


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_what_is_given_is_done_in_order_by_another_thread():
    done: list[tuple[int, str]] = []
    with Beside[int](lambda item: done.append((item, threading.current_thread().name)), 2, "beside") as beside:
        for item in range(1, 100):
            beside.give(item)
        beside.finish(no_tick)
    assert done == [(item, "beside") for item in range(1, 100)]
    assert "beside" not in threads()


def test_an_error_of_the_thread_is_raised_to_the_giver_who_never_waits_for_ever():
    done: list[int] = []

    def work(item: int) -> None:
        if item == 5:
            raise OddError(item)
        done.append(item)

    with pytest.raises(OddError), Beside[int](work, 1, "beside") as beside:
        for item in range(1, 1000):
            beside.give(item)
    assert done == [1, 2, 3, 4]
    assert "beside" not in threads()


def test_an_error_in_the_last_item_is_raised_by_finish():
    def work(item: int) -> None:
        raise OddError(item)

    with Beside[int](work, 4, "beside") as beside:
        beside.give(1)
        with pytest.raises(OddError):
            beside.finish(no_tick)
    assert "beside" not in threads()


def test_a_giver_that_fails_waits_only_for_what_is_being_done():
    begun, go = threading.Event(), threading.Event()
    done: list[int] = []

    def work(item: int) -> None:
        begun.set()
        go.wait(30)
        done.append(item)

    with pytest.raises(OddError), Beside[int](work, 4, "beside") as beside:
        for item in (1, 2, 3):
            beside.give(item)
        begun.wait(30)
        go.set()
        raise OddError
    assert done in ([1], [1, 2], [1, 2, 3])
    assert "beside" not in threads()


class Refusing(Report):
    """Stops the job at its tenth word, as an engine does that wants it back."""

    def progress(self, stage: Any, share: float, **told: Any) -> None:
        super().progress(stage, share, **told)
        if stage == "transcode" and told.get("frames", 0) > 5:
            raise KeyboardInterrupt


def test_a_job_that_is_taken_back_while_it_encodes_leaves_no_thread_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pipeline.transcode.encode._PROGRESS_S", 0.0)
    source = make(tmp_path / "a.mkv", Film(frames=200, codec="mpeg4", options={}))
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "out", report=Refusing())
    assert "encoder" not in threads()
    assert not list((tmp_path / "out").iterdir())


def test_an_encoder_that_refuses_a_picture_fails_the_job_with_its_own_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refusing(self: Any, timed: lines.Timed) -> None:
        raise EncodingError("libx264: no")

    monkeypatch.setattr(lines.PictureEncoder, "take", refusing)
    outcome = run(make(tmp_path / "a.mkv", Film(codec="mpeg4", options={})), tmp_path / "out", settings())
    assert outcome.state is JobState.FAILED and outcome.failure is not None
    assert outcome.failure.failure is FailureClass.UNSUPPORTED and "libx264: no" in str(outcome.failure)
    assert "encoder" not in threads()
