"""The room of failures: groups, what is known of a video, and retry, another preset, export and dismissal."""

import json
import os
import random
from dataclasses import replace
from pathlib import Path

from console_script import (
    HOSTILE,
    LARGE,
    SMALL,
    ScriptedEngine,
    ScriptedLedger,
    app_over,
    busy,
    job,
    picture,
    run_view,
    until,
)
from textual.pilot import Pilot

from pipeline.commands import Retry, StartRun
from pipeline.model import FailureClass, JobState, RunState, Stage
from pipeline.rows import Rows
from pipeline.snapshot import JobRow, Notice, Snapshot
from screens.failure_groups import FailureGroups, Heading
from screens.failures import Failures
from screens.job import Job
from screens.widgets.failure_list import FailureList
from vconsole.app import ConsoleApp

H264 = json.dumps({"video_codec": "h264", "width": 1920, "height": 1080, "fps": 25.0, "container": "mov,mp4"})
AV1 = json.dumps({"video_codec": "av1", "width": 640, "height": 360, "container": "matroska,webm"})


def failed(job_id: int, kind: FailureClass = FailureClass.CORRUPT, media: str = H264, **parts: object) -> JobRow:
    known: dict[str, object] = {"stage": Stage.SCENES, "note": f"{kind} it is", "attempts": 1, "media": media}
    return job(job_id, JobState.FAILED, failure=kind, **(known | parts))


def snapshot(*rows: JobRow, **parts: object) -> Snapshot:
    return replace(busy(), run=run_view(rows, **parts), jobs=rows, failures=())


THREE_KINDS = (
    failed(1),
    failed(2, FailureClass.UNSUPPORTED, AV1, stage=Stage.PROBE),
    job(3, JobState.DONE),
    failed(4),
    failed(5, media=""),
    failed(6),
)


async def opened(pilot: "Pilot[int]", app: ConsoleApp) -> FailureList:
    await pilot.press("f")
    await until(pilot, lambda: isinstance(app.screen, Failures) and app.focused is not None)
    return app.screen.query_one(FailureList)


def told(app: ConsoleApp) -> str:
    """Return what was told in the corner of the screen, before it is broken into lines there."""
    return "\n".join(note.message for note in app._notifications)


def entries(groups: FailureGroups) -> list[Heading | JobRow]:
    return [groups.entry(position) for position in range(len(groups))]


def test_videos_are_grouped_by_class_stage_and_codec_the_largest_group_first() -> None:
    groups = FailureGroups()
    groups.update(THREE_KINDS)
    told = [entry if isinstance(entry, Heading) else entry.job_id for entry in entries(groups)]
    assert told == [
        ((FailureClass.CORRUPT, Stage.SCENES, "h264"), 3, False),
        *(1, 4, 6),
        ((FailureClass.CORRUPT, Stage.SCENES, ""), 1, False),
        5,
        ((FailureClass.UNSUPPORTED, Stage.PROBE, "av1"), 1, False),
        2,
    ]
    groups.fold(told[0][0])  # type: ignore[index]
    assert groups.position(4) == groups.position(1) == 0
    assert len(groups) == 5


def test_following_changes_comes_to_the_same_as_grouping_anew() -> None:
    chance = random.Random(5)
    rows = [job(i) for i in range(1, 60)]
    groups = FailureGroups()
    for _ in range(300):
        index = chance.randrange(len(rows))
        kind = chance.choice((FailureClass.CORRUPT, FailureClass.IO))
        queued = job(index + 1)
        rows[index] = chance.choice((queued, failed(index + 1, kind, chance.choice((H264, AV1)))))
        if chance.random() < 0.2:
            groups.dismiss([chance.randrange(1, 60)], back=chance.random() < 0.3)
        if chance.random() < 0.1:
            groups.filter(chance.choice(("", "av1", "CORRUPT", "alps", "io it")))
        groups.update(Rows.of(rows))
        fresh = FailureGroups()
        fresh.dismissed, fresh.needle = set(groups.dismissed), groups.needle
        fresh.update(rows)
        assert entries(groups) == entries(fresh)
        assert groups.hidden == fresh.hidden


async def test_every_failure_of_the_run_can_be_reached() -> None:
    rows = tuple(failed(i, name=f"clip-{i:05}.mp4") for i in range(1, 3000))
    app = app_over(ScriptedEngine(snapshot(*rows)))
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "2,999 of 2,999 failed" in picture(app))
        await pilot.press("G")
        await until(pilot, lambda: "video       clip-02999.mp4" in picture(app))


