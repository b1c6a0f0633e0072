"""The real worker, which asks for a model host only once all of its run listen: none is done without for being slow.

python meeting_worker.py PLAN --fd N --nice N: PLAN is that of the fake model hosts, which tell beside it who listens.
"""

import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pipeline import worker
from pipeline.models.delivery import Delivery

LOOK_S = 0.005
Dial = Callable[[Delivery], socket.socket]


def dial_when_all_listen(plan: Path, dial: Dial) -> Dial:
    """Return what stands in for `dial`."""

    def dial_then(delivery: Delivery) -> socket.socket:
        while not all(plan.with_suffix(f".{Path(path).name}.listens").exists() for path in delivery._paths):
            time.sleep(LOOK_S)
        return dial(delivery)

    return dial_then


if __name__ == "__main__":
    Delivery._dial = dial_when_all_listen(Path(sys.argv[1]), Delivery._dial)  # type: ignore[method-assign]
    worker.main(sys.argv[2:])
