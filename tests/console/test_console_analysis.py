"""The analysis of a run: what is known is shown, a new one moves and can be left, no name writes on the screen."""

import json
from pathlib import Path

import pytest
from console_analyst import REPORT, ScriptedAnalysing, ScriptedAnalyst
from console_script import LARGE, SMALL, ScriptedEngine, app_over, busy, picture, remembered, until

from pipeline.analysis_report import AnalysisStep
from pipeline.settings import Settings
from screens.analysis import Analysis as AnalysisScreen
from screens.ports import Refusal
from screens.presenters.analysis import analysis_lines
from screens.runs import Runs
from screens.widgets.outside import line_width
from vconsole.analyst import Analyst


def texts(width: int) -> list[str]:
    return ["".join(part.text for part in line) for line in analysis_lines(REPORT, width)]


@pytest.mark.parametrize("width", [57, 77, 137])
def test_the_figures_fit_and_say_what_is_there(width: int) -> None:
    assert all(line_width(line) <= width for line in analysis_lines(REPORT, width))
    told = "\n".join(texts(width))
    for words in ("1,234 videos, 20:34:00 together, 2 partial", "a dog", "700", "(no class)", "1 group, 1 pair",
                  "cosine 0.993", "75% of frames", "breaking news", "bad.mp4.h5: not readable", "median"):  # fmt: skip
        assert words in told


def test_joined_bins_hold_all_videos() -> None:
    rows = texts(100)
    first = next(place for place, row in enumerate(rows) if row.startswith("videos by their length")) + 1
    counts = [int(row.split()[-1].replace(",", "")) for row in rows[first : first + 7]]
    assert sum(counts) == sum(one.videos for one in REPORT.durations)


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_what_is_known_is_shown_from_the_runs(size: tuple[int, int]) -> None:
    analyst = ScriptedAnalyst(REPORT)
    app = app_over(ScriptedEngine(busy()), history=remembered(), analyst=analyst)
    async with app.run_test(size=size) as pilot:
        await pilot.press("h")
        await until(pilot, lambda: "run 8" in picture(app))
        await pilot.press("i")
        await until(pilot, lambda: "1,234 videos" in picture(app))
        assert "analysis of run 8" in picture(app)
        assert "\x1b" not in picture(app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Runs))
    assert analyst.asked == [remembered().facts[8].run.out]


async def test_a_new_analysis_moves_and_its_figures_come_when_it_is_over() -> None:
    analyst = ScriptedAnalyst(None, AnalysisStep(300, 1200), AnalysisStep(over=True))
    app = app_over(ScriptedEngine(busy()), history=remembered(), analyst=analyst)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("h")
        await until(pilot, lambda: "run 8" in picture(app))
        await pilot.press("i")
        await until(pilot, lambda: "has not been analysed" in picture(app))
        await pilot.press("a")
        await until(pilot, lambda: "300 of 1,200 read" in picture(app))
        analyst.answer = REPORT
        analyst.analysing.may_go_on.release()
        await until(pilot, lambda: "1,234 videos" in picture(app))
        assert "analysing" not in picture(app)


async def test_leaving_ends_an_analysis_and_a_failed_one_says_why() -> None:
    analyst = ScriptedAnalyst(None, AnalysisStep(1, 2), AnalysisStep(1, 2))
    app = app_over(ScriptedEngine(busy()), history=remembered(), analyst=analyst)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("h")
        await until(pilot, lambda: "run 8" in picture(app))
        await pilot.press("i", "a")
        await until(pilot, lambda: "1 of 2 read" in picture(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Runs) and analyst.analysing.closed.is_set())
        analyst.analysing = ScriptedAnalysing(AnalysisStep(failure="the folder is gone", over=True))
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, AnalysisScreen))
        await pilot.press("a")
        await until(pilot, lambda: "✗ the folder is gone" in picture(app))


def test_a_report_that_is_none_is_refused(tmp_path: Path) -> None:
    analyst = Analyst(Settings, tmp_path)
    assert analyst.known(str(tmp_path)) is None
    (tmp_path / "analysis.json").write_text(json.dumps({"format": "another"}))
    found = analyst.known(str(tmp_path))
    assert isinstance(found, Refusal)
    assert "no analysis" in found.message
    (tmp_path / "analysis.json").write_text(REPORT.model_dump_json())
    assert analyst.known(str(tmp_path)) == REPORT


def test_a_process_makes_the_analysis_or_says_why_not(tmp_path: Path) -> None:
    steps = list(Analyst(Settings, tmp_path).analyse(3).steps())
    assert steps[-1].over
    assert steps[-1].failure
