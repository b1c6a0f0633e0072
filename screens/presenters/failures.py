"""The rows of the failures pane."""

from pipeline.model import BAD
from pipeline.snapshot import FailureRow, Snapshot
from screens.presenters.words import JOB_SIGNS
from screens.widgets.outside import Cell, Line, cell, sentence

_WIDE = 70
_CLASS = 15
_SENTENCE = 60
"""Columns that most sentences need at most; names get the rest."""


def failure_row(row: FailureRow, width: int) -> Line:
    """Return one failure: sign, class where there is room, name, sentence."""
    sign, tone = JOB_SIGNS[row.state]
    words = row.failure.replace("_", " ")
    if width < _WIDE:
        name = max(8, (width - 4) * 2 // 5)
        text = f"{words}: {row.message}"
        return cell(sign, 2, tone), cell(row.name, name), Cell("  "), sentence(text, max(4, width - 4 - name), "quiet")
    name = max(12, (width - _CLASS - 14) // 3, width - _CLASS - 14 - _SENTENCE)
    return (
        cell(sign, 2, tone),
        cell(words, _CLASS, tone),
        cell(row.stage or "", 8, "quiet"),
        cell(row.name, name),
        Cell("  "),
        sentence(row.message, max(4, width - 2 - _CLASS - 8 - name - 2), "quiet"),
    )


def failures_empty(snapshot: Snapshot) -> tuple[Line, ...]:
    """Return what the empty pane says: that nothing failed, where that is true."""
    if snapshot.run is None:
        return ((Cell("  Failed videos show here, with the reason.", "quiet"),),)
    return ((Cell("  ✓ ", "good"), Cell("Nothing has failed.", "quiet")),)


def failures_title(snapshot: Snapshot) -> str:
    """Return what stands in the border under the failures."""
    if snapshot.run is None:
        return ""
    failed = snapshot.run.count(*BAD)
    shown = len(snapshot.failures)
    return f"newest {shown:,} of {failed:,}" if failed > shown > 0 else f"{failed:,} failed" if failed else ""
