"""The screen of one video, over real outputs of a real extraction: what is read, what is shown, what is missing."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from console_script import LARGE, SMALL, ScriptedEngine, app_over, facts_of, job, picture, run_view, until
from own_engine import carried_out

from pipeline.commands import Retry, StartRun
from pipeline.job_facts import (
    FrameFact,
    JobFacts,
    LostFact,
    SceneFact,
    SmallPicture,
    SpeechFact,
    TextFact,
    TimelineFacts,
)
from pipeline.job_pictures import Album
from pipeline.job_reader import read_job
from pipeline.media.samples import Recipe, make_video
from pipeline.model import FailureClass, JobState, RunKind, RunState, Stage
from pipeline.settings import Settings, with_preset
from pipeline.snapshot import JobRow, Snapshot
from screens.job import Job
from screens.ports import Refusal
from screens.presenters.job import job_body
from screens.presenters.job_head import bit_rate, job_head
from screens.presenters.timeline import timeline
from screens.widgets.outside import Line
from vconsole.app import ConsoleApp
from vconsole.jobs import job_reader, keeper

LIMIT_S = 120
NUMBERS = (1, 2, 3)
RED, BLUE = (200, 40, 40), (40, 80, 200)


class Made(NamedTuple):
    """One extraction that is over."""

    state: Path
    out: Path
    videos: Path

    def number(self, name: str) -> int:
        return next(number for number in NUMBERS if read_job(self.state, number).name == name)

    def facts(self, name: str) -> JobFacts:
        return read_job(self.state, self.number(name))


def extracted(folder: Path, save: str) -> Made:
    """Extract a video of two scenes, a longer one in which seeking is not exact, and one that is none."""
    made = Made(folder / "state", folder / "out", folder / "videos")
    make_video(made.videos, Recipe("two [red].mp4", (("red", "circle"), ("blue", "square"))))
    make_video(made.videos, Recipe("long.ts", (("green", "star"), ("red", "ring"), ("blue", "cross")), seconds=4.0))
    (made.videos / "broken.mp4").write_bytes(b"no video at all")
    settings = Settings.model_validate({"engine": {"settle_s": 0, "workers": 1}, "frames": {"save": save}})
    pipeline, inputs = with_preset(settings, "scenes"), (os.fsencode(made.videos),)
    carried_out(made.state, settings, StartRun(RunKind.EXTRACT, inputs, os.fsencode(made.out), "scenes", pipeline))
    return made


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An extraction that saved no picture."""
    return extracted(tmp_path_factory.mktemp("plain"), "none")


