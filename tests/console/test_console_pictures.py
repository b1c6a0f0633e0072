"""Screenshots of each screen at the two designed sizes, each in another theme: they render, and hold their words."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import pytest
from console_analyst import REPORT, ScriptedAnalyst
from console_classes import FACTS, ScriptedClasses, a_classification, classifying, with_classes
from console_lab import ScriptedLab, measuring
from console_planner import PLANNED, ScriptedPlanner
from console_script import (
    LARGE,
    SMALL,
    ScriptedEngine,
    app_over,
    busy,
    facts_of,
    interrupted_before,
    picture,
    remembered,
    until,
    words_of,
)

from pipeline.forecast import Plan
from pipeline.job_facts import (
    Compared,
    FrameFact,
    JobFacts,
    LostFact,
    Oddity,
    SceneFact,
    SmallPicture,
    StreamFacts,
    TimelineFacts,
    TranscodeFacts,
)
from pipeline.model import JobState, RunKind, RunState
from pipeline.snapshot import Snapshot
from screens.ports import Refusal
from vconsole.app import ConsoleApp


class View(NamedTuple):
    """A screen: the keys that lead to it from the monitor, and words that stand on it."""

    keys: tuple[str, ...]
    words: tuple[str, ...]
    snapshot: Snapshot | None = None
    """Of a run in mid-way, unless another is given."""


TRANSCODED = TranscodeFacts(
    action="encoded",
    encoder="libx264",
    ratio=0.42,
    x_real_time=3.1,
    compared=(
        Compared("container", "mov, index at the end", "mp4"),
        Compared("video", "prores HQ", "h264 High"),
        Compared("picture", "1280×720, turned 90°", "720×1280"),
    ),
    problems=(
        Oddity("rotation_flag", "A flag says that the picture is to be turned by 90 degrees.", "turned upright"),
    ),
    left=(),
    dropped=("A data track (tmcd) that mp4 cannot hold.",),
    fallback="",
    loss="",
    notes=("dam.mkv, made in another format before, stays beside it.",),
)


def transcoding() -> Snapshot:
    """Return the picture of a transcode in mid-way."""
    snapshot = busy()
    assert snapshot.run
    return replace(snapshot, run=replace(snapshot.run, kind=RunKind.TRANSCODE, preset="standardize"))


VIEWS = {
    "monitor": View((), ("extract · standard", "[4] failed videos", "workers 1: cores allow 1,")),
    "start": View((), ("Nothing to do yet.", "go on with run 6"), interrupted_before()),
    "zoom": View(("2", "z"), ("[2] stages", "p95", "write")),
    "filter": View(("slash", *"drone"), ("/drone: ", "[1] queue")),
    "cancel": View(("x",), ("What shall be cancelled?", "Cancel the run", "Esc: Go on")),
    "leave": View(("q",), ("How do you want to leave?", "After what runs", "Stay")),
    "help": View(("question_mark",), ("the monitor (here)", "Pause the run")),
    "palette": View(("colon",), ("commands", "new run", "drain", "Enter takes it")),
    "job failed": View(("4", "j", "enter"), ("quarantined", "remedy", "no progress for 60 s", "what is known")),
    "job running": View(("1", "j", "enter"), ("► running", "62% · scenes · 18.2× real time", "No frame is kept yet")),
    "job with pictures": View(
        ("1", "G", "k", "enter"),
        ("◐ partial", "frame 1 of 3 · 0:02 · scene 1", "saved picture", "h264 · 1280×720"),
    ),
    "job transcoded": View(
        ("1", "G", "k", "enter"),
        ("encoded · by libx264 · 42 % of the size", "before", "720×1280", "→ turned upright"),
        transcoding(),
    ),
    "picture": View(("1", "G", "k", "enter", "right", "z"), ("frame 2 of 3 · 0:31 · scene 2", "saved picture")),
    "doctor": View(("D",), ("codecs", "AV1", "SIGSEGV", "fix:", "3 ok, 1 warning, 1 fault")),
    "models": View(("M",), ("clip-vit-b-32", "– not here", "perceptual", "never on this machine")),
    "settings": View(("s",), ("engine.workers", "Worker processes", "all saved", "may be")),
    "setting": View(("s", "enter", "ctrl+u", "0"), ("✗ must be auto or a whole number from 1 to 256",)),
    "new run": View(("a",), ("where are the videos?", "outputs in", "standard", "engine.workers")),
    "plan": View(("a", "space", "f5"), ("3 inputs looked at", "duplicates", "! warning", "all inputs: 3", "F5 start")),
    "failures": View(("f",), ("Failures  run 7", "stalled · ", "corrupt · ", "remedy", "other preset")),
    "other preset": View(("f", "p"), ("with which preset?", "quick")),
    "export": View(("f", "e"), ("export as JSON and CSV into", "/data/videos-features", "Enter takes it")),
    "runs": View(("h",), ("run 8  ✓ done", "/data/lectures", "► 1 running", "! interrupted", "× real")),
    "run": View(("h", "j", "enter"), ("run 7  ► running", "4:03:20 of video", "19,820 frames")),
    "comparison": View(("h", "m", "j", "c"), ("A  run 8", "B  run 7", "seconds of video per second", "B 0.50×")),
    "lab": View(("B",), ("benchmarks, newest first", "tiny-shapes", "p50 an item", "! INVALID")),
    "lab report": View(("B", "enter"), ("✓ VALID", "unstable", "2 results, 1 VALID")),
    "lab at hand": View(
        ("B", "enter"), ("measuring 2 of 3", "call 12 of 20", "· to do", "34.1 ms", "x cancel"), measuring()
    ),
    "lab compared": View(("B", "m", "j", "c"), ("A before", "▲ slower", "+20.0 %", "what else differs")),
    "lab form": View(
        ("B", "a", "enter"),
        ("what to measure", "● tiny-shapes", "1 chosen", "HTTP services", "F5"),
        replace(measuring(), lab=None),
    ),
    "analysis": View(("h", "i"), ("analysis of run 8", "1,234 videos", "near-duplicates", "a dog")),
    "classes": View(("1",), ("red circle", "blue star", "3 frames"), with_classes()),
    "job with classes": View(
        ("1", "G", "k", "k", "enter"),
        ("class: red circle", "by words, vectors of clip-vit-b-32", "91%"),
        with_classes(),
    ),
    "classify": View(
        ("h", "l"), ("the classes, in words", "or a folder of examples", "centroid", "F5"), with_classes()
    ),
    "classifying": View(("h", "G", "enter"), ("run 4  ► running", "300 of 1,200", "x cancel"), classifying(4)),
    "classification": View(
        ("h", "G", "enter"),
        ("run 4  ! interrupted", "red [circle] 4  (no class) 1", "the weights are gone", "l classify"),
        with_classes(),
    ),
    "again": View(("h", "a"), ("Start run 8 again?", "What is whole is not done again.")),
}


class Painted:
    """An album in which every frame is a saved picture of two colours."""

    def picture(self, job: JobFacts, frame: FrameFact, width: int, height: int) -> SmallPicture:
        half = width // 2
        return SmallPicture(width, height, (b"\xc8\x28\x28" * half + b"\x28\x50\xc8" * (width - half)) * height, True)

    def close(self) -> None:
        pass


def facts(engine: ScriptedEngine, job_id: int) -> JobFacts | Refusal:
    """Return what is known of a job; of a partial one also its course."""
    known = facts_of(engine, job_id)
    run = engine.snapshot.run
    if isinstance(known, JobFacts) and run and run.kind is RunKind.TRANSCODE:
        return replace(known, kind=run.kind, preset=run.preset, transcode=TRANSCODED)
    row = next((row for row in engine.snapshot.jobs if row.job_id == job_id), None)
    if isinstance(known, JobFacts) and row is not None and row.label:
        return replace(known, classes=FACTS)
    if not isinstance(known, JobFacts) or known.state is not JobState.PARTIAL:
        return known
    frames = tuple(FrameFact(at, round(at * 25), index, 0, 90.0) for index, at in enumerate((2.0, 31.0, 70.0)))
    scenes = (SceneFact(0.0, 12.5), SceneFact(12.5, 40.0), SceneFact(40.0, 95.0))
    course = TimelineFacts(
        95.0, scenes, frames, (LostFact(50.0, 54.2, "damaged"),), 3, 3, "scenes", (0, 0, 1280, 720), 0
    )
    streams = StreamFacts("mov,mp4", "h264", width=1280, height=720, fps=25.0, duration_s=95.0, size_bytes=80 << 20)
    return replace(known, timeline=course, streams=streams)


def app_with_all() -> tuple[ScriptedEngine, ConsoleApp]:
    """Return the console over a history, a plan and an album."""
    engine, planner = ScriptedEngine(), ScriptedPlanner(Plan(), PLANNED)
    planner.may_end.set()
    known, history = partial(facts, engine), remembered()
    history.facts[4] = a_classification(4, RunState.INTERRUPTED)
    return engine, app_over(
        engine,
        history=history,
        planning=planner,
        job_facts=known,
        album=Painted,
        lab=ScriptedLab(),
        analyst=ScriptedAnalyst(REPORT),
        classes=ScriptedClasses(),
    )


@pytest.mark.parametrize(("size", "theme"), [(SMALL, "ansi"), (LARGE, "vconsole-dark")])
async def test_each_screen_has_a_picture(size: tuple[int, int], theme: str) -> None:
    engine, app = app_with_all()
    async with app.run_test(size=size) as pilot:
        app.theme = theme
        for name, view in VIEWS.items():
            show(engine, view.snapshot or busy())
            await until(pilot, lambda: app.monitor.snapshot.serial == engine.snapshot.serial)
            await pilot.press(*view.keys)
            await until(pilot, lambda view=view: all(word in picture(app) for word in view.words), told=name)
            svg = app.export_screenshot()
            ET.fromstring(svg)
            assert all(word in words_of(svg) for word in view.words), name
            while app.screen is not app.monitor or any(map(app.monitor.has_class, ("-filtering", "-zoomed"))):
                await pilot.press("escape")


def show(engine: ScriptedEngine, snapshot: Snapshot) -> None:
    """Publish all of a snapshot."""
    parts = {name: getattr(snapshot, name) for name in Snapshot.__slots__ if name != "serial"}
    engine.change(**parts)
