"""The benchmark lab: choosing, what is measured now, cancelling, reports of the past, comparing and exporting."""

from dataclasses import replace

import pytest
from console_lab import DOUBTFUL, LOST, VALID, ScriptedLab, measuring, past
from console_script import (
    HOSTILE,
    LARGE,
    SMALL,
    ScriptedEngine,
    ScriptedHistory,
    app_over,
    busy,
    picture,
    remembered,
    until,
)

from pipeline.commands import CancelRun, ResumeRun, StartRun
from pipeline.lab import LabChange, LabComparison, LabReport, LabRequest, LabView
from pipeline.model import RunKind, RunState
from screens.monitor import Monitor
from screens.ports import Refusal
from screens.presenters.lab import comparison_lines, lab_row, live_lines, report_lines
from screens.presenters.lab_form import Offer, offer_lines
from screens.widgets.outside import Line, line_width


def text(lines: tuple[Line, ...]) -> str:
    return "\n".join("".join(part.text for part in line) for line in lines)


def idle() -> ScriptedEngine:
    return ScriptedEngine(replace(measuring(), lab=None))


async def test_what_is_chosen_is_asked_for_and_started() -> None:
    engine, lab = idle(), ScriptedLab()
    app = app_over(engine, lab=lab)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("B", "a")
        await until(pilot, lambda: "· tiny-shapes" in picture(app))
        await pilot.press("enter", "j", "j", "j", "enter", "j", "j", "enter")
        await until(pilot, lambda: "3 chosen" in picture(app))
        app.screen.query_one("#typed").focus()
        await pilot.press(*"/data/videos", "enter")
        await until(pilot, lambda: "│ /data/videos" in picture(app))
        app.screen.query_one("#sweep").focus()
        await pilot.press(*"batch_size=1,8")
        app.screen.query_one("#baseline").focus()
        await pilot.press(*"/data/old.json", "tab", *"10", "f5")
        await until(pilot, lambda: engine.sent)
    assert lab.asked == [
        LabRequest(
            ("tiny-shapes",),
            ("scenes",),
            ("standardize",),
            inputs=("/data/videos",),
            sweep="batch_size=1,8",
            baseline="/data/old.json",
            allowed_percent="10",
        ),
    ]
    assert isinstance(engine.sent[0], StartRun)
    assert engine.sent[0].kind is RunKind.BENCHMARK


async def test_what_the_gate_says_is_in_the_report() -> None:
    app = app_over(idle(), lab=ScriptedLab())
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("B", "enter")
        await until(
            pilot, lambda: "✗ regression: extractor tiny-shapes image: +20.0 %" in " ".join(picture(app).split())
        )
        assert "10 % is allowed" in " ".join(picture(app).split())


async def test_a_refusal_stays_with_the_form() -> None:
    engine = idle()
    app = app_over(engine, lab=ScriptedLab(Refusal("--sweep knows no 'colour'", "It varies batch_size.")))
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("B", "a", "f5")
        await until(pilot, lambda: "knows no 'colour' It varies batch_size." in " ".join(picture(app).split()))
        assert engine.sent == []
        await pilot.press("escape", "escape")
        assert isinstance(app.screen, Monitor)


async def test_what_is_measured_is_shown_live_and_cancelled_after_a_question() -> None:
    engine = ScriptedEngine(measuring())
    app = app_over(engine, lab=ScriptedLab())
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("B")
        await until(pilot, lambda: "measuring 2 of 3" in picture(app))
        assert "last 34.1 ms, 29.3 calls/s" in picture(app)
        await pilot.press("x")
        await until(pilot, lambda: "Cancel benchmark 5?" in picture(app))
        assert engine.sent == []
        await pilot.press("c")
        await until(pilot, lambda: engine.sent == [CancelRun(5)])
        engine.change(lab=replace(engine.snapshot.lab, stopping=True))
        await until(pilot, lambda: "stopping, what is measured is kept" in picture(app))
        engine.change(lab=None, runs=())
        await until(pilot, lambda: "2 results, 1 VALID; 1 could not be measured." in picture(app))


