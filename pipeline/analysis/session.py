"""The program that classifies a folder for the engine: `python -m pipeline.analysis.session`.

It reads its order, a line of JSON, from stdin and tells an object a line: `progress` (how many videos of how many are
classified), and last `over` or, where it cannot go on, `refused` with a sentence. It ends, in order, when its stdin
does; what is classified by then is kept.
"""

import json
import os
import signal
import sys
import threading
import time
from typing import Any

from pipeline.analysis.asked import ClassifyRun
from pipeline.analysis.classify import classify
from pipeline.analysis.folder import folder_of
from pipeline.analysis.order import order_of
from pipeline.errors import VconsoleError

EVERY_S = 0.2


class _Teller:
    """Tells the engine on what was stdout: libraries that chatter there must not spoil it."""

    def __init__(self) -> None:
        self._told = os.fdopen(os.dup(1), "w", encoding="ascii")
        os.dup2(2, 1)
        self._last_s = float("-inf")

    def __call__(self, event: str, **fields: Any) -> None:
        self._told.write(json.dumps({"event": event, **fields}) + "\n")
        self._told.flush()

    def progress(self, done: int, of: int) -> None:
        """Tell how far it is, a few times a second and at the end."""
        if done == of or time.monotonic() - self._last_s >= EVERY_S:
            self._last_s = time.monotonic()
            self("progress", done=done, of=of)


def main() -> int:
    """Classify what the order names."""
    tell = _Teller()
    asked = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_stop_with_stdin, daemon=True).start()
    try:
        folder = folder_of(os.fsencode(asked["folder"]))
        wanted = ClassifyRun.model_validate(asked["settings"])
        classify(order_of(folder, wanted, force=asked["force"]), tell.progress)
    except VconsoleError as error:
        tell("refused", why=f"{error} {error.remedy}".strip())
    except (OSError, ValueError) as error:
        tell("refused", why=str(error))
    else:
        tell("over")
    return 0


def _stop_with_stdin() -> None:
    while os.read(0, 1 << 12):
        pass
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
