"""What a row of the run history and one of the benchmark lab have in common."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pipeline.history import PastRun
from pipeline.text import clock
from screens.presenters.words import NONE, RUN_SIGNS
from screens.widgets.outside import Cell, Line, Tone, cell

Columns = Sequence[tuple[str, int, bool]]
"""Title, cells, and whether its texts stand to the right, of each column."""

FIRST: Columns = (("", 2, False), ("run", 4, True), ("  state", 16, False))
"""The columns that both begin with."""

_LEAST_LAST = 9
_MANY_DAYS_S = 300 * 86400.0


def with_last(columns: Columns, title: str, width: int) -> Columns:
    """Return the columns and one more that has what is left of the width, if that is worth it."""
    left = width - sum(cells for _, cells, _ in columns)
    return [*columns, (title, left, False)] if left >= _LEAST_LAST else columns


def heading(columns: Columns) -> Line:
    """Return the titles of the columns."""
    return tuple(cell(title, cells, "quiet", right=right) for title, cells, right in columns)


def row(run: PastRun, mark: str, now_s: float, columns: Columns, own: dict[str, tuple[str, Tone]]) -> Line:
    """Return a run: mark, number, state, when and how long, and what is its `own` by the title of the column."""
    sign, tone = RUN_SIGNS[run.state]
    texts: dict[str, tuple[str, Tone]] = own | {
        "": (mark, "accent"),
        "run": (str(run.run_id), "strong"),
        "  state": (f"  {sign} {run.state}", tone),
        "began": (moment(run.started_s or run.created_s, now_s), "quiet"),
        "took": (clock(run.elapsed_s) if run.elapsed_s else NONE, ""),
    }
    return tuple(cell(texts[title][0], cells, texts[title][1], right=right) for title, cells, right in columns)


def lacking(amount: int) -> tuple[str, Tone]:
    """Return how many failed."""
    return (f"{amount:,}", "bad") if amount else (NONE, "quiet")


def run_title(run: PastRun) -> Line:
    """Return what a page on a run begins with."""
    sign, tone = RUN_SIGNS[run.state]
    return Cell(f"run {run.run_id}  ", "strong"), Cell(f"{sign} {run.state}", tone)


def moment(at_s: float, now_s: float) -> str:
    """Return a moment in local time: day and time, of one long ago day and year."""
    return local(at_s, "%d %b %H:%M" if abs(now_s - at_s) < _MANY_DAYS_S else "%d %b %Y").lstrip("0")


def local(at_s: float, form: str) -> str:
    """Return a moment in local time as `strftime` writes it."""
    return datetime.fromtimestamp(at_s, UTC).astimezone().strftime(form)