async def test_leaving_while_something_is_measured_asks_first() -> None:
    engine = ScriptedEngine(measuring())
    app = app_over(engine, lab=ScriptedLab())
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("q")
        await until(pilot, lambda: "A benchmark is under way." in picture(app))
        assert engine.closed == []
        await pilot.press("s")
        await until(pilot, lambda: app.screen is app.monitor)
        await pilot.press("q", "n")
        await until(pilot, lambda: engine.closed)


async def test_a_report_is_exported_where_the_operator_wants() -> None:
    lab = ScriptedLab()
    app = app_over(idle(), lab=lab)
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("B")
        await until(pilot, lambda: "✓ VALID" in picture(app))
        await pilot.press("j", "e")
        await until(pilot, lambda: "export as JSON" in picture(app))
        await pilot.press("ctrl+u", *"/tmp/there", "enter")
        await until(pilot, lambda: "Written: /tmp/there/benchmark.html" in picture(app))
    assert lab.exported == [(5, b"/tmp/there")] or lab.exported == [(4, b"/tmp/there")]


async def test_an_unfinished_one_is_gone_on_with_and_any_is_measured_again() -> None:
    class Cancelled(ScriptedLab):
        def reports(self):  # type: ignore[no-untyped-def]
            return (past(5, RunState.CANCELLED),)

    engine = idle()
    app = app_over(engine, lab=Cancelled())
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("B")
        await until(pilot, lambda: "It did not come to its end" in picture(app))
        await pilot.press("u")
        await until(pilot, lambda: engine.sent == [ResumeRun(5)])
        await pilot.press("r")
        await until(pilot, lambda: "Measure run 5 again?" in picture(app))
        await pilot.press("r")
        await until(pilot, lambda: len(engine.sent) == 2)


async def test_beside_a_run_nothing_is_measured() -> None:
    app = app_over(ScriptedEngine(busy()), lab=ScriptedLab())
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("B", "a")
        await until(pilot, lambda: "A run goes on" in picture(app))


async def test_a_benchmark_is_a_run_whose_report_is_in_the_lab() -> None:
    known = next(iter(remembered().facts.values()))
    run = replace(known.run, kind=RunKind.BENCHMARK, preset="tiny-shapes")
    app = app_over(ScriptedEngine(), history=ScriptedHistory(replace(known, run=run)), lab=ScriptedLab())
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("h")
        await until(pilot, lambda: "opens the benchmark lab" in picture(app))
        assert "0 videos" in picture(app)
        await pilot.press("v")
        await until(pilot, lambda: "benchmarks, newest first" in picture(app))


def test_a_row_tells_what_was_measured_and_what_is_lacking() -> None:
    row = text((lab_row(past(5), "A", 0.0, 120),))
    assert "✓ done" in row
    assert "tiny-shapes scenes" in row


@pytest.mark.parametrize("width", [57, 58, 78, 138])
def test_hostile_names_fit_every_width(width: int) -> None:
    for name in HOSTILE:
        valid, lost = replace(VALID, name=name, reasons=(name,)), replace(LOST, name=name, message=name)
        run = replace(past(5), preset=name, out=name)
        change = LabChange(name, 1.0, 1.2, 0.05, 0.2, 0.1, 0.3, 0.2, "slower", trusted=False)
        found = LabComparison(name, name, (change,), (name,), (name,), ((name, name, name),))
        view = LabView(5, (name, "next"), name, name, 3, 5, (0.1, 0.2), (replace(valid, name="first"), lost))
        lines = (
            lab_row(run, "A", 0.0, width),
            *live_lines(view, 3.0, width),
            *report_lines(LabReport(run, (valid, DOUBTFUL, lost), (name,), (("machine", name),)), width),
            *report_lines(LabReport(run, (valid,), notes=(name,), doubts=((name, (name, name)),)), width),
            *report_lines(LabReport(run, comparison=found, gate=(("passed", name), ("not judged", name))), width),
            *report_lines(LabReport(run, untold=name), width),
            *comparison_lines(found, width),
            *offer_lines((Offer("extractor", name, here=False),), (), width),
        )
        assert all(line_width(line) <= width for line in lines)
