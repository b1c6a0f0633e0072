"""The arrows between the packages, looked at from inside: what a fresh interpreter holds after an import."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.media.samples import Recipe, make_video

HEAVY = ("torch", "av", "cv2", "whisper", "easyocr", "open_clip", "scenedetect")
SCREEN = ("textual", "rich")


def modules_after(code: str, *arguments: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after `code`."""
    told = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run(
        [sys.executable, "-c", told, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["extract", "--help"],
        ["models", "--help"],
        ["doctor", "--help"],
        ["benchmark", "--help"],
        ["classify", "--help"],
        ["--version"],
    ],
)
def test_help_needs_nothing_heavy(arguments: list[str]) -> None:
    held = modules_after(f"from vconsole.__main__ import main\nassert main({arguments}) == 0")
    assert held.isdisjoint({*HEAVY, *SCREEN, "pydantic", "numpy", "h5py"})


def test_the_engine_needs_no_screen_and_no_codec() -> None:
    held = modules_after("import pipeline.engine, pipeline.engine.plan")
    assert held.isdisjoint({*HEAVY, *SCREEN})


def test_the_door_needs_neither_codec_nor_arrays() -> None:
    door = (
        "model",
        "errors",
        "settings",
        "commands",
        "snapshot",
        "machine",
        "text",
        "health",
        "wire",
        "job_facts",
        "analysis_report",
    )
    held = modules_after("import " + ", ".join(f"pipeline.{name}" for name in door))
    assert held.isdisjoint({*HEAVY, *SCREEN, "numpy", "h5py"})


def test_a_worker_needs_no_screen_and_no_torch_before_its_first_job() -> None:
    held = modules_after("import pipeline.worker")
    assert held.isdisjoint({*SCREEN, "torch", "open_clip"})


def test_a_worker_that_is_ready_holds_nothing_that_it_may_never_need_and_has_started_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ffmpeg = tmp_path / "ffmpeg"
    ffmpeg.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    ffmpeg.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    held = modules_after("import pipeline.desk")
    assert held.isdisjoint({"asyncio", "ssl", "onnxruntime", "tqdm", "torch"})
    assert not (tmp_path / "started").exists()


def test_the_model_host_needs_no_screen() -> None:
    held = modules_after("import pipeline.models.host")
    assert held.isdisjoint(SCREEN)


def test_headless_commands_need_no_textual_and_no_codec() -> None:
    names = (
        "extract",
        "resume",
        "verify",
        "runs",
        "models",
        "doctor",
        "demo",
        "find",
        "benchmark",
        "classify",
        "templates",
    )
    held = modules_after("import " + ", ".join(f"vconsole.{name}" for name in names))
    assert held.isdisjoint({*HEAVY, "textual"})


def test_the_console_needs_no_codec() -> None:
    held = modules_after("import vconsole.app, vconsole.console")
    assert held.isdisjoint(HEAVY)


RUN = """
import sys
from vconsole.__main__ import main
assert main(["extract", sys.argv[1], "--out", sys.argv[2], "--model", "tiny-shapes", "--set", "engine.settle_s=0"]) == 0
"""


def test_a_process_that_has_run_the_engine_and_a_model_host_holds_no_codec_and_no_torch(tmp_path: Path) -> None:
    make_video(tmp_path, Recipe("a.mp4", (("red", "circle"),)))
    held = modules_after(RUN, str(tmp_path / "a.mp4"), str(tmp_path / "out"))
    assert (tmp_path / "out" / "features" / "a.mp4.h5").is_file()
    assert held.isdisjoint({*HEAVY, "textual"})
