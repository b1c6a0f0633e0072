"""Asks a library where it keeps the weights of a pretrained tag, in a child process: importing it takes seconds."""

import functools
import json
import os
import subprocess
import sys

from pipeline.errors import SettingsError

TIMEOUT_S = 120.0
"""How long the child process may take."""


@functools.lru_cache(maxsize=256)
def ask(library: str, architecture: str, tag: str) -> str:
    """Return the hub repository of a pretrained tag, and maybe a file in it, as `open_clip` or `timm` has it.

    Raises SettingsError if the library knows no such tag, or does not answer.
    """
    command = [sys.executable, "-P", "-m", "pipeline.models.where", library, architecture, tag]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
        reply = json.loads(answer.stdout.splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as error:
        raise SettingsError(f"{library} could not be asked for {architecture} {tag}: {error}") from error
    if not reply["hub"]:
        tags = ", ".join(reply["tags"]) or "none"
        raise SettingsError(f"{library} has no weights {tag!r} for architecture {architecture!r}; it has {tags}")
    return str(reply["hub"])
