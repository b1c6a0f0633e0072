"""Loads the engine that reads text before a run begins: what cannot be loaded ends the run, and fails no video.

`python -m pipeline.reading.trial ORDER` is the process of its own in which that is done.
"""

import json
import signal
import subprocess
import sys

from pipeline.errors import SettingsError
from pipeline.reading.engines import reader
from pipeline.stage_sections import TextSettings
from pipeline.text import visible

LIMIT_S = 120
"""How long an engine may take to load and to read an empty picture."""


def try_to_load(engine: str, wanted: TextSettings) -> None:
    """Raise SettingsError if the engine that `choose` named cannot be loaded; OSError if that cannot be tried."""
    order = json.dumps({"engine": engine, "wanted": wanted.model_dump(mode="json")})
    command = [sys.executable, "-P", "-m", "pipeline.reading.trial", order]
    try:
        tried = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=LIMIT_S
        )
    except subprocess.TimeoutExpired:
        why = f"it was not loaded within {LIMIT_S} s"
    else:
        if not tried.returncode:
            return
        told = tried.stderr.decode("utf-8", "replace").strip().splitlines()
        why = visible(told[-1], 600).rstrip(".") if told else f"its process ended with code {tried.returncode}"
    raise SettingsError(
        f"{engine}, which is to read the text, cannot be loaded: {why}.",
        remedy="Install it or copy its weights again, choose another text.engine, or switch text off.",
    )


def main(argv: list[str]) -> int:
    """Load an engine and have it read an empty picture."""
    import numpy as np

    order = json.loads(argv[0])
    signal.alarm(LIMIT_S + 1)  # A child whose parent is gone ends by itself.
    wanted = TextSettings.model_validate(order["wanted"])
    try:
        loaded = reader(order["engine"], wanted.languages, wanted.longest_px, wanted.batch, 1)
        loaded.read(np.zeros((64, 64, 3), np.uint8))
    except Exception as error:  # noqa: BLE001 - the libraries raise what they like on bad weights
        sys.stderr.write(f"\n{type(error).__name__}: {' '.join(str(error).split())}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
