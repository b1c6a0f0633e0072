"""A console over a scripted engine, for tests that give it a terminal of its own and send signals.

Arguments: the descriptor to write progress to, and whether closing the engine hangs. Progress is one letter an event:
p = the screen pulled a snapshot, c = the engine was asked to close.
"""

import fcntl
import os
import sys
import termios
import threading
from dataclasses import replace
from functools import partial

from console_script import ScriptedEngine, app_over, busy, run_view

from pipeline.sections import LogSettings
from pipeline.snapshot import Snapshot
from vconsole.log import LOGGER, Recorder, logged
from vconsole.signals import ended_in_time
from vconsole.stray import strays_told

GRACE_S = 2.0


class RestlessEngine(ScriptedEngine):
    """Changes what all panes show each time somebody looks."""

    def __init__(self, progress_fd: int, *, hangs: bool) -> None:
        super().__init__(busy())
        self._progress_fd = progress_fd
        self._hangs = hangs

    def latest(self) -> Snapshot:
        os.write(self._progress_fd, b"p")
        jobs = self.snapshot.jobs
        tick = self.snapshot.serial % 10
        moved = tuple(replace(row, name=f"{tick}-{row.job_id}.mp4") for row in jobs)
        self.change(jobs=moved, run=run_view(moved, elapsed_s=float(self.snapshot.serial)))
        return self.snapshot

    def close(self, *, now: bool = False) -> None:
        os.write(self._progress_fd, b"c")
        if self._hangs:
            threading.Event().wait()


def main() -> int:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    engine, grace_s = RestlessEngine(int(sys.argv[1]), hangs=sys.argv[2] == "hangs"), float(sys.argv[3])
    with logged() as log, strays_told(partial(LOGGER.warning, "printed: %s")):
        log.write_to(LogSettings())
        app = app_over(Recorder(engine))
        with ended_in_time(close=engine.close, leave=app.leave_from_thread, grace_s=lambda: grace_s, terminal_fd=0):
            try:
                return app.run() or 0
            finally:
                engine.close()


if __name__ == "__main__":
    sys.exit(main())
