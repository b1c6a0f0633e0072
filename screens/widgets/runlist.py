"""The list of runs: in an order, narrowed by a filter, one selected, at most two marked for a comparison."""

from textual.message import Message

from pipeline.history import PastRun
from pipeline.snapshot import Snapshot
from screens.presenters.runs import as_it_is, run_row, runs_empty, runs_heading
from screens.run_order import SORTS, arranged, next_sort
from screens.widgets.lines import LineView
from screens.widgets.outside import Line, outside

_LETTERS = "AB"


class RunList(LineView):
    """The selection stays with its run, the marks with theirs, also where the filter hides them."""

    noun = "runs"

    class Selected(Message):
        """Another run is selected."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.all: tuple[PastRun, ...] = ()
        """The runs as they are now, the newest first."""
        self.runs: tuple[PastRun, ...] = ()
        """Those that the filter leaves, in the order in which they are shown."""
        self.needle = ""
        self.sort = next(iter(SORTS))
        self._read: tuple[PastRun, ...] | None = None
        self.now_s = 0.0
        self._run_id: int | None = None
        self._marked: list[int] = []

    def take(self, runs: tuple[PastRun, ...] | None, snapshot: Snapshot, now_s: float) -> None:
        """Show these runs, None while they are not read yet, those that the engine tells of as they are now."""
        self._read, self.now_s = runs, now_s
        self.all = tuple(as_it_is(run, snapshot, now_s) for run in runs or ())
        self.rearrange()

    def sort_next(self) -> None:
        """Take the next order."""
        self.rearrange(sort=next_sort(self.sort))

    def rearrange(self, *, needle: str | None = None, sort: str | None = None) -> None:
        """Take another filter or order, and show the runs as both say."""
        self.needle, self.sort = self.needle if needle is None else needle, sort or self.sort
        self.runs = arranged(self.all, self.needle, self.sort)
        self.border_title = outside(f"{self.noun}, {self.sort}")
        self.border_subtitle = outside(
            f"/{self.needle}: {len(self.runs):,} of {len(self.all):,}" if self.needle else ""
        )
        self.sync()

    def match(self, step: int) -> None:
        """Select the next run that the filter leaves, or the one before, round the ends."""
        if self.runs:
            self._go((self.cursor + step) % len(self.runs))

    def mark(self) -> None:
        """Mark the selected run, or take its mark away; a third mark replaces the first."""
        run = self.run
        if run is None:
            return
        if run.run_id in self._marked:
            self._marked.remove(run.run_id)
        else:
            self._marked = [*self._marked, run.run_id][-len(_LETTERS) :]
        self.sync()

    @property
    def run(self) -> PastRun | None:
        """The selected run: the first until another is chosen."""
        return self.runs[self.cursor] if self.runs else None

    @property
    def pair(self) -> tuple[PastRun, ...]:
        """The two runs to compare: those marked, or the marked one and the selected one; empty if that is not two."""
        wanted = list(self._marked)
        if len(wanted) == 1 and self.run is not None and self.run.run_id not in wanted:
            wanted.append(self.run.run_id)
        found = {run.run_id: run for run in self.all if run.run_id in wanted}
        return tuple(found[run_id] for run_id in wanted if run_id in found) if len(found) == len(_LETTERS) else ()

    @property
    def cursor(self) -> int:
        """The position of the selected run, -1 = there is none."""
        positions = (index for index, run in enumerate(self.runs) if run.run_id == self._run_id)
        return next(positions, 0 if self.runs else -1)

    def select(self, position: int) -> None:
        """Select the run at a position."""
        self._run_id = self.runs[position].run_id
        self.post_message(self.Selected())

    def unselect(self) -> None:
        """Stay with the first run."""
        self._run_id = None
        self.post_message(self.Selected())

    def row_count(self) -> int:
        """Return how many runs there are."""
        return len(self.runs)

    def row(self, index: int, width: int) -> Line:
        """Return one run."""
        run = self.runs[index]
        return run_row(run, self.mark_of(run), self.now_s, width)

    def mark_of(self, run: PastRun) -> str:
        """Return the letter that marks a run, empty where it is not marked."""
        return _LETTERS[self._marked.index(run.run_id)] if run.run_id in self._marked else ""

    def heading(self, width: int) -> Line | None:
        """Return the titles of the columns."""
        return runs_heading(width) if self.runs else None

    def empty(self, width: int) -> tuple[Line, ...]:
        """Return what an empty history says, once it is known to be empty."""
        return runs_empty(self.needle) if self.known else ()

    @property
    def known(self) -> bool:
        """Whether the runs have been read."""
        return self._read is not None
