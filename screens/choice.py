"""The files and folders chosen for a run, what each holds, and which of them are counted at the moment."""

import os
import threading
from collections.abc import Callable
from dataclasses import replace

from pipeline.forecast import Holding
from pipeline.text import plural, visible


class Choice:
    """What is chosen, in the order of choosing, and what everything that was counted holds."""

    def __init__(self) -> None:
        self.paths: list[bytes] = []
        self.holdings: dict[bytes, Holding] = {}

    def toggle(self, path: bytes) -> str:
        """Choose a path or drop it, so that no file is chosen twice; return a sentence if that did more or less."""
        path = os.path.normpath(path)
        if path in self.paths:
            self.paths.remove(path)
            return ""
        above = next((other for other in self.paths if _is_below(path, other)), None)
        if above is not None:
            return f"It is in {visible(above)}, which is chosen already."
        below = [other for other in self.paths if _is_below(other, path)]
        self.paths = [*(other for other in self.paths if other not in below), path]
        return f"It holds {plural(len(below), 'choice')} made before, which gave way to it." if below else ""

    def total(self) -> Holding:
        """Return what all that is chosen holds together, as far as it is counted."""
        found = [self.holdings.get(path, Holding()) for path in self.paths]
        hours = [holding.expected_s for holding in found]
        return Holding(
            videos=sum(holding.videos for holding in found),
            source_bytes=sum(holding.source_bytes for holding in found),
            known_s=sum(holding.known_s for holding in found),
            known_bytes=sum(holding.known_bytes for holding in found),
            expected_s=None if None in hours else sum(length for length in hours if length is not None),
            over=all(holding.over for holding in found),
            capped=any(holding.capped for holding in found),
            problem=next((holding.problem for holding in found if holding.problem), ""),
        )


def _is_below(path: bytes, folder: bytes) -> bool:
    return path.startswith(folder.rstrip(b"/") + b"/")


class Counting:
    """Counts what is under the cursor, and beside it what is chosen, one path after another.

    `start` begins to count a path in a thread, until the event it is given is set.
    """

    def __init__(self, choice: Choice, start: Callable[[bytes, threading.Event], object]) -> None:
        self._choice = choice
        self._start = start
        self._running: dict[str, tuple[bytes, threading.Event]] = {}

    def look(self, here: bytes) -> None:
        """Count what needs it now that the cursor is at `here`, and nothing else."""
        waiting = [path for path in self._choice.paths if path != here and not self._is_over(path)]
        self._give("here", here if here and not self._is_over(here) else b"")
        self._give("chosen", waiting[0] if waiting else b"")

    def took(self, path: bytes, holding: Holding, stop: threading.Event) -> bool:
        """Take what a thread has counted; return whether it still counts for anything."""
        if stop.is_set():
            return False
        self._choice.holdings[path] = holding
        return True

    @property
    def goes_on(self) -> bool:
        """Whether something is counted at the moment."""
        return bool(self._running)

    def stop(self) -> None:
        """Count no further; what was counted so far stands as that."""
        for path, stop in self._running.values():
            stop.set()
            so_far = self._choice.holdings.get(path, Holding())
            self._choice.holdings[path] = replace(so_far, over=True, capped=True)
        self._running.clear()

    def _is_over(self, path: bytes) -> bool:
        return self._choice.holdings.get(path, Holding()).over

    def _give(self, place: str, path: bytes) -> None:
        now, stop = self._running.get(place, (b"", threading.Event()))
        if now == path:
            return
        stop.set()
        self._running.pop(place, None)
        if path:
            self._running[place] = (path, threading.Event())
            self._start(*self._running[place])