async def test_a_filter_narrows_the_list_and_what_is_tried_again() -> None:
    engine = ScriptedEngine(snapshot(*THREE_KINDS))
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        listed = await opened(pilot, app)
        await pilot.press("slash", *"UNSUPPORTED")
        await until(pilot, lambda: listed.row_count() == 2)
        assert "filter leaves 1 video" in picture(app)
        await pilot.press("enter", "R")
        await until(pilot, lambda: engine.sent == [Retry(job_ids=(2,))])
        await pilot.press("slash", *"h264", "enter", "n", "n", "n", "n")
        await until(pilot, lambda: isinstance(listed.entry, JobRow) and listed.entry.job_id == 1)
        await pilot.press("N")
        await until(pilot, lambda: isinstance(listed.entry, JobRow) and listed.entry.job_id == 6)
        await pilot.press("slash", *"zzz")
        await until(pilot, lambda: "No failed video contains “zzz”" in picture(app))
        await pilot.press("n", "escape")
        await until(pilot, lambda: listed.row_count() == 8)
        assert isinstance(app.screen, Failures)


async def test_the_groups_are_put_in_another_order() -> None:
    app = app_over(ScriptedEngine(snapshot(*THREE_KINDS)))
    async with app.run_test(size=SMALL) as pilot:
        listed = await opened(pilot, app)
        assert [entry.group.codec for entry in entries(listed.groups) if isinstance(entry, Heading)] == [
            "h264",
            "",
            "av1",
        ]
        for order, codecs in (
            ("class", ["", "h264", "av1"]),
            ("stage", ["av1", "h264", ""]),
            ("codec", ["", "av1", "h264"]),
        ):
            await pilot.press("o")
            await until(pilot, lambda order=order: f"3 groups, by {order}" in picture(app))
            found = [entry.group.codec for entry in entries(listed.groups) if isinstance(entry, Heading)]
            assert found == codecs


async def test_a_video_shows_all_that_is_known_of_it() -> None:
    app = app_over(ScriptedEngine(snapshot(*THREE_KINDS)))
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "corrupt · scenes · h264" in picture(app) and "3" in picture(app))
        await pilot.press("j")
        for words in ("corrupt it is", "remedy", "not known: it failed", "/data/videos/", "12s  failed: corrupt"):
            await until(pilot, lambda words=words: words in picture(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Job))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Failures))


async def test_one_a_group_or_all_are_tried_again() -> None:
    engine = ScriptedEngine(snapshot(*THREE_KINDS))
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        listed = await opened(pilot, app)
        await pilot.press("r", "j", "r", "R")
        await until(pilot, lambda: len(engine.sent) == 3)
        asked = [sorted(command.job_ids) for command in engine.sent if isinstance(command, Retry)]
        assert asked == [[1, 4, 6], [1], [1, 2, 4, 5, 6]]
        assert listed.row_count() == 8, "a video leaves the list when the engine says so, not before"
        rows = (job(1), *THREE_KINDS[1:])
        engine.change(jobs=rows, run=run_view(rows))
        await until(pilot, lambda: listed.row_count() == 7)
        assert listed.cursor >= 0


async def test_a_cancelled_run_is_not_asked_to_retry() -> None:
    engine = ScriptedEngine(snapshot(*THREE_KINDS, state=RunState.CANCELLED))
    app = app_over(engine)
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app)
        await pilot.press("R")
        await until(pilot, lambda: "The run was cancelled" in told(app))
        assert engine.sent == []


async def test_another_preset_is_a_new_run_that_is_asked_first(tmp_path: Path) -> None:
    engine = ScriptedEngine(snapshot(*THREE_KINDS, out=str(tmp_path / "out")))
    inputs = [tmp_path / "videos" / THREE_KINDS[index].name for index in (0, 3, 5)]
    for path in inputs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"damaged")
    app = app_over(engine, failed=ScriptedLedger(engine, tmp_path / "videos"))
    async with app.run_test(size=SMALL) as pilot:
        await opened(pilot, app)
        await pilot.press("p")
        await until(pilot, lambda: "A new run over 3 videos, with which preset?" in picture(app))
        assert "standard  " not in picture(app).split("which preset?")[1], "the preset it failed with is not offered"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Failures))
        assert engine.sent == []
        await pilot.press("p", "2")
        await until(pilot, lambda: bool(engine.sent))
        command = engine.sent[0]
        assert isinstance(command, StartRun)
        assert (command.preset, command.out) == ("scenes", os.fsencode(tmp_path / "out-scenes"))
        assert command.inputs == tuple(map(os.fsencode, inputs))