@pytest.fixture(scope="module")
def saving(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An extraction that saved its kept frames."""
    return extracted(tmp_path_factory.mktemp("saving"), "jpeg")


@pytest.fixture
def album() -> Iterator[Album]:
    """The pictures of a video."""
    album = Album()
    yield album
    album.close()


def rows_of(made: Made) -> tuple[JobRow, ...]:
    """Return what a snapshot would say of the jobs of an extraction."""
    rows = []
    for number in NUMBERS:
        facts = read_job(made.state, number)
        rows.append(job(number, facts.state, name=facts.name, attempts=facts.attempts_charged, failure=facts.failure))
    return tuple(rows)


def app_of(made: Made) -> tuple[ScriptedEngine, ConsoleApp]:
    """Return the console over a snapshot of an extraction, with its real ledger."""
    rows = rows_of(made)
    engine = ScriptedEngine(Snapshot(serial=1, run=run_view(rows, state=RunState.DONE), jobs=rows))
    return engine, app_over(engine, job_facts=job_reader(made.state), keep=keeper(made.state))


def said(lines: tuple[Line, ...]) -> str:
    return "\n".join("".join(part.text for part in line) for line in lines)


def test_the_reader_tells_streams_stages_attempts_and_outputs(plain: Made) -> None:
    facts = plain.facts("two [red].mp4")
    assert facts.state is JobState.DONE
    assert facts.streams is not None
    assert (facts.streams.video_codec, facts.streams.pixel_format, facts.streams.fps) == ("h264", "yuv420p", 25.0)
    assert (facts.streams.width, facts.streams.height) == (320, 240)
    assert facts.streams.bits_per_s == pytest.approx(facts.size_bytes * 8 / 3.2)
    assert facts.seconds[0][0] is Stage.PROBE
    assert [attempt.outcome for attempt in facts.attempts] == ["done"]
    assert facts.outputs[0].path == str(plain.out / "features" / "two [red].mp4.h5")
    assert facts.timeline is not None
    assert [round(scene.start_s, 2) for scene in facts.timeline.scenes] == [0.0, 1.6]
    assert facts.timeline.frames_total == len(facts.timeline.frames) >= 2


def test_a_failed_video_says_its_class_and_what_to_do(plain: Made) -> None:
    facts = plain.facts("broken.mp4")
    assert (facts.state, facts.failure) == (JobState.FAILED, FailureClass.CORRUPT)
    assert (facts.timeline, facts.outputs) == (None, ())
    text = said(job_body(facts, 60))
    for word in ("corrupt, in probe", "remedy", "There are no features: the video is failed", "attempt 1 began"):
        assert word in text
    assert "no stream is known" in said(job_head(facts, None, facts.name, 80))


@pytest.mark.parametrize("damage", ["gone", "cut", "flipped"])
def test_a_feature_file_that_is_not_what_was_written_is_not_opened(plain: Made, damage: str) -> None:
    path = plain.out / "features" / "two [red].mp4.h5"
    whole = path.read_bytes()
    try:
        if damage == "gone":
            path.unlink()
        else:
            middle = len(whole) // 2
            path.write_bytes(whole[:middle] + (b"" if damage == "cut" else b"\xff" + whole[middle + 1 :]))
        facts = plain.facts("two [red].mp4")
        assert facts.timeline is None
        assert ("missing" if damage == "gone" else "not what was written") in facts.timeline_note
        assert facts.timeline_note[:30] in said(job_body(facts, 400))
        assert facts.streams is not None
    finally:
        path.write_bytes(whole)
    assert plain.facts("two [red].mp4").timeline is not None


def near(shown: SmallPicture, colour: tuple[int, int, int]) -> bool:
    """Return whether a pixel of the picture is about of this colour."""
    pixels = [shown.rgb[at : at + 3] for at in range(0, len(shown.rgb), 3)]
    return any(all(abs(one - other) < 60 for one, other in zip(pixel, colour, strict=True)) for pixel in pixels)


@pytest.mark.parametrize("kind", ["plain", "saving"])
def test_kept_frames_are_real_pictures(kind: str, album: Album, request: pytest.FixtureRequest) -> None:
    facts = request.getfixturevalue(kind).facts("two [red].mp4")
    frames = facts.timeline.frames
    first, last = album.picture(facts, frames[0], 60, 40), album.picture(facts, frames[-1], 60, 40)
    assert isinstance(first, SmallPicture) and isinstance(last, SmallPicture)
    assert first.saved is last.saved is (kind == "saving")
    assert (first.width, first.height) == (53, 40)
    assert len(first.rgb) == 3 * 53 * 40
    assert near(first, RED) and not near(first, BLUE)
    assert near(last, BLUE) and not near(last, RED)


def test_frames_are_found_where_seeking_is_not_exact(plain: Made, album: Album) -> None:
    facts = plain.facts("long.ts")
    assert facts.timeline is not None and facts.timeline.frames[-1].time_s > 8
    answers = [album.picture(facts, frame, 60, 40) for frame in reversed(facts.timeline.frames)]
    assert [type(answer) for answer in answers] == [SmallPicture] * len(answers)


def test_a_saved_picture_that_is_damaged_is_decoded_from_the_video(saving: Made, album: Album) -> None:
    facts = saving.facts("two [red].mp4")
    assert facts.timeline is not None
    saved = Path(facts.pictures_folder) / f"{facts.timeline.frames[0].frame_index:06}.jpg"
    whole = saved.read_bytes()
    try:
        saved.write_bytes(whole[:100])
        answer = album.picture(facts, facts.timeline.frames[0], 60, 40)
    finally:
        saved.write_bytes(whole)
    assert isinstance(answer, SmallPicture) and not answer.saved


def test_a_video_that_is_gone_or_another_is_told(plain: Made, album: Album, tmp_path: Path) -> None:
    facts = plain.facts("two [red].mp4")
    assert facts.timeline is not None
    gone = album.picture(replace(facts, source=str(tmp_path / "gone.mp4")), facts.timeline.frames[0], 60, 40)
    assert gone == "The file cannot be opened: No such file or directory."
    make_video(tmp_path, Recipe("other.mp4", (("green", "star"),)))
    other = album.picture(replace(facts, source=str(tmp_path / "other.mp4")), facts.timeline.frames[-1], 60, 40)
    assert isinstance(other, str) and "not found in the video again" in other
    assert isinstance(album.picture(facts, facts.timeline.frames[0], 60, 40), SmallPicture)


def test_a_child_that_dies_or_says_nothing_is_told_and_replaced(
    plain: Made, album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = plain.facts("two [red].mp4")
    assert facts.timeline is not None
    frame = facts.timeline.frames[0]
    monkeypatch.setattr("pipeline.job_pictures.COMMAND", ("false",))
    assert "ended over this one" in str(album.picture(facts, frame, 60, 40))
    monkeypatch.setattr("pipeline.job_pictures.COMMAND", ("sleep", "60"))
    monkeypatch.setattr("pipeline.job_pictures.PICTURE_S", 0)
    assert "took longer than" in str(album.picture(facts, frame, 60, 40))
    monkeypatch.undo()
    assert isinstance(album.picture(facts, frame, 60, 40), SmallPicture)
    album.close()
    assert isinstance(album.picture(facts, frame, 61, 41), str)


def test_whoever_reads_and_shows_a_video_holds_no_codec(plain: Made) -> None:
    program = """
import sys
from pathlib import Path
import vconsole.app
from pipeline.job_pictures import Album
from pipeline.job_reader import read_job
facts = next(facts for facts in (read_job(Path(sys.argv[1]), number) for number in (1, 2, 3)) if facts.timeline)
album = Album()
print(type(album.picture(facts, facts.timeline.frames[0], 60, 40)).__name__)
album.close()
print(*sorted({"av", "cv2", "torch", "PIL", "scenedetect"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", program, str(plain.state)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["SmallPicture"]


def test_the_child_ends_with_its_album_even_in_the_middle_of_a_picture(
    plain: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = plain.facts("two [red].mp4")
    assert facts.timeline is not None
    monkeypatch.setattr("pipeline.job_pictures.COMMAND", ("sleep", "600"))
    album, answers = Album(), []
    frame = facts.timeline.frames[0]
    asking = threading.Thread(target=lambda: answers.append(album.picture(facts, frame, 60, 40)))
    asking.start()
    while album._child is None:
        time.sleep(0.01)
    child = album._child
    album.close()
    asking.join(LIMIT_S)
    assert child.poll() is not None
    assert len(answers) == 1 and isinstance(answers[0], str)


def course(**parts: object) -> TimelineFacts:
    known = TimelineFacts(
        duration_s=40.0,
        scenes=(SceneFact(0, 10), SceneFact(10, 20), SceneFact(20, 40)),
        frames=(FrameFact(5.0, 125, 0, 1, 1.0), FrameFact(15.0, 375, 1, 2, 1.0)),
        lost=(LostFact(30, 32, "cut"),),
        scenes_total=3,
        frames_total=2,
        sampling="scenes",
        crop_xywh=(0, 0, 320, 240),
        rotation_deg=0,
    )
    return replace(known, **parts)  # type: ignore[arg-type]


def test_the_strip_shows_cuts_frames_and_lost_parts_at_any_width() -> None:
    scenes, frames, axis = said(timeline(course(), 1, 80)).splitlines()
    assert [match.start() for match in re.finditer("┃", scenes)] == [20, 40]
    assert scenes[60:65] == "×××××" and scenes.count("×") == 5
    assert (frames.index("•"), frames.index("▲")) == (10, 30)
    assert axis.startswith("0:00") and axis.endswith("0:40") and "lost" in axis
    for width in (1, 7, 30, 200):
        assert all(len(line) <= max(width, 12) for line in said(timeline(course(), 0, width)).splitlines())
    assert "single picture" in said(timeline(course(duration_s=0.0, scenes=(SceneFact(0, 0),)), 0, 60))


def test_bit_rates_read_as_encoders_name_them() -> None:
    assert [bit_rate(rate) for rate in (900, 24_600, 1_780_000)] == ["900 bit/s", "24.6 kbit/s", "1.78 Mbit/s"]


def test_a_partial_video_says_what_was_lost(plain: Made) -> None:
    facts = plain.facts("two [red].mp4")
    facts = replace(facts, state=JobState.PARTIAL, timeline=course(), reason="2.0 s could not be read")
    assert "2.0 s could not be read" in said(job_head(facts, None, facts.name, 80))
    assert "30.0 to 32.0 s: cut" in said(job_body(facts, 60))


@pytest.mark.parametrize("size", [SMALL, LARGE, (60, 20)])
async def test_the_screen_shows_a_video_and_browses_its_frames(saving: Made, size: tuple[int, int]) -> None:
    _, app = app_of(saving)
    async with app.run_test(size=size) as pilot:
        app.push_screen(Job(app.monitor._ports, saving.number("two [red].mp4"), "two [red].mp4"))
        await until(pilot, lambda: "✓ done  two [red].mp4" in picture(app) and "stages" in picture(app))
        assert "h264 · 320×240 · 25 fps" in picture(app)
        assert "┃" in picture(app)
        if size[0] < 80:
            await pilot.press("z")
        await until(pilot, lambda: "saved picture" in picture(app) and "▀▀▀" in picture(app))
        assert "frame 1 of" in picture(app)
        await pilot.press("right")
        await until(pilot, lambda: "frame 2 of" in picture(app) and "reading" not in picture(app))
        await pilot.press("left", "left", "z", "z")
        await until(pilot, lambda: "frame 1 of" in picture(app))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: app.screen is app.monitor)


async def test_without_colour_a_picture_is_drawn_in_shades(plain: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    _, app = app_of(plain)
    async with app.run_test(size=SMALL) as pilot:
        app.push_screen(Job(app.monitor._ports, plain.number("two [red].mp4"), "two [red].mp4"))
        await until(pilot, lambda: "decoded from the video" in picture(app))
        assert set("░▒▓") & set(picture(app)) and "▀▀▀" not in picture(app)


async def test_the_path_is_copied_and_kept_in_a_file(plain: Made) -> None:
    _, app = app_of(plain)
    async with app.run_test(size=LARGE) as pilot:
        for name, expected in (("two [red].mp4", plain.out / "features" / "two [red].mp4.h5"), ("broken.mp4", None)):
            app.push_screen(Job(app.monitor._ports, plain.number(name), name))
            await until(pilot, lambda: "attempt 1 began" in picture(app))
            await pilot.press("y")
            path = str(expected or plain.videos / name)
            await until(pilot, lambda path=path: app.clipboard == path)
            assert (plain.state / "copied.txt").read_text() == path + "\n"
            await until(pilot, lambda path=path: any(path in note.message for note in app._notifications))
            assert all(str(plain.state / "copied.txt") in note.message for note in app._notifications)
            await pilot.press("escape")


async def test_what_the_snapshot_says_is_followed_and_the_ledger_read_again() -> None:
    rows = (job(1, JobState.RUNNING, stage=Stage.PROBE, progress=0.1, attempts=1, worker=0),)
    engine = ScriptedEngine(Snapshot(serial=1, run=run_view(rows), jobs=rows))
    asked: list[int] = []

    def reader(job_id: int) -> JobFacts | Refusal:
        asked.append(job_id)
        return facts_of(engine, job_id)

    app = app_over(engine, job_facts=reader)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("j", "enter")
        await until(pilot, lambda: "10% · probe · worker 1" in picture(app))
        engine.change(jobs=(replace(rows[0], stage=Stage.SCENES, progress=0.5),))
        await until(pilot, lambda: "50% · scenes · worker 1" in picture(app))
        assert asked == [1]
        engine.change(jobs=(replace(rows[0], state=JobState.FAILED, failure=FailureClass.STALLED, note="it hung"),))
        await until(pilot, lambda: "✗ failed" in picture(app) and "it hung" in picture(app))
        await until(pilot, lambda: asked == [1, 1])
        await pilot.press("r")
        assert engine.sent == [Retry(job_ids=(1,))]


async def test_a_job_that_the_ledger_does_not_know_is_told(plain: Made) -> None:
    _, app = app_of(plain)
    async with app.run_test(size=LARGE) as pilot:
        app.push_screen(Job(app.monitor._ports, 99, "nobody.mp4"))
        await until(pilot, lambda: "the ledger has no video with number 99" in picture(app))


def test_on_screen_text_is_told_with_its_times_where_it_was_asked_for(plain: Made) -> None:
    facts = plain.facts("two [red].mp4")
    assert "on-screen text" not in said(job_body(facts, 60))
    found = (TextFact(1.0, 4.0, "BREAKING [red] NEWS"), TextFact(62.0, 70.5, "a long caption " * 9))
    text = said(job_body(replace(facts, timeline=course(text=found)), 60))
    assert "0:01-0:04  BREAKING [red] NEWS" in text
    assert "1:02-1:10" in text
    assert max(map(len, text.splitlines())) <= 60
    assert "none was read" in said(job_body(replace(facts, timeline=course(text=())), 60))


def test_what_is_said_is_told_with_its_times_and_its_language_where_it_was_asked_for(plain: Made) -> None:
    facts = plain.facts("two [red].mp4")
    assert "speech" not in said(job_body(facts, 60))
    found = (SpeechFact(1.0, 4.0, "Tell me [red] all", 0.9), SpeechFact(62.0, 70.5, "a long sentence " * 9, 0.5))
    text = said(job_body(replace(facts, timeline=course(speech=found, language="en")), 60))
    assert "speech, in en" in text
    assert "0:01-0:04  Tell me [red] all" in text
    assert "1:02-1:10" in text
    assert max(map(len, text.splitlines())) <= 60
    assert "none was heard" in said(job_body(replace(facts, timeline=course(speech=())), 60))


async def test_words_are_looked_for_in_what_is_said_and_shown(plain: Made) -> None:
    spoken = tuple(SpeechFact(float(n), n + 0.9, f"sentence {n} of the talk", 0.9) for n in range(40))
    shown = (TextFact(1.0, 4.0, "BREAKING NEWS"),)
    facts = replace(plain.facts("two [red].mp4"), timeline=course(speech=spoken, text=shown, language="en"))
    _, app = app_of(plain)
    async with app.run_test(size=LARGE) as pilot:
        app.push_screen(Job(replace(app.monitor._ports, job_facts=lambda _: facts), facts.job_id, facts.name))
        await until(pilot, lambda: "speech, in en" in picture(app) and "find words" in picture(app))
        await pilot.press("slash", *"NCE 37")
        await until(pilot, lambda: "speech, in en: 1 of 40" in picture(app))
        assert "sentence 37 of the talk" in picture(app)
        assert "on-screen text: 0 of 1" in picture(app)
        assert "sentence 3 of" not in picture(app)
        await pilot.press("enter", "escape")
        await until(pilot, lambda: "sentence 3 of the talk" in picture(app) and "of 40" not in picture(app))


async def test_where_no_words_are_known_none_are_asked_for(plain: Made) -> None:
    _, app = app_of(plain)
    async with app.run_test(size=LARGE) as pilot:
        facts = plain.facts("two [red].mp4")
        app.push_screen(Job(app.monitor._ports, facts.job_id, facts.name))
        await until(pilot, lambda: isinstance(app.screen, Job) and app.screen._facts is not None)
        assert "find words" not in picture(app)
        await pilot.press("slash")
        await until(pilot, lambda: any("Neither speech" in one.message for one in app._notifications))
