"""The monitor over a scripted engine: it shows what changed, draws nothing else, and keeps the reader's place."""

from dataclasses import replace
from unittest import mock

import pytest
from console_script import (
    LARGE,
    SMALL,
    ScriptedEngine,
    app_over,
    busy,
    interrupted_before,
    job,
    picture,
    row_texts,
    run_view,
    until,
)
from textual import events
from textual.geometry import Region

from pipeline.model import JobState, RunState, Stage
from pipeline.snapshot import Snapshot
from screens.monitor import Monitor
from screens.widgets.lines import LineView
from screens.widgets.panes import DevicesPane, FailuresPane, QueuePane, StagesPane


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every row that is drawn, as the pane's id and the row on the screen."""
    rows: list[tuple[str, int]] = []
    original = LineView.render_line

    def spy(self: LineView, y: int) -> object:
        rows.append((self.id or "", y))
        return original(self, y)

    monkeypatch.setattr(LineView, "render_line", spy)
    return rows


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_screen_shows_the_run_in_four_panes(size: tuple[int, int]) -> None:
    app = app_over(ScriptedEngine(busy()))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "3.4/8.0 GiB" in picture(app))
        seen = picture(app)
    for word in ("extract · standard", "elapsed 20:34", "ETA 14 min", "[1] queue", "[2] stages", "[3] devices"):
        assert word in seen
    for word in ("[4] failed videos", "2 running, 45 to do", "412", "92%", "stalled", "? help"):
        assert word in seen
    assert "workers 1: cores allow 1," in seen


async def test_at_60_by_20_one_pane_is_shown_and_names_the_others() -> None:
    app = app_over(ScriptedEngine(busy()))
    async with app.run_test(size=(60, 20)) as pilot:
        await until(pilot, lambda: "[1] queue" in picture(app))
        assert "[2] stages  [3] devices" in picture(app)
        assert "items/s" not in picture(app)
        await pilot.press("2")
        await until(pilot, lambda: "items/s" in picture(app))


@pytest.mark.parametrize("size", [(30, 8), (10, 3), (250, 70)])
async def test_no_size_breaks_the_screen(size: tuple[int, int]) -> None:
    app = app_over(ScriptedEngine(busy()))
    async with app.run_test(size=size) as pilot:
        await pilot.press("4", "z", "2", "question_mark", "escape", "q", "escape", "a", "escape")
        await until(pilot, lambda: app.screen is app.monitor)


async def test_a_newer_snapshot_is_shown_without_a_key() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        jobs = tuple(replace(row, progress=0.77) if row.job_id == 13 else row for row in engine.snapshot.jobs)
        engine.change(jobs=jobs, run=run_view(jobs, elapsed_s=1300.0))
        await until(pilot, lambda: "77%" in picture(app) and "21:40" in picture(app))


async def test_an_unchanged_snapshot_draws_nothing(drawn: list[tuple[str, int]]) -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, lambda: "running" in picture(app))
        await pilot.pause()
        drawn.clear()
        monitor = app.screen
        assert isinstance(monitor, Monitor)
        for _ in range(5):
            monitor.pull()
            await pilot.pause()
        assert drawn == []


async def test_only_the_row_that_changed_is_drawn(drawn: list[tuple[str, int]]) -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, lambda: "running" in picture(app))
        await pilot.pause()
        drawn.clear()
        jobs = tuple(replace(row, progress=0.70) if row.job_id == 13 else row for row in engine.snapshot.jobs)
        engine.change(jobs=jobs)
        await until(pilot, lambda: bool(drawn))
        await pilot.pause()
        assert set(drawn) == {("queue", 1)}


async def test_of_a_row_only_the_columns_that_changed_are_drawn() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, lambda: "running" in picture(app))
        queue = app.screen.query_one(QueuePane)
        regions: list[Region] = []
        with mock.patch.object(queue, "refresh", lambda *changed, **_: regions.extend(changed)):
            row = queue.order.row(0)
            jobs = tuple(replace(one, rate=18.3) if one is row else one for one in engine.snapshot.jobs)
            queue.take(replace(engine.snapshot, jobs=jobs))
        assert [(region.y, region.width) for region in regions] == [(1, 1)]


async def test_a_change_too_small_to_see_draws_nothing(drawn: list[tuple[str, int]]) -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, lambda: "running" in picture(app))
        await pilot.pause()
        drawn.clear()
        machine = replace(engine.snapshot.machine, cpu_share=0.9101)
        engine.change(machine=machine)
        monitor = app.screen
        assert isinstance(monitor, Monitor)
        await until(pilot, lambda: monitor.snapshot.serial == engine.snapshot.serial)
        await pilot.pause()
        assert drawn == []


