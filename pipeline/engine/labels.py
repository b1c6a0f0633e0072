"""The classes of the videos of the active run: looked for now and then, since `vconsole classify` works beside it."""

import asyncio

from pipeline.analysis.stamps import Stamp
from pipeline.analysis.told import classes_stamp, read_labels
from pipeline.engine.active import ENDED, ActiveRun
from pipeline.engine.core import Core
from pipeline.engine.threads import in_thread
from pipeline.model import RunKind

LOOK_S = 3.0
"""Seconds between two looks at the file of the classes."""


class Labels:
    """Reads the classes anew when their file is another, and when a run ends that may have made features anew."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._run: ActiveRun | None = None
        self._due_s = 0.0
        self._seen: tuple[Stamp | None, bool] = (None, False)
        self._looking: asyncio.Task[None] | None = None

    def tick(self) -> None:
        """Begin to look if it is time and nobody looks."""
        run, now_s = self._core.active, self._core.clock()
        if run is None or run.record.kind is not RunKind.EXTRACT or (self._looking and not self._looking.done()):
            return
        if run is not self._run:
            self._run, self._due_s, self._seen = run, 0.0, (None, False)
        if now_s >= self._due_s:
            self._due_s = now_s + LOOK_S
            self._looking = self._core.spawn(self._look(run))

    async def _look(self, run: ActiveRun) -> None:
        out, over = run.record.out, run.state in ENDED
        try:
            stamp = await in_thread(lambda: classes_stamp(out))
            if (stamp, over) == self._seen or run is not self._core.active:
                return
            known = stamp is not None or bool(run.labels)
            self._seen = stamp, over
            labels = await in_thread(lambda: read_labels(out)) if stamp else {}
        except OSError:  # the folder is not there now: the run waits for it and says so
            return
        except ValueError as error:
            self._core.note("warning", f"{error}. `vconsole classify --force` tells them again.")
            return
        if known and run is self._core.active:
            for _ in run.classify(labels):
                await asyncio.sleep(0)
            self._core.dirty = True
