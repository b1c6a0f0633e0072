"""What the tests of classes, templates and analyses are made with."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

KINDS = (("red", "circle"), ("blue", "star"), ("green", "square"), ("yellow", "heart"))
EACH = 3


def vconsole(*arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """Run the program with --json and return the events but for those of progress."""
    done = subprocess.run(
        [sys.executable, "-m", "vconsole", *arguments, "--json"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code, done.stderr + done.stdout
    return [event for event in map(json.loads, done.stdout.splitlines()) if event["event"] != "progress"]


def extract(videos: Path, out: Path) -> None:
    vconsole("extract", str(videos), "--out", str(out), "--model", "tiny-shapes", "--device", "cpu",
             "--set", "engine.settle_s=0")  # fmt: skip
