"""What is written to stdout and how: lines for people, JSON lines for programs."""

import json
import sys
from collections.abc import Sequence
from typing import IO, Any

from pipeline.text import plural, visible


def say(text: str) -> None:
    """Write lines for an operator to stdout at once; nothing in them can move a cursor."""
    sys.stdout.write("".join(visible(line) + "\n" for line in text.split("\n")))
    sys.stdout.flush()


def say_problems(problems: Sequence[tuple[str, str]], most: int = 10) -> None:
    """Say of each video that could not be done why, of the first of many."""
    for name, problem in problems[:most]:
        say(f"not done  {visible(name)}: {problem}")
    if len(problems) > most:
        say(f"          and {plural(len(problems) - most, 'more video')}")


def write_json(value: dict[str, Any], stream: IO[str]) -> None:
    """Write one object as a line, as `--json` promises: pure ASCII, so that no name can break a line."""
    stream.write(json.dumps(value, allow_nan=False) + "\n")
    stream.flush()


def tolerate(stream: object) -> None:
    """Let `stream` write what its encoding lacks as escapes instead of failing on it."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
