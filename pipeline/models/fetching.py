"""Fetches the weights of one model and tells of it in JSON lines; also a child process, which can be ended at any time.

    python -m pipeline.models.fetching KEY MODEL

MODEL is the entry of the catalogue in JSON. Events: `started`, `progress`, and `fetched` or `failed`.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

from pipeline.errors import VconsoleError
from pipeline.models.fetch import Fetched, fetch
from pipeline.sections import ModelSettings


def fetch_telling(key: str, model: ModelSettings, tell: Callable[[dict[str, Any]], None]) -> Fetched:
    """Fetch the weights of a model and tell each step. Raises FetchError or SettingsError."""
    done = fetch(
        key,
        model,
        started=lambda what, size: tell({"event": "started", "what": what, "size_bytes": size}),
        moved=lambda done, size: tell({"event": "progress", "done_bytes": done, "size_bytes": size}),
    )
    tell(
        {
            "event": "fetched", "key": key, "downloaded": done.downloaded, "size_bytes": done.size_bytes,
            "path": str(done.path), "sha256": done.sha256,
        }
    )  # fmt: skip
    return done


def main(arguments: list[str]) -> int:
    """Fetch, and return the exit code."""
    key, text = arguments

    def tell(event: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()

    try:
        fetch_telling(key, ModelSettings.model_validate_json(text), tell)
    except VconsoleError as error:
        tell({"event": "failed", "message": f"{error}. {error.remedy}".strip()})
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
