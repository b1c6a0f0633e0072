"""The list of benchmarks: one selected, at most two marked for a comparison."""

from screens.presenters.lab import lab_empty, lab_heading, lab_row
from screens.widgets.outside import Line
from screens.widgets.runlist import RunList


class LabList(RunList):
    """Rows of the lab where the run history has rows of videos."""

    noun = "benchmarks"

    def row(self, index: int, width: int) -> Line:
        """Return one benchmark."""
        run = self.runs[index]
        return lab_row(run, self.mark_of(run), self.now_s, width)

    def heading(self, width: int) -> Line | None:
        """Return the titles of the columns."""
        return lab_heading(width) if self.runs else None

    def empty(self, width: int) -> tuple[Line, ...]:
        """Return what an empty list says, once it is known to be empty."""
        return lab_empty() if self.known else ()
