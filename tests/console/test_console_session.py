"""A whole session in a real terminal: a run is started, watched, filtered, zoomed, retried, exported and left."""

import csv
import json
import os
import re
from pathlib import Path

import pytest
from console_program import LIMIT_S, Console, make_videos

from pipeline.media.samples import Recipe, make_video
from pipeline.model import JobState, RunState
from pipeline.text import visible

BROKEN = "[red]\x1b[2J\x1b]0;title\x07.mp4"
SHOWN = "[red]␛[2J␛]0;title␇.mp4"
SECOND = re.compile(r"  2  \d\d:\d\d:\d\d .* failed: corrupt")
WHOLE = {"calm.mp4": ("red", "circle"), "lake.mp4": ("blue", "square"), "reed.mp4": ("green", "star")}


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Three short videos, and a file that is none with a name that would clear a screen."""
    folder = tmp_path / "videos"
    for name, shape in WHOLE.items():
        make_video(folder, Recipe(name, (shape,), width=160, height=120, seconds=0.8))
    (folder / BROKEN).write_bytes(b"this is no video")
    return folder


def test_a_session_from_the_form_to_the_export(tmp_path: Path, videos: Path) -> None:
    out = Path(f"{videos}-features")
    with Console(tmp_path / "home", (120, 36), {"VCONSOLE_CONSOLE__REFRESH_HZ": "10"}) as console:
        console.wait_for("Nothing to do yet.")
        console.start_run(videos)
        console.wait_for("finished; outputs in")
        for words in ("✓ done  extract · scenes", "✓ 3 done  ✗ 1 failed", "4 videos", "calm.mp4", SHOWN):
            assert console.shows(words), f"{words}\n{console.page()}"

        console.type_and_see("/lake", "/lake: 1 of 4")
        assert console.shows("✓ done        lake.mp4")
        assert not console.shows("calm.mp4")
        console.type_and_see("\r\x1b", "calm.mp4")

        console.type_and_miss("2z", "╭─ [1] queue")
        assert console.shows("╭─ [2] stages   [1] queue  [3] devices  [4] failed videos")
        console.type_and_see("z", "╭─ [1] queue")

        console.type_and_see("f", "1 of 4 failed")
        console.type_and_see("j", "attempts    1")
        assert not any(SECOND.search(row) for row in console.rows())
        console.type_and_see("r", "Asked to retry 1 video.")
        console.until(lambda: any(SECOND.search(row) for row in console.rows()), "a second attempt that failed")

        console.type_and_see("e", "export as JSON and CSV into")
        console.type_and_see("\r", "Wrote 1 failed video")
        told = json.loads((out / "failed-videos-run-1.json").read_text())
        assert [(one["class"], one["path"], len(one["attempts"])) for one in told] == [
            ("corrupt", str(videos / BROKEN), 2)
        ]
        with (out / "failed-videos-run-1.csv").open(newline="") as file:
            assert [one["video"] for one in csv.DictReader(file)] == [SHOWN]

        console.type_and_see("\x1b", "[1] queue")
        console.press("q")
        assert console.process.wait(LIMIT_S) == 0
        assert console.violations() == []
        assert console.run_state() is RunState.DONE
        assert console.count(JobState.DONE) == 3
    assert {path.name for path in (out / "features").iterdir()} == {f"{name}.h5" for name in WHOLE}
    assert not list(out.rglob("*.part"))


HOSTILE = (
    b"[red]warm[[1;31m].mp4",
    b"[@click=app.quit]press.mp4",
    b"esc\x1b[2J\x1b]52;c;aGk=\x07.mp4",
    b"two\nlines\ttab.mp4",
    "left\u202etxt.4pm.mp4".encode(),
    "c1\x9b31m.mp4".encode(),
    b"not-utf8-\xff\xfe.mp4",
    b"-rf.mp4",
    b"x" * 240 + b".mp4",
)


def test_names_and_tags_of_a_hostile_folder_reach_the_terminal_as_symbols(tmp_path: Path) -> None:
    folder = make_videos(tmp_path / "videos", len(HOSTILE), seconds=0.4, title="[/]\x1b[2J\x1b]0;title\x07\x9b\u202e")
    for video, name in zip(sorted(folder.iterdir()), HOSTILE, strict=True):
        os.rename(video, os.path.join(os.fsencode(folder), name))
    (folder / BROKEN).write_bytes(b"this is no video")
    with Console(tmp_path / "home", (140, 45), {"VCONSOLE_CONSOLE__REFRESH_HZ": "10"}) as console:
        console.wait_for("Nothing to do yet.")
        console.start_run(folder)
        console.wait_for("finished; outputs in")
        console.type_and_miss("z", "╭─ [2] stages")
        for name in HOSTILE:
            console.wait_for(visible(os.fsdecode(name))[:30])
        console.type_and_see("j\r", "attempts")
        console.type_and_see("\x1b", "╭─ [1] queue")
        console.type_and_see("f", "1 of 10 failed")
        console.type_and_see("\x1b", "╭─ [1] queue")
        console.type_and_see("h", "run 1")
        console.type_and_see("\x1b", "╭─ [1] queue")
        console.press("q")
        assert console.process.wait(LIMIT_S) == 0
        assert console.violations() == []
        assert console.count(JobState.DONE) == len(HOSTILE)
