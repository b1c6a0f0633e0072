"""What the tests of classes, templates and analyses are made with."""

import json
from pathlib import Path
from typing import Any

import in_process

KINDS = (("red", "circle"), ("blue", "star"), ("green", "square"), ("yellow", "heart"))
EACH = 3


def vconsole(*arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """Run the program with --json and return the events but for those of progress."""
    done = in_process.vconsole(*arguments, "--json")
    assert done.returncode == code, done.stderr + done.stdout
    return [event for event in map(json.loads, done.stdout.splitlines()) if event["event"] != "progress"]


def extract(videos: Path, out: Path) -> None:
    vconsole("extract", str(videos), "--out", str(out), "--model", "tiny-shapes", "--device", "cpu",
             "--set", "engine.settle_s=0")  # fmt: skip