async def test_a_hundred_thousand_jobs_draw_only_the_rows_in_view(drawn: list[tuple[str, int]]) -> None:
    jobs = tuple(job(i, name=f"{i:06}.mp4") for i in range(100_000))
    app = app_over(ScriptedEngine(Snapshot(serial=1, run=run_view(jobs), jobs=jobs)))
    async with app.run_test(size=SMALL) as pilot:
        queue = app.screen.query_one(QueuePane)
        await until(pilot, lambda: queue.row_count() == 100_000)
        for key, first in (("G", "099999"), ("g", "000000"), ("pagedown", "000000"), ("G", "099999")):
            await pilot.pause()
            drawn.clear()
            await pilot.press(key)
            await until(pilot, lambda first=first: first in picture(app))
            assert 0 < len([row for row in drawn if row[0] == "queue"]) <= 3 * queue.size.height
            assert all(y < queue.size.height for name, y in drawn if name == "queue")


async def test_the_selection_stays_with_its_job() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        queue = app.screen.query_one(QueuePane)
        await pilot.press("j", "j")
        assert queue.job is not None
        assert queue.job.job_id == 14
        jobs = tuple(
            replace(row, state=JobState.DONE, frames=9) if row.job_id == 14 else row for row in engine.snapshot.jobs
        )
        engine.change(jobs=jobs)
        await until(pilot, lambda: queue.job is not None and queue.job.state is JobState.DONE)
        assert queue.job.job_id == 14
        await until(pilot, lambda: queue.in_view(queue.cursor))
        assert any(text.startswith("▌✓ done") for text in row_texts(queue))


async def test_without_a_selection_the_view_stays_with_what_runs() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        queue = app.screen.query_one(QueuePane)
        await until(pilot, lambda: "scenes" in row_texts(queue)[0])
        jobs = tuple(
            replace(row, state=JobState.DONE)
            if row.job_id == 13
            else replace(row, state=JobState.RUNNING, stage=Stage.CROP)
            if row.job_id == 30
            else row
            for row in engine.snapshot.jobs
        )
        engine.change(jobs=jobs)
        await until(pilot, lambda: "crop" in row_texts(queue)[1])
        assert "embed" in row_texts(queue)[0]


async def test_a_filter_narrows_the_queue_and_esc_shows_all_again() -> None:
    app = app_over(ScriptedEngine(busy()))
    async with app.run_test(size=SMALL) as pilot:
        queue = app.screen.query_one(QueuePane)
        await pilot.press("slash", *"drone")
        await until(pilot, lambda: queue.row_count() == 18)
        assert "/drone: 18 of 59" in picture(app)
        await pilot.press("enter")
        assert app.focused is queue
        assert queue.row_count() == 18
        await pilot.press("escape")
        await until(pilot, lambda: queue.row_count() == 59)
        assert "2 running, 45 to do" in picture(app)


async def test_n_goes_round_what_the_filter_leaves() -> None:
    app = app_over(ScriptedEngine(busy()))
    async with app.run_test(size=SMALL) as pilot:
        queue = app.screen.query_one(QueuePane)
        await pilot.press("n")
        assert queue.job is None
        await pilot.press("slash", *"drone", "enter", "n", "n")
        await until(pilot, lambda: queue.cursor == 1)
        assert queue.job is not None
        assert "drone" in queue.job.name
        await pilot.press("N", "N")
        await until(pilot, lambda: queue.cursor == 17)


async def test_o_takes_each_order_in_turn_and_the_title_names_it() -> None:
    app = app_over(ScriptedEngine(busy()))
    async with app.run_test(size=SMALL) as pilot:
        queue = app.screen.query_one(QueuePane)
        for order in ("name", "length", "state", "rate"):
            await pilot.press("o")
            await until(pilot, lambda order=order: f"[1] queue by {order}" in picture(app))
        await pilot.press("o")
        await until(pilot, lambda: "[1] queue ─" in picture(app))
        assert queue.order.sort == "running first"


async def test_the_view_goes_where_a_job_runs_until_the_operator_scrolls() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)

    def run(job_id: int) -> None:
        engine.change(
            jobs=tuple(
                replace(row, state=JobState.RUNNING if row.job_id == job_id else JobState.DONE, stage=Stage.SCENES)
                for row in engine.snapshot.jobs
            )
        )

    async with app.run_test(size=SMALL) as pilot:
        queue = app.screen.query_one(QueuePane)
        await pilot.press("o", "o")
        run(52)
        await until(pilot, lambda: queue.in_view(queue.order.position(52) or 0))
        run(31)
        await until(pilot, lambda: queue.in_view(queue.order.position(31) or 0))
        await pilot.press("G")
        await until(pilot, lambda: queue.in_view(queue.row_count() - 1))
        run(26)
        await until(pilot, lambda: app.monitor.snapshot.serial == engine.snapshot.serial)
        assert queue.in_view(queue.row_count() - 1)
        await pilot.press("g")
        run(52)
        await until(pilot, lambda: queue.in_view(queue.order.position(52) or 0))


async def test_keys_that_mean_commands_are_only_letters_in_the_filter() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        queue = app.screen.query_one(QueuePane)
        await pilot.press("slash", "d", "q", "space", "x", "r")
        await until(pilot, lambda: queue.order.needle == "dq xr")
        assert engine.sent == []


