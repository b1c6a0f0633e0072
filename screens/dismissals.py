"""Which failed videos of a run are dismissed: recalled from the disk once, and kept there after each change."""

from collections.abc import Callable
from functools import partial

from screens.asking import Asking
from screens.failure_groups import FailureGroups
from screens.ports import FailedVideos, Refusal


class Dismissals:
    """Keeps what `groups` has dismissed; one thread at a time."""

    def __init__(
        self, screen: Asking, disk: FailedVideos, groups: FailureGroups, refused: Callable[[Refusal | None], None]
    ) -> None:
        self._screen = screen
        self._disk = disk
        self._groups = groups
        self._refused = refused
        self._run_id = 0
        self._kept: frozenset[int] = frozenset()
        self._keeping = False

    def turn_to(self, run_id: int, recalled: Callable[[], None]) -> None:
        """Recall what is dismissed of a run, and call `recalled` if that is anything."""
        self._run_id, self._kept = run_id, frozenset()
        self._groups.dismissed.clear()
        self._screen.aside(lambda: self._disk.dismissed(run_id), partial(self._recall, run_id, recalled))

    def keep(self) -> None:
        """Have it kept what is dismissed, where that is not what is kept."""
        run_id, wanted = self._run_id, frozenset(self._groups.dismissed)
        if self._keeping or wanted == self._kept:
            return

        def kept(refusal: Refusal | None) -> None:
            self._keeping, self._kept = False, wanted if run_id == self._run_id else self._kept
            self._refused(refusal)
            self.keep()

        self._keeping = True
        self._screen.aside(lambda: self._disk.dismiss(run_id, wanted), kept)

    def _recall(self, run_id: int, recalled: Callable[[], None], job_ids: frozenset[int]) -> None:
        if run_id == self._run_id and job_ids:
            self._kept = job_ids
            self._groups.dismiss(job_ids, back=False)
            recalled()
