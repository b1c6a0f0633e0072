"""The room of the doctor: findings show as they come, leaving ends the examination, and it can be made again."""

import threading
from dataclasses import replace

import pytest
from console_script import (
    HEALTH,
    HOSTILE,
    LARGE,
    SMALL,
    ScriptedEngine,
    ScriptedExamination,
    app_over,
    busy,
    picture,
    until,
)

from pipeline.health import Check, Grade, Health
from screens.doctor import Doctor
from screens.monitor import Monitor
from screens.presenters.doctor import doctor_lines, doctor_title
from screens.widgets.outside import line_width


def texts(health: Health, width: int, *, problems: bool = False) -> list[str]:
    return ["".join(part.text for part in line) for line in doctor_lines(health, width, problems=problems)]


async def test_findings_show_as_they_come_in() -> None:
    first = replace(HEALTH, checks=HEALTH.checks[:2], looking_at="codecs: H.264")
    examination = ScriptedExamination(first, HEALTH)
    examination.may_go_on.clear()
    app = app_over(ScriptedEngine(busy()), examine=lambda: examination)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("D")
        await until(pilot, lambda: "looking at codecs: H.264" in picture(app))
        assert "2 ok, 0 warnings, 0 faults so far" in picture(app)
        assert "AV1" not in picture(app)
        examination.may_go_on.set()
        await until(pilot, lambda: "3 ok, 1 warning, 1 fault; 21 s" in picture(app))
        assert "looking at" not in picture(app)


async def test_leaving_ends_the_examination_and_goes_back() -> None:
    examination = ScriptedExamination(replace(HEALTH, looking_at="models"), HEALTH)
    examination.may_go_on.clear()
    app = app_over(ScriptedEngine(busy()), examine=lambda: examination)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, Doctor))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Monitor) and examination.closed)


async def test_r_looks_again_and_forgets_what_the_one_before_still_says() -> None:
    old, new = ScriptedExamination(replace(HEALTH, looking_at="models"), HEALTH), ScriptedExamination(Health())
    old.may_go_on.clear()
    both = [old, new]
    app = app_over(ScriptedEngine(busy()), examine=lambda: both.pop(0))
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("D")
        await until(pilot, lambda: "SIGSEGV" in picture(app))
        await pilot.press("r")
        await until(pilot, lambda: old.closed and "0 ok, 0 warnings, 0 faults; 0 s" in picture(app))
        assert "SIGSEGV" not in picture(app)


async def test_p_leaves_only_what_asks_for_something() -> None:
    app = app_over(ScriptedEngine(busy()))
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("D")
        await until(pilot, lambda: "libx264" in picture(app))
        await pilot.press("p")
        await until(pilot, lambda: "libx264" not in picture(app) and "SIGSEGV" in picture(app))
        await pilot.press("p")
        await until(pilot, lambda: "libx264" in picture(app))


async def test_the_examination_blocks_no_key() -> None:
    hung = threading.Event()

    class Hung(ScriptedExamination):
        def steps(self):
            hung.wait(20)
            yield HEALTH

    app = app_over(ScriptedEngine(busy()), examine=Hung)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, Doctor))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Monitor))
        hung.set()


async def test_the_list_goes_on_with_what_comes_in_until_the_operator_scrolls() -> None:
    checks = tuple(Check("codecs", f"codec {number}", Grade.OK, "works") for number in range(60))
    reports = [Health(checks[:count], looking_at="codecs") for count in (20, 40, 60)]
    examination = ScriptedExamination(*reports)
    examination.may_go_on.clear()
    app = app_over(ScriptedEngine(busy()), examine=lambda: examination)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("D")
        await until(pilot, lambda: "looking at codecs" in picture(app) and "codec 19" in picture(app))
        await pilot.press("g")
        await until(pilot, lambda: "codec 0" in picture(app))
        examination.may_go_on.set()
        await until(pilot, lambda: "60 ok" in picture(app))
        assert "codec 0 " in picture(app)
        await pilot.press("r")
        await until(pilot, lambda: "codec 59" in picture(app))


async def test_hostile_findings_are_shown_as_symbols() -> None:
    checks = tuple(Check(name, name, Grade.FAULT, name, name) for name in HOSTILE)
    app = app_over(ScriptedEngine(busy()), examine=lambda: ScriptedExamination(Health(checks, looking_at=HOSTILE[4])))
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("D")
        await until(pilot, lambda: "[@click=app.quit]press.mp4" in picture(app))
        await pilot.press("G")
        sent = picture(app).replace("\n", "")
        assert sent.isprintable()


@pytest.mark.parametrize("width", [58, 78, 138])
def test_no_line_is_wider_than_the_screen_and_nothing_is_lost(width: int) -> None:
    lines = doctor_lines(HEALTH, width)
    assert max(map(line_width, lines)) <= width
    words = " ".join(texts(HEALTH, width)).split()
    for check in HEALTH.checks:
        assert not set(f"{check.name} {check.found} {check.fix} {check.verdict}".split()) - set(words)


def test_a_verdict_is_a_word_and_a_sign_not_only_a_colour() -> None:
    (line,) = [text for text in texts(HEALTH, 78) if "AV1" in text]
    assert line.startswith("  ✗ fault   AV1")


def test_nothing_to_do_is_said() -> None:
    well = Health(HEALTH.checks[:3])
    assert texts(well, 78, problems=True) == ["✓ Nothing here asks for anything."]
    assert doctor_title(well) == "3 ok, 0 warnings, 0 faults; 0 s"
