"""What was measured of models, and of decoders, on this machine, kept in small files in the state folder."""

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "models.json"
MOST = 256
"""Measurements kept; the oldest make room."""

Measured = Mapping[str, Any]
"""`key`, `device`, `precision`, `load_s`, and where it was measured `batch_size` and `pictures_per_s`.

Of decoders the codec as `key`, and what `media.engines` measured.
"""


def read(path: Path) -> dict[str, Measured]:
    """Return measurements by what they hold for, oldest first; none if the file is missing or damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(name): entry for name, entry in found.items() if isinstance(entry, dict) and "key" in entry}


def write(path: Path, name: str, entry: Measured) -> None:
    """Keep a measurement in place of an earlier one of the same name. A full disk costs only the memory of it."""
    kept = {other: one for other, one in read(path).items() if other != name}
    kept[name] = entry
    for oldest in list(kept)[: max(0, len(kept) - MOST)]:
        del kept[oldest]
    with contextlib.suppress(OSError):
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "w") as file:
            json.dump(kept, file, indent=1)
        os.replace(part, path)


def of_key(path: Path, key: str) -> Measured:
    """Return what was measured last of the model `key`, nothing if it never was."""
    return next((entry for entry in reversed(list(read(path).values())) if entry["key"] == key), {})
