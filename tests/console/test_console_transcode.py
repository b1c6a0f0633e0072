"""A transcode in the console: its rows in the queue, and before and after of one video in its screen."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from console_script import LARGE, SMALL, ScriptedEngine, app_over, job, picture, run_view, until
from own_engine import carried_out

from pipeline.commands import StartRun
from pipeline.job_facts import JobFacts
from pipeline.job_reader import read_job
from pipeline.media.samples import Recipe, make_video
from pipeline.model import JobState, RunKind, RunState, Stage
from pipeline.settings import Settings
from pipeline.snapshot import JobRow, Snapshot
from screens.job import Job
from screens.presenters.queue import queue_row
from screens.presenters.transcode import deed, transcode_sheet
from screens.widgets.outside import Line, line_width
from vconsole.jobs import job_reader


def words(line: Line) -> str:
    return "".join(part.text for part in line)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of a transcode of one video that is turned, one that conforms but for its index, and a wreck."""
    folder = tmp_path_factory.mktemp("transcode")
    make_video(folder / "in", Recipe("a turned.mp4", (("red", "circle"),), rotation_deg=90))
    make_video(folder / "in", Recipe("b plain.mp4", (("blue", "square"),)))
    (folder / "in" / "c [red].mp4").write_bytes(b"no video at all")
    settings = Settings.model_validate({"engine": {"settle_s": 0, "workers": 1}, "transcode": {"speed": "ultrafast"}})
    inputs, out = (os.fsencode(folder / "in"),), os.fsencode(folder / "out")
    carried_out(folder / "state", settings, StartRun(RunKind.TRANSCODE, inputs, out, "standardize", settings))
    return folder / "state"


def facts_of(state: Path, number: int) -> JobFacts:
    return read_job(state, number)


@pytest.mark.parametrize("width", [38, 60, 100])
def test_the_sheet_sets_before_beside_after(state: Path, width: int) -> None:
    facts = facts_of(state, 1).transcode
    assert facts is not None
    lines = transcode_sheet(facts, width)
    text = "\n".join(map(words, lines))
    assert all(line_width(line) <= width for line in lines)
    assert "encoded · by libx264" in text.replace("\n  ", " ")
    assert "320×240, turned 270°" in text and "240×320" in text
    assert "→ turned upright" in text


def test_what_stays_beside_an_output_is_told(state: Path) -> None:
    facts = facts_of(state, 1).transcode
    assert facts is not None and not facts.notes
    noted = replace(facts, notes=("a.mkv, made in another format before, stays beside it.",))
    assert "a.mkv, made in another format" in "\n".join(map(words, transcode_sheet(noted, 100)))


def test_what_was_only_given_a_new_index_says_so(state: Path) -> None:
    facts = facts_of(state, 2).transcode
    assert facts is not None
    assert deed(facts).startswith("not encoded: its streams in a new file")
    assert any(oddity.code == "index_at_end" for oddity in facts.problems)


def test_a_video_that_failed_has_a_remedy_of_its_kind_and_no_sheet(state: Path) -> None:
    facts = facts_of(state, 3)
    assert facts.transcode is not None and transcode_sheet(facts.transcode, 80) == []
    assert "salvage" in facts.remedy


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_screen_of_a_video_shows_the_sheet_and_no_frames(state: Path, size: tuple[int, int]) -> None:
    rows = tuple(
        job(number, facts.state, name=facts.name) for number in (1, 2, 3) for facts in [facts_of(state, number)]
    )
    engine = ScriptedEngine(Snapshot(serial=1, run=run_view(rows, state=RunState.DONE), jobs=rows))
    app = app_over(engine, job_facts=job_reader(state))
    async with app.run_test(size=size) as pilot:
        screen = Job(app.monitor._ports, 1, "a turned.mp4")
        app.push_screen(screen)
        await until(pilot, lambda: "encoded · by libx264" in picture(app))
        await until(pilot, lambda: not screen.query_one("#frame").display)
        assert "240×320" in picture(app)


def test_the_queue_shows_the_size_so_far_and_in_the_end() -> None:
    running = JobRow(1, "a.mov", JobState.RUNNING, Stage.TRANSCODE, progress=0.5, rate=3.2, size_ratio=0.42)
    done = JobRow(2, "b.mov", JobState.DONE, action="encoded", size_ratio=1.5)
    assert "50% size 42%" in words(queue_row(running, 100)) and "3.2×" in words(queue_row(running, 100))
    assert "encoded, size 150%" in words(queue_row(done, 100))
    assert "size 150%" in words(queue_row(done, 50))
