"""The worker program: takes jobs from the engine over one socket, one after another, and tells how they get on.

`python -m pipeline.worker --fd N [--nice N]`. It never reads the terminal, and it ends when its socket closes.
"""

import argparse
import faulthandler
import functools
import gc
import os
import queue
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from typing import Any

MAX_LEASED = 1024
"""Jobs the engine may hand over ahead; more is a fault of the engine."""
MAX_RUNS = 256
"""Runs whose settings are kept."""
EXIT_PROTOCOL = 71

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class _Lease:
    """A job message and its place in the order of arrival."""

    number: int
    message: dict[str, Any]


class Inbox:
    """What the engine has sent: runs, jobs and the wish to have jobs back. Filled by the reader thread."""

    def __init__(self) -> None:
        self.jobs: queue.Queue[_Lease] = queue.Queue(MAX_LEASED)
        self._runs: dict[int, dict[str, Any]] = {}
        self._received = 0
        self._stop_through = 0
        self._spared = ""

    def take(self, message: dict[str, Any]) -> None:
        """File one message. Raises KeyError, ValueError or queue.Full if the engine broke the rules."""
        kind = message["type"]
        if kind == "run":
            self._runs[message["run_id"]] = message
            while len(self._runs) > MAX_RUNS:
                del self._runs[next(iter(self._runs))]
        elif kind == "job":
            self._received += 1
            self.jobs.put_nowait(_Lease(self._received, message))
        elif kind == "stop":
            self._stop_through, self._spared = self._received, message.get("spare", "")
        else:
            raise ValueError(f"unknown message {kind!r}")

    def run_of(self, lease: _Lease) -> dict[str, Any] | None:
        """Return the message that announced the run of a job, None if there was none."""
        return self._runs.get(lease.message["run_id"])

    def wanted_back(self, lease: _Lease) -> bool:
        """Return whether a stop came after this job: it gives back all jobs but the one whose token it spares."""
        return lease.number <= self._stop_through and lease.message["token"] != self._spared


def main(argv: list[str] | None = None) -> int:
    """Run the worker until its socket closes."""
    parser = argparse.ArgumentParser(prog="pipeline.worker")
    parser.add_argument("--fd", type=int, required=True, help="the inherited socket to the engine")
    parser.add_argument("--nice", type=int, default=0, help="niceness to take on")
    options = parser.parse_args(argv)
    # A terminal's Ctrl+C is for the console, which decides what becomes of the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    if options.nice:
        os.nice(options.nice)
    sock = socket.socket(fileno=options.fd)
    sock.setblocking(True)
    inbox = Inbox()
    threading.Thread(target=_watch, args=(sock, inbox), name="watcher", daemon=True).start()
    _serve(sock, inbox)
    return 0


def _watch(sock: socket.socket, inbox: Inbox) -> None:
    """Read what the engine sends; end the process, whatever it does, when the engine is gone."""
    from pipeline import wire
    from pipeline.errors import WireError

    code = 0
    try:
        while True:
            inbox.take(wire.receive(sock)[0])
    except (EOFError, OSError):
        pass
    except (WireError, KeyError, ValueError, queue.Full) as error:
        code = EXIT_PROTOCOL
        os.write(2, f"worker {os.getpid()}: {error!r}\n".encode("ascii", "backslashreplace"))
    finally:
        os._exit(code)


def _serve(sock: socket.socket, inbox: Inbox) -> None:
    # Decoding threads are set by the job; those of numerical libraries would only fight over the same cores.
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    gc.disable()  # what is imported stays: to look through it again and again while it grows is a tenth of the start
    from pipeline.desk import Desk

    gc.freeze()
    gc.enable()
    desk = Desk(sock)
    desk.send({"type": "ready", "pid": os.getpid()})
    while True:
        lease = inbox.jobs.get()
        desk.do(lease.message, inbox.run_of(lease), functools.partial(inbox.wanted_back, lease))


if __name__ == "__main__":
    sys.exit(main())