async def test_a_run_that_would_surely_fail_says_why_and_is_not_started() -> None:
    engine = ScriptedEngine(snapshot(*THREE_KINDS))
    app = app_over(engine)
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app)
        await pilot.press("p", "2")
        await until(pilot, lambda: "/data/videos" in told(app))
        assert engine.sent == []


async def test_the_export_asks_where_and_says_where() -> None:
    engine = ScriptedEngine(snapshot(*THREE_KINDS))
    ledger = ScriptedLedger(engine)
    app = app_over(engine, failed=ledger)
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app)
        await pilot.press("m", "e")
        await until(pilot, lambda: "/data/videos-features" in picture(app))
        await pilot.press(*"/x", "enter")
        await until(pilot, lambda: "Wrote 3 failed videos as failed.json and failed.csv" in told(app))
        assert ledger.exported == [(7, b"/data/videos-features/x", frozenset({1, 4, 6}))]


async def test_what_is_dismissed_is_kept_and_can_be_taken_back() -> None:
    engine = ScriptedEngine(snapshot(*THREE_KINDS))
    ledger = ScriptedLedger(engine)
    app = app_over(engine, failed=ledger)
    async with app.run_test(size=LARGE) as pilot:
        listed = await opened(pilot, app)
        await pilot.press("j", "m")
        await until(pilot, lambda: ledger.kept == {7: frozenset({1})})
        await until(pilot, lambda: "1 dismissed, M shows them" in picture(app))
        assert listed.row_count() == 7
        await pilot.press("escape")
        listed = await opened(pilot, app)
        await until(pilot, lambda: listed.row_count() == 7)
        await pilot.press("M", "j")
        await until(pilot, lambda: "m take back" in picture(app))
        await pilot.press("m")
        await until(pilot, lambda: ledger.kept == {7: frozenset()})
        assert listed.row_count() == 8


async def test_a_dismissed_video_that_is_tried_again_is_dismissed_no_longer() -> None:
    engine = ScriptedEngine(snapshot(*THREE_KINDS))
    ledger = ScriptedLedger(engine)
    ledger.kept = {7: frozenset({2, 4})}
    app = app_over(engine, failed=ledger)
    async with app.run_test(size=SMALL) as pilot:
        listed = await opened(pilot, app)
        await until(pilot, lambda: listed.groups.hidden == 2)
        rows = tuple(job(4) if row.job_id == 4 else row for row in THREE_KINDS)
        engine.change(jobs=rows, run=run_view(rows))
        await until(pilot, lambda: ledger.kept == {7: frozenset({2})})


async def test_another_run_shows_its_own_failures() -> None:
    engine = ScriptedEngine(snapshot(*THREE_KINDS))
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        listed = await opened(pilot, app)
        rows = (failed(11), failed(12))
        engine.change(jobs=rows, run=run_view(rows, run_id=8))
        await until(pilot, lambda: listed.row_count() == 3 and "run 8" in picture(app))
        engine.change(jobs=(job(11), job(12)), run=run_view((job(11), job(12)), run_id=8))
        await until(pilot, lambda: "Nothing has failed." in picture(app))


async def test_a_refusal_of_the_engine_is_told_here_too() -> None:
    engine = ScriptedEngine(snapshot(*THREE_KINDS))
    app = app_over(engine)
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, app)
        await pilot.press("r")
        engine.change(notices=(Notice(at_s=busy().taken_s + 5, level="error", text="Nothing to try again [/]."),))
        await until(pilot, lambda: "Nothing to try again [/]." in told(app))


async def test_hostile_names_are_shown_as_themselves() -> None:
    rows = tuple(
        failed(i, name=name, note=name, media=json.dumps({"video_codec": name})) for i, name in enumerate(HOSTILE, 1)
    )
    engine = ScriptedEngine(snapshot(*rows, out="[/\x1b[2J", preset="[@click=app.quit]x"))
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        listed = await opened(pilot, app)
        for _ in range(2 * len(HOSTILE)):
            await pilot.press("j")
            sent = picture(app).replace("\n", "")
            assert sent.isprintable(), [char for char in sent if not char.isprintable()]
        for keys in (("enter",), ("escape", "p"), ("escape", "e"), ("escape", "R")):
            await pilot.press(*keys)
            assert picture(app).replace("\n", "").isprintable()
        assert listed.row_count() == 2 * len(HOSTILE)
