"""A queue of 100,000 videos with names that break programs: the console answers, and each video has a row (case 17)."""

import time
import unicodedata
from collections.abc import Callable
from dataclasses import replace

from console_script import LARGE, ScriptedEngine, app_over, job, picture, row_texts, run_view, until

from pipeline.model import JobState
from pipeline.rows import Rows
from pipeline.snapshot import JobRow, Snapshot
from pipeline.text import visible
from screens.widgets.panes import QueuePane

JOBS = 100_000
KEY_S = 0.3
"""What a key may take of a processor that others use too; tests/benchmarks measures the time on a clock."""
NAME_AT = 15
"""The column of a row in which the name begins."""
COMPOSED = unicodedata.normalize("NFC", "série-é.mp4")
ODD = (
    COMPOSED,
    unicodedata.normalize("NFD", COMPOSED),
    "x" * 251 + ".mp4",
    "not-utf8-\udcff\udcfe.mp4",
    "two\nlines\ttab.mp4",
    "-rf.mp4",
    "[/]",
    "[/",
    "[@click=app.quit]press.mp4",
    "esc\x1b[2J\x1b]52;c;aGk=\x07\x9b31m.mp4",
    "left\u202etxt.4pm",
)


def crowd() -> Rows[JobRow]:
    """Return the rows; each hundredth is odd, in turn."""
    states = (JobState.DONE, JobState.DONE, JobState.QUEUED, JobState.QUEUED, JobState.FAILED)
    return Rows.of(
        job(i, states[i % 5], name=f"folder-{i % 97:02}/{i:06} {ODD[i // 100 % len(ODD)] if i % 100 == 0 else 'v.mp4'}")
        for i in range(JOBS)
    )


async def test_keys_are_answered_and_rows_move_over_a_hundred_thousand_videos() -> None:
    rows = crowd()
    engine = ScriptedEngine(Snapshot(serial=1, run=run_view(rows), jobs=rows))
    app = app_over(engine)
    async with app.run_test(size=LARGE) as pilot:
        queue = app.screen.query_one(QueuePane)
        await until(pilot, lambda: queue.row_count() == JOBS)
        await pilot.press("z")

        async def press(key: str, answered: Callable[[], bool]) -> None:
            await pilot.pause()
            before_s = time.thread_time()
            await pilot.press(key)
            took_s = time.thread_time() - before_s
            await until(pilot, answered)
            assert took_s < KEY_S, f"{key} took {took_s:.3f} s"

        for key in ("j", "j", "k", "pagedown", "G", "pageup", "g", "down"):
            await press(key, lambda: True)
        for sort in ("name", "length", "state", "rate", "running"):
            await press("o", lambda sort=sort: sort in picture(app))
        await press("slash", lambda: app.focused is not queue)
        for letter in "099900":
            await press(letter, lambda: True)
        await until(pilot, lambda: queue.row_count() == 1)
        assert visible(rows[99_900].name) in picture(app)
        await press("escape", lambda: queue.row_count() == JOBS)

        moved = list(rows)
        moved[77_777] = replace(moved[77_777], state=JobState.RUNNING, progress=0.5)
        engine.change(jobs=Rows.of(moved), run=run_view(moved))
        await press("g", lambda: "077777" in picture(app))
        assert queue.row_count() == JOBS


async def test_each_name_has_a_row_of_its_own_and_shows_as_itself() -> None:
    jobs = tuple(job(i, name=name) for i, name in enumerate(ODD))
    app = app_over(ScriptedEngine(Snapshot(serial=1, run=run_view(jobs), jobs=jobs)))
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("z")
        queue = app.screen.query_one(QueuePane)
        await until(pilot, lambda: queue.row_count() == len(ODD) and COMPOSED in picture(app))
        texts = [text for text in row_texts(queue) if text.strip()][1:]  # the first is the heading
        assert "".join(texts).isprintable()
        begun = sorted(visible(name)[:20] for name in ODD)
        assert sorted(text[NAME_AT : NAME_AT + 40].strip()[:20] for text in texts) == begun
        await pilot.press("slash", "x", "x", "x")
        await until(pilot, lambda: queue.row_count() == 1)
