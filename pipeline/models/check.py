"""Checks the weights on this machine: whether they are what they should be, and hold nothing but weights."""

import json
import subprocess
import sys
from pathlib import Path

from pipeline.engine.preflight import check_checkpoint
from pipeline.errors import VconsoleError
from pipeline.models.registry import locate
from pipeline.models.weights import sha256_of
from pipeline.sections import ModelSettings
from pipeline.shelf import Verified

OPEN_S = 600.0
"""How long a checkpoint may take to be opened."""


def verify(key: str, model: ModelSettings) -> Verified:
    """Read the checkpoint of a model as a whole; loads nothing into this process."""
    try:
        status = locate(key, model)
        if not status.needed:
            return Verified(key, "ok", "needs no weights")
        if status.path is None:
            return Verified(key, "missing", f"not on this machine; looked in {status.place}")
        check_checkpoint(status)
        fault = "" if status.path.suffix == ".safetensors" else _fault_of_pickle(status.path)
        sha256 = sha256_of(status.path)
    except VconsoleError as error:
        return Verified(key, "bad", str(error))
    except OSError as error:
        return Verified(key, "bad", f"cannot be read: {error.strerror}")
    if fault:
        return Verified(key, "bad", f"{status.path} cannot be loaded: {fault}", sha256)
    known = "its checksum is right" if status.expected_sha256 else "no checksum is known that it should have"
    return Verified(key, "ok", f"whole, and {known}", sha256)


def _fault_of_pickle(path: Path) -> str:
    """Return what is wrong with a checkpoint that is none of safetensors, empty if nothing is."""
    command = [sys.executable, "-P", "-m", "pipeline.models.openable", str(path)]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=OPEN_S, check=False, stdin=subprocess.DEVNULL
        )
        return str(json.loads(answer.stdout.splitlines()[-1])["fault"])
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        return f"it could not be opened: {error}"
