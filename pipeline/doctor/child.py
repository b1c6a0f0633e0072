"""The program of one look: `python -m pipeline.doctor.child LOOK ARGUMENTS LIMIT_S` writes what it found as JSON."""

import importlib
import json
import math
import os
import signal
import sys
from dataclasses import asdict

LOOKS = {
    "program": "pipeline.doctor.machine:program",
    "machine": "pipeline.doctor.machine:machine",
    "state": "pipeline.doctor.folders:state",
    "output": "pipeline.doctor.folders:output",
    "disk": "pipeline.doctor.folders:disk",
    "library": "pipeline.doctor.libraries:library",
    "video": "pipeline.doctor.codecs:video",
    "sound": "pipeline.doctor.codecs:sound",
    "driver": "pipeline.doctor.hardware:driver",
    "device": "pipeline.doctor.hardware:device",
    "hwaccel": "pipeline.doctor.hardware:hwaccel",
    "cuda": "pipeline.doctor.hardware:cuda",
    "encode": "pipeline.doctor.hardware:encoder",
    "decode": "pipeline.doctor.hardware:decoder",
    "weights": "pipeline.doctor.weights:weights",
    "text": "pipeline.doctor.weights:text",
}
"""Name of a look -> the function that returns its checks."""
NICE = 10
"""As low as a worker: a run under way goes first."""


def main(argv: list[str]) -> int:
    """Carry out one look."""
    name, arguments, limit_s = argv
    # A child whose parent is gone ends by itself.
    signal.alarm(math.ceil(float(limit_s)) + 1)
    os.nice(NICE)
    answer = os.fdopen(os.dup(1), "w")
    # Libraries that chatter on stdout must not spoil the answer.
    os.dup2(2, 1)
    module, _, function = LOOKS[name].partition(":")
    checks = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    json.dump([asdict(check) for check in checks], answer)
    answer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
