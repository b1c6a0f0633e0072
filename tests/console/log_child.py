"""A console in a terminal of its own while everything in its process prints; argument: the folder of the log."""

import logging
import os
import sys
import threading
import warnings
from functools import partial

from console_script import ScriptedEngine, app_over, busy

from pipeline.sections import LogSettings
from pipeline.snapshot import Snapshot
from vconsole.log import LOGGER, Recorder, logged
from vconsole.stray import strays_told


class WatchedEngine(ScriptedEngine):
    """Says when the screen has looked at it a few times."""

    def __init__(self) -> None:
        super().__init__(busy())
        self.looks = 0
        self.watched = threading.Event()

    def latest(self) -> Snapshot:
        self.looks += 1
        if self.looks == 5:
            self.watched.set()
        return super().latest()


def print_all() -> None:
    """Print in all the ways there are."""
    os.write(1, b"NATIVE-OUT\n")
    os.write(2, b"NATIVE-\xff-ERR\x1b[2J\nno end of line NATIVE-END")
    print("PRINTED-OUT")
    print("PRINTED-ERR", file=sys.stderr)
    warnings.warn("WARNED", stacklevel=1)
    logging.getLogger("library").warning("LOGGED\x1b[2J\nsecond line")


def main() -> int:
    engine = WatchedEngine()
    with logged() as log, strays_told(partial(LOGGER.warning, "printed: %s")):
        log.write_to(LogSettings(dir=sys.argv[1]))
        app = app_over(Recorder(engine))

        def work() -> None:
            engine.watched.wait()
            print_all()
            app.call_from_thread(app.action_ask_quit)
            app.call_from_thread(app.exit, 0)

        threading.Thread(target=work, daemon=True).start()
        code = app.run() or 0
    os.write(2, b"THE-TERMINAL-IS-BACK\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
