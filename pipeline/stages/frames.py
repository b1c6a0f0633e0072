"""Stage frames: which frames of a video are kept, decided while it is decoded, with a bounded number held."""

from bisect import bisect_left
from collections.abc import Iterable

from pipeline.media.seen import Candidate
from pipeline.stage_sections import FramesSettings

_RECENT = 2
_MB = 1 << 20


class SceneChooser:
    """Holds the best candidates of the scene that is open and chooses when it closes.

    Time is cut into cells; each cell holds its best candidate. When there are too many, cells are joined two by two,
    so that what is held depends on the candidates alone and never grows with the scene. The newest candidates are
    held apart, because a cut becomes certain only some frames after it.
    """

    def __init__(self, settings: FramesSettings, cell_s: float) -> None:
        self._settings = settings
        self._least_s = cell_s or 0.5
        self._cell_s = self._least_s
        self._cells: dict[int, Candidate] = {}
        self._recent: list[Candidate] = []

    def add(self, candidate: Candidate) -> None:
        """Take the next candidate in time."""
        self._recent.append(candidate)
        if len(self._recent) > _RECENT:
            self._settle(self._recent.pop(0))

    def held(self) -> list[Candidate]:
        """Return the candidates that are held, of which some may be of the next scene."""
        return [*self._cells.values(), *self._recent]

    def close(self, start_s: float, end_s: float) -> list[Candidate]:
        """Return the frames to keep of the scene `[start_s, end_s)`, in order; later candidates go on to the next.

        A picture is a scene of no length: all candidates are its own.
        """
        held = self.held()
        self._cells, self._recent, self._cell_s = {}, [], self._least_s
        goes_on = [candidate.time_s >= end_s > start_s for candidate in held]
        mine = [candidate for candidate, later in zip(held, goes_on, strict=True) if not later]
        for candidate, later in zip(held, goes_on, strict=True):
            if later:
                self.add(candidate)
        return choose(mine, start_s, end_s, self._settings.frames_per_scene)

    def _settle(self, candidate: Candidate) -> None:
        self._keep(candidate)
        room = max(2, self._settings.hold_mb * _MB // 4 // max(1, candidate.held_bytes))
        while len(self._cells) > min(room, max(8, 2 * self._settings.frames_per_scene)):
            self._cell_s *= 2
            held, self._cells = self._cells, {}
            for other in held.values():
                self._keep(other)

    def _keep(self, candidate: Candidate) -> None:
        cell = int(candidate.time_s / self._cell_s)
        before = self._cells.get(cell)
        if before is None or rank(candidate) > rank(before):
            self._cells[cell] = candidate


def rank(candidate: Candidate) -> tuple[bool, float]:
    """Return by what candidates are compared: good ones before black and empty ones, then the sharper."""
    return candidate.good, candidate.sharpness


def choose(candidates: list[Candidate], start_s: float, end_s: float, most: int) -> list[Candidate]:
    """Return up to `most` candidates, the sharpest of each equal part of the scene.

    Black and empty ones are left out unless there is nothing else; then the best one is taken.
    """
    good = [candidate for candidate in candidates if candidate.good]
    if not good:
        return [max(candidates, key=rank)] if candidates else []
    part_s = max(end_s - start_s, 1e-9) / most
    best: dict[int, Candidate] = {}
    for candidate in good:
        part = min(most - 1, max(0, int((candidate.time_s - start_s) / part_s)))
        if part not in best or candidate.sharpness > best[part].sharpness:
            best[part] = candidate
    return [best[part] for part in sorted(best)]


class Reservoir:
    """Holds candidates spread evenly over a video of unknown length.

    Only every n-th cell of the grid is held; n doubles whenever there are more than twice the frames wanted.
    """

    def __init__(self, settings: FramesSettings, cell_s: float) -> None:
        self._settings = settings
        self._cell_s = cell_s or 0.5
        self._stride = 1
        self._held: dict[int, Candidate] = {}

    def add(self, candidate: Candidate) -> None:
        """Take the next candidate in time."""
        cell = int((candidate.time_s + 1e-6) / self._cell_s)
        if cell % self._stride or cell in self._held:
            return
        self._held[cell] = candidate
        room = max(4, self._settings.hold_mb * _MB // 4 // max(1, candidate.held_bytes))
        while len(self._held) > min(room, 2 * self._settings.uniform_frames):
            self._stride *= 2
            self._held = {cell: held for cell, held in self._held.items() if cell % self._stride == 0}

    def spread(self, duration_s: float) -> list[Candidate]:
        """Return up to `uniform_frames` of what is held, nearest to the middles of equal parts of the video."""
        return spread(list(self._held.values()), duration_s, self._settings.uniform_frames)


def spread(candidates: Iterable[Candidate], duration_s: float, most: int) -> list[Candidate]:
    """Return up to `most` candidates nearest to the middles of as many equal parts of the video, in order."""
    held = sorted(candidates, key=lambda candidate: candidate.time_s)
    if len(held) <= most:
        return held
    times = [candidate.time_s for candidate in held]
    taken: set[int] = set()
    for part in range(most):
        middle = duration_s * (part + 0.5) / most
        after = bisect_left(times, middle)
        near = [place for place in range(len(times)) if place not in taken] if after in taken else [after - 1, after]
        free = [place for place in near if 0 <= place < len(times) and place not in taken]
        if free:
            taken.add(min(free, key=lambda place: (abs(times[place] - middle), place)))
    return [held[place] for place in sorted(taken)]
