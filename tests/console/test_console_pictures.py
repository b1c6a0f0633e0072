"""Screenshots of each screen at the two designed sizes, in two themes: they render, and hold what they should."""

import xml.etree.ElementTree as ET

import pytest
from console_script import (
    LARGE,
    SMALL,
    ScriptedEngine,
    app_over,
    busy,
    interrupted_before,
    picture,
    remembered,
    until,
    words_of,
)

from pipeline.snapshot import Snapshot

SCREENS = {
    "monitor": (busy(), (), ("extract · standard", "[4] failed videos", "workers 1: cores allow 1,")),
    "start": (interrupted_before(), (), ("Nothing to do yet.", "go on with run 6")),
    "zoom": (busy(), ("2", "z"), ("[2] stages", "p95", "write")),
    "leave": (busy(), ("q",), ("How do you want to leave?", "After what runs", "Stay")),
    "help": (busy(), ("question_mark",), ("the monitor", "Pause the run")),
    "palette": (busy(), ("colon",), ("commands", "new run", "drain", "Enter takes it")),
    "job failed": (busy(), ("4", "j", "enter"), ("quarantined", "remedy", "no progress for 60 s", "what is known")),
    "job running": (
        busy(),
        ("1", "j", "enter"),
        ("► running", "62% · scenes · 18.2× real time", "No frame is kept yet"),
    ),
    "doctor": (busy(), ("D",), ("codecs", "AV1", "SIGSEGV", "fix:", "3 ok, 1 warning, 1 fault")),
    "settings": (busy(), ("s",), ("engine.workers", "Worker processes", "all saved", "advisor: auto")),
    "new run": (busy(), ("a",), ("where are the videos?", "outputs in", "standard", "engine.workers")),
    "failures": (busy(), ("f",), ("Failures  run 7", "stalled · ", "corrupt · ", "remedy", "other preset")),
    "runs": (busy(), ("h",), ("run 8  ✓ done", "/data/lectures", "► 1 running", "! interrupted", "× real")),
}


@pytest.mark.parametrize("theme", ["vconsole-dark", "ansi"])
@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_each_screen_has_a_picture(size: tuple[int, int], theme: str) -> None:
    engine = ScriptedEngine()
    app = app_over(engine, theme=theme, history=remembered())
    async with app.run_test(size=size) as pilot:
        for snapshot, keys, words in SCREENS.values():
            show(engine, snapshot)
            await until(pilot, lambda: app.monitor.snapshot.serial == engine.snapshot.serial)
            await pilot.press(*keys)
            await until(pilot, lambda words=words: all(word in picture(app) for word in words))
            svg = app.export_screenshot()
            ET.fromstring(svg)
            assert all(word in words_of(svg) for word in words)
            await pilot.press("escape", "escape", "1")


def show(engine: ScriptedEngine, snapshot: Snapshot) -> None:
    """Publish all of a snapshot."""
    parts = {name: getattr(snapshot, name) for name in Snapshot.__slots__ if name != "serial"}
    engine.change(**parts)