async def test_letters_that_come_in_one_burst_are_typed_and_never_commands() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        queue = app.screen.query_one(QueuePane)
        for key, character in (("slash", "/"), *((letter, letter) for letter in "xrdq")):
            app.post_message(events.Key(key, character))
        await until(pilot, lambda: queue.order.needle == "xrdq")
        assert engine.sent == []
        assert app.screen is app.monitor


async def test_keys_of_one_burst_go_each_to_what_the_one_before_left_in_focus() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        for key, character in (("slash", "/"), ("f", "f"), ("enter", "\r"), ("z", "z"), ("slash", "/"), ("x", "x")):
            app.post_message(events.Key(key, character))
        await until(pilot, lambda: app.screen.query_one(QueuePane).order.needle == "x")
        assert app.screen.has_class("-zoomed")
        assert engine.sent == []


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_zoom_shows_one_pane_large_and_gives_the_others_back(size: tuple[int, int]) -> None:
    app = app_over(ScriptedEngine(busy()))
    async with app.run_test(size=size) as pilot:
        stages, queue = app.screen.query_one(StagesPane), app.screen.query_one(QueuePane)
        await pilot.press("2", "z")
        await until(pilot, lambda: stages.size.width == size[0] - 2)
        await until(pilot, lambda: "p95" in picture(app))
        assert stages.size.height == size[1] - 7
        assert not queue.display or queue.region.area == 0
        await pilot.press("4")
        await until(pilot, lambda: app.screen.query_one(FailuresPane).size.width == size[0] - 2)
        await pilot.press("z")
        await until(pilot, lambda: queue.region.area > 0 and stages.region.area > 0)


async def test_numbers_move_between_panes() -> None:
    app = app_over(ScriptedEngine(busy()))
    async with app.run_test(size=SMALL) as pilot:
        for key, kind in (("2", StagesPane), ("3", DevicesPane), ("4", FailuresPane), ("1", QueuePane)):
            await pilot.press(key)
            assert isinstance(app.focused, kind)


async def test_enter_opens_a_failed_and_a_running_video() -> None:
    app = app_over(ScriptedEngine(busy()))
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("4", "j", "enter")
        await until(pilot, lambda: "remedy" in picture(app))
        await pilot.press("G")
        await until(pilot, lambda: "InvalidDataError" in picture(app))
        await pilot.press("escape", "1", "j", "enter")
        await until(pilot, lambda: "62% · scenes · 18.2× real time · worker 1" in picture(app))


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_start_invites_and_offers_to_resume(size: tuple[int, int]) -> None:
    app = app_over(ScriptedEngine(interrupted_before()))
    async with app.run_test(size=size) as pilot:
        words = ("Nothing to do yet.", "new run: folder, preset, output", "go on with run 6", "Run 6 was interrupted")
        for word in (*words, "3.4/8.0 GiB"):
            await until(pilot, lambda word=word: word in picture(app))


async def test_the_end_says_where_the_outputs_are() -> None:
    engine = ScriptedEngine(busy())
    app = app_over(engine)
    async with app.run_test(size=SMALL) as pilot:
        jobs = tuple(job(i, JobState.DONE, frames=5) for i in range(3))
        engine.change(jobs=jobs, failures=(), run=run_view(jobs, state=RunState.DONE))
        await until(pilot, lambda: "finished; outputs in /data/videos-features" in picture(app))
        assert "✓ done" in picture(app)
        assert "100% of 3" in picture(app)
        assert "Nothing has failed." in picture(app)


async def test_the_help_lists_every_action() -> None:
    app = app_over(ScriptedEngine(busy()))
    async with app.run_test(size=(140, 100)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: "the monitor" in picture(app))
        seen = " ".join(picture(app).split())
        for word in ("Space", "Pause the run", "Ctrl+C", "Finish the videos that run", "PgDn Ctrl+D"):
            assert word in seen


async def test_t_takes_each_theme_in_turn() -> None:
    app = app_over(ScriptedEngine(busy()))
    async with app.run_test(size=SMALL) as pilot:
        names = []
        for _ in range(4):
            names.append(app.theme)
            await pilot.press("t")
        assert names == ["vconsole-dark", "vconsole-light", "high-contrast", "ansi"]
        assert app.theme == "vconsole-dark"


async def test_no_color_sends_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = app_over(ScriptedEngine(busy()))
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("j")
        await until(pilot, lambda: "running" in picture(app))
        for line in app.screen._compositor.render_strips():
            for segment in line.apply_filter(app._filters[-1], app.screen.background_colors[1]):
                style = segment.style
                assert style is None or all(color is None or color.is_default for color in (style.color, style.bgcolor))


async def test_an_unknown_theme_is_told_and_the_default_taken() -> None:
    app = app_over(ScriptedEngine(busy()), theme="neon")
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, lambda: "There is no theme neon" in picture(app))
        assert app.theme == "vconsole-dark"
