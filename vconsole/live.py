"""Live progress of a headless run on a terminal, drawn by Rich below the lines that stay."""

from collections.abc import Iterable
from itertools import islice
from typing import IO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pipeline.model import BAD, TERMINAL, JobState
from pipeline.snapshot import JobRow, RunView, Snapshot
from pipeline.text import visible
from vconsole.events import ENDED, Event, JobChanged, RunChanged, Told
from vconsole.output import tolerate
from vconsole.progress import job_line, run_line, status_line
from vconsole.summary import Summary, as_lines

SHOWN_JOBS = 8
"""Running videos that are shown at most."""

WIDEST_BAR, NARROWEST_BAR = 40, 8
"""Columns of the bar; where fewer are left beside the words there is none."""

_STYLES = {
    JobState.PARTIAL: "yellow",
    JobState.FAILED: "red",
    JobState.QUARANTINED: "red",
    JobState.WAITING: "yellow",
    JobState.SKIPPED: "dim",
}


class LiveFace:
    """Failures and notices as lines that stay, and under them how far the run is."""

    def __init__(self, stream: IO[str]) -> None:
        tolerate(stream)
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def tell(self, event: Event) -> None:
        """Write what stays on screen: all that is not plain success."""
        match event:
            case RunChanged(run) if run.state not in ENDED:
                self._print(run_line(run), "bold")
            case JobChanged(row) if row.state in _STYLES:
                self._print(job_line(row), _STYLES[row.state])
            case Told(notice):
                self._print(f"{notice.level}: {visible(notice.text)}", "" if notice.level == "info" else "yellow")

    def tick(self, snapshot: Snapshot) -> None:
        """Draw how things stand."""
        if snapshot.run is None:
            return
        if not self._live.is_started:
            self._live.start()
        self._live.update(drawing(snapshot, snapshot.run, self._console.width), refresh=True)

    def end(self, summary: Summary) -> None:
        """Take the drawing away and write the summary."""
        self.close()
        style = "yellow" if summary.interrupted else "red" if summary.run.count(*BAD) else "green"
        for number, line in enumerate(as_lines(summary)):
            self._print(line, f"bold {style}" if number == 0 else "")

    def close(self) -> None:
        """Take the drawing away and show the cursor again."""
        if self._live.is_started:
            self._live.stop()

    def _print(self, line: str, style: str = "") -> None:
        self._console.print(Text(line, style=style), soft_wrap=True)


def drawing(snapshot: Snapshot, run: RunView, width: int) -> Group:
    """Return how things stand as a picture of at most `width` columns."""
    status = Text(status_line(run), no_wrap=True, overflow="ellipsis")
    room = min(WIDEST_BAR, width - status.cell_len - 1)
    bar = ProgressBar(total=max(1, run.total), completed=run.count(*TERMINAL), width=room)
    head = Table.grid(padding=(0, 1))
    head.add_row(*([bar, status] if room >= NARROWEST_BAR else [status]))
    running = (row for row in snapshot.jobs if row.state is JobState.RUNNING)
    active = islice(running, min(SHOWN_JOBS, run.count(JobState.RUNNING)))
    bottleneck = Text(visible(run.bottleneck), style="dim", no_wrap=True, overflow="ellipsis")
    return Group(head, _active_table(active), bottleneck)


def _active_table(rows: Iterable[JobRow]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for _ in range(3):
        table.add_column(no_wrap=True, justify="right")
    for row in rows:
        doing = f"waits for {visible(row.waiting_for)}" if row.waiting_for else row.parts_over or str(row.stage or "")
        rate = f"{row.rate:.1f} x" if row.rate else ""
        table.add_row(Text(visible(row.name)), Text(doing), Text(f"{row.progress:4.0%}"), Text(rate))
    return table
