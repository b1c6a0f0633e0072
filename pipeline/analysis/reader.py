"""The program that reads feature files for `pipeline.analysis.readers`: `python -m pipeline.analysis.reader`.

It reads JSON lines from stdin, first what to do and with what, then lists of files, and answers each with a line. It
ends with its input, so it cannot outlive the process that started it.
"""

import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

Answer = dict[str, Any]
Work = Callable[[bytes, Any], Answer]

TASKS = {
    "classify": "pipeline.analysis.classify:classifying",
    "facts": "pipeline.analysis.facts:reading",
    "template": "pipeline.analysis.template:templating",
    "vectors": "pipeline.analysis.examples:reading",
}
"""What can be done with a file: a function that takes the arguments and returns what does it."""


def main() -> int:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    told = os.fdopen(os.dup(1), "w", encoding="ascii")
    # Libraries that chatter on stdout must not spoil what is told.
    os.dup2(2, 1)
    order = json.loads(sys.stdin.buffer.readline())
    module, _, function = TASKS[order["task"]].partition(":")
    work: Work = getattr(importlib.import_module(module), function)(order["arguments"])
    _tell(told, "ready")
    for line in sys.stdin.buffer:
        _tell(told, [_done(work, item) for item in json.loads(line)])
    return 0


def _done(work: Work, item: Mapping[str, Any]) -> Answer:
    """Return what is made of one file; what is wrong with the file is an answer too."""
    from pipeline.text import visible

    try:
        return work(os.fsencode(item["path"]), item["with"])
    except (OSError, ValueError, LookupError) as error:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error.args[0])
        return {"problem": visible(text, 500)}


def _tell(stream: Any, value: Any) -> None:
    stream.write(json.dumps(value) + "\n")
    stream.flush()


if __name__ == "__main__":
    sys.exit(main())
