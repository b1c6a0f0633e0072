"""What a choice of folders holds, in words."""

from collections.abc import Sequence

from pipeline.forecast import Holding
from pipeline.model import RunKind
from pipeline.text import plural, visible
from screens.choice import Choice
from screens.presenters.words import about, size
from screens.widgets.outside import Cell, Line, cell, wrap


def short(holding: Holding) -> str:
    """Return a few words for a line of the tree."""
    more = "" if holding.over and not holding.capped else "+"
    return f"{holding.videos:,}{more} · {size(holding.source_bytes)}" if holding.videos or holding.over else "…"


def held(holding: Holding) -> str:
    """Return how many videos, bytes and hours it holds, and how sure that is."""
    least = "at least " if holding.capped else ""
    told = f"{least}{plural(holding.videos, 'video')}, {size(holding.source_bytes)}"
    if holding.videos:
        told += f", {hours(holding)}"
    return told if holding.over else f"{told}; counting…"


def hours(holding: Holding) -> str:
    """Return the length of all videos, told as a guess where it is one."""
    if holding.expected_s is None:
        return "hours unknown"
    if holding.known_bytes == holding.source_bytes:
        return about(holding.expected_s)
    return f"about {about(holding.expected_s)} by size"


def here_lines(path: bytes, holding: Holding | None, width: int) -> tuple[Line, ...]:
    """Return what the entry under the cursor holds."""
    if not path:
        return ()
    name = path.rstrip(b"/").rpartition(b"/")[2] or path
    told = "not counted yet" if holding is None else held(holding)
    problem = [(Cell(row, "warn"),) for row in wrap(holding.problem, width)] if holding and holding.problem else []
    return ((cell(visible(name), width, "strong"),), *((Cell(row, "quiet"),) for row in wrap(told, width)), *problem)


def chosen_lines(choice: Choice, width: int) -> tuple[Line, ...]:
    """Return a row for each path that is chosen."""
    rows: list[Line] = []
    for path in choice.paths:
        told = short(choice.holdings[path]) if path in choice.holdings else "…"
        room = max(8, width - len(told) - 1)
        rows.append((cell(visible(path), room), Cell(f" {told}", "quiet")))
    return tuple(rows)


def total_words(choice: Choice) -> str:
    """Return what all that is chosen holds, for a title."""
    return held(choice.total()) if choice.paths else "nothing chosen yet"


_ENDINGS = {RunKind.EXTRACT: b"-features", RunKind.TRANSCODE: b"-transcoded"}


def output_for(paths: Sequence[bytes], kind: RunKind) -> bytes:
    """Return the output folder that is proposed: beside the first of them."""
    return paths[0] + _ENDINGS[kind] if paths and paths[0].strip(b"/") else b""
