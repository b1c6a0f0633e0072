"""The log file: what was asked of the engine, what it told, and what libraries said; bounded."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from queue import Full, Queue
from typing import TYPE_CHECKING, Protocol

import platformdirs

from pipeline.commands import Command, StartRun
from pipeline.snapshot import Snapshot
from pipeline.text import visible
from screens.ports import Source
from vconsole.events import Event, RunChanged, Told, changes

if TYPE_CHECKING:
    from pipeline.sections import LogSettings

MOST_WAITING = 10_000
"""Records that wait for a slow disk; those beyond are lost rather than waited for."""

MOST_LINES, MOST_COLUMNS = 200, 2000
"""What is kept of one record."""

LOGGER = logging.getLogger("vconsole")
LOGGER.addHandler(logging.NullHandler())  # without a log file, what is printed must not be printed again
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Log:
    """Where the log is written, or why it cannot be; what is logged before it is known where waits."""

    def __init__(self, waiting: Queue[logging.LogRecord]) -> None:
        self.problem = ""
        self.path = Path()
        self._waiting = waiting
        self._file: RotatingFileHandler | None = None
        self._listener: QueueListener | None = None

    def write_to(self, settings: "LogSettings") -> str:
        """Open the file and write from a thread that nobody waits for; return why that cannot be, empty if it can."""
        self.path = log_dir(settings) / "vconsole.log"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = RotatingFileHandler(
                self.path, maxBytes=int(settings.file_mb * 1e6), backupCount=settings.files - 1, encoding="utf-8"
            )
        except OSError as error:
            self.problem = f"There is no log file, for {self.path} cannot be written: {error.strerror}."
            return self.problem
        self._file.setFormatter(_OneRecord("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self._listener = QueueListener(self._waiting, self._file)
        self._listener.start()
        return ""

    def close(self) -> None:
        """Write what waits and close the file."""
        if self._listener is not None:
            with suppress(Full):
                self._listener.stop()
        if self._file is not None:
            with suppress(OSError):
                self._file.close()


def log_dir(settings: "LogSettings") -> Path:
    """Return the folder of the log (absolute; it may not exist yet)."""
    return Path(settings.dir).expanduser().absolute() if settings.dir else platformdirs.user_log_path("vconsole")


@contextmanager
def logged() -> Iterator[Log]:
    """While inside, keep what is logged and warned of, and write it once it is said where to."""
    waiting: Queue[logging.LogRecord] = Queue(MOST_WAITING)
    handler, log = QueueHandler(waiting), Log(waiting)
    root, complains, level = logging.getLogger(), logging.raiseExceptions, LOGGER.level
    logging.raiseExceptions = False  # a log that cannot be written must not be complained of on the screen
    logging.captureWarnings(True)
    root.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield log
    finally:
        root.removeHandler(handler)
        LOGGER.setLevel(level)
        logging.captureWarnings(False)
        log.close()
        logging.raiseExceptions = complains


class _OneRecord(logging.Formatter):
    """Makes outside text visible, indents all lines but the first, and bounds the whole."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of one record."""
        lines = super().format(record).splitlines()[:MOST_LINES]
        return "\n    ".join(visible(line)[:MOST_COLUMNS] for line in lines)


class Closable(Source, Protocol):
    """An engine as the app holds it."""

    def close(self, *, now: bool = False) -> None:
        """Checkpoint and end; with `now`, at once. Blocks, so the app calls it from a thread."""
        ...


class Recorder:
    """An engine that logs what it is asked and what it tells."""

    def __init__(self, engine: Closable) -> None:
        self._engine = engine
        self._seen = Snapshot(serial=-1)

    def latest(self) -> Snapshot:
        """Return the newest snapshot, and log what is new in it."""
        before, after = self._seen, self._engine.latest()
        if after.serial != before.serial:
            self._seen = after
            for event in changes(replace(before, jobs=()), replace(after, jobs=())):
                _log_event(event)
            _log_failures(before, after)
            if after.fatal != before.fatal:
                LOGGER.error("the engine can go no further: %s", after.fatal)
        return after

    def send(self, command: Command) -> None:
        """Pass a command on."""
        LOGGER.info("asked: %s", _said(command))
        self._engine.send(command)

    def close(self, *, now: bool = False) -> None:
        """Close the engine."""
        LOGGER.info("the engine closes%s", " at once" if now else "")
        self._engine.close(now=now)


def _log_event(event: Event) -> None:
    match event:
        case Told(notice):
            LOGGER.log(_LEVELS.get(notice.level, logging.INFO), "%s", notice.text)
        case RunChanged(run):
            said = ", ".join([run.state, *(f"{number} {state}" for state, number in run.counts)])
            LOGGER.info("run %d (%s, %s, %s): %s", run.run_id, run.kind, run.preset, run.out, said)


def _log_failures(before: Snapshot, after: Snapshot) -> None:
    """Log what failed since; a failure is known by when it was, for a retry may fail again."""
    if after.failures is before.failures:
        return
    known = {(row.job_id, row.at_s) for row in before.failures}
    for row in reversed(after.failures):
        if (row.job_id, row.at_s) not in known:
            LOGGER.warning(
                "%s: %s in %s, %s: %s", row.name, row.state, row.stage or "no stage", row.failure, row.message
            )


def _said(command: Command) -> str:
    if isinstance(command, StartRun):
        inputs = ", ".join(map(visible, command.inputs))
        return f"StartRun({command.kind}, {command.preset}, {inputs} -> {visible(command.out)})"
    return repr(command)
