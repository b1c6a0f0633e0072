"""The real worker; the first one that is started is traced, and hit, by the strace command in $TRACE_WORKER.

`TRACE_WORKER` is a JSON object: `once`, a folder that the first one makes, and `command`, the words before the worker.
"""

import json
import os
import sys

WORKER = [sys.executable, "-P", "-m", "pipeline.worker", *sys.argv[1:]]


def main() -> None:
    wanted = json.loads(os.environ["TRACE_WORKER"])
    try:
        os.mkdir(wanted["once"])
    except FileExistsError:
        os.execv(WORKER[0], WORKER)
    os.execvp(wanted["command"][0], [*wanted["command"], *WORKER])


if __name__ == "__main__":
    main()
