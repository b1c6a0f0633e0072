"""The rows of the stages pane: what each stage of the run does, and which of them is busy."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.snapshot import Snapshot, StageView
from screens.presenters.words import NONE, graph, number, percent, seconds_short, size, spark
from screens.widgets.outside import Cell, Line, Tone, cell


@dataclass(frozen=True)
class _Column:
    title: str
    width: int
    text: Callable[[StageView], str]
    from_width: int = 0
    """The width of the pane from which on this column is shown."""


_COLUMNS = (
    _Column("items/s", 7, lambda stage: number(stage.items_per_s)),
    _Column("video", 7, lambda stage: f"{number(stage.video_s_per_s)}×" if stage.video_s_per_s > 0 else NONE, 56),
    _Column("p50", 6, lambda stage: seconds_short(stage.p50_s)),
    _Column("p95", 6, lambda stage: seconds_short(stage.p95_s), 44),
    _Column("wait", 5, lambda stage: f"{stage.queue_depth:,}" if stage.queue_depth else NONE),
    _Column("busy", 5, lambda stage: percent(stage.busy_share)),
    _Column("done", 8, lambda stage: f"{stage.done:,}" if stage.done else NONE, 70),
    _Column("held", 10, lambda stage: size(stage.bytes_waiting) if stage.bytes_waiting else NONE, 82),
)
_BUSY = frozenset({"busy", "waiting"})
_SHORTEST_HISTORY = 6
_GRAPH = 5
"""Lines that one stage takes at most, an empty one below its graph included."""


def stages(snapshot: Snapshot, width: int, height: int) -> tuple[Line, ...]:
    """Return a heading and one line a stage, more where a graph over several lines has room; none: one quiet line."""
    if not snapshot.stages:
        return ((Cell("Each stage's rate shows here", "quiet"),), (Cell("once a run is going.", "quiet"),))
    longest = max(len(stage.stage) for stage in snapshot.stages)
    columns = _that_fit(width, longest)
    taken = sum(column.width for column in columns)
    name = min(longest + 2, max(4, width - taken))
    figures = name + taken + 2
    rows = min(_GRAPH, max(1, (height - 1) // len(snapshot.stages)))
    busiest = max(stage.busy_share for stage in snapshot.stages)
    lines: list[Line] = [
        (
            cell("stage", name, "quiet"),
            *(cell(column.title, column.width, "quiet", right=True) for column in columns),
        )
    ]
    for stage in snapshot.stages:
        row = _row(stage, name, columns, busiest)
        if width - figures < _SHORTEST_HISTORY:
            lines.append(row)
        elif rows == 1:
            lines.append((*row, Cell("  "), Cell(spark(stage.history, width - figures), "graph")))
        else:
            blank = (Cell(" " * (figures - 2)),)
            drawn = graph(stage.history, width - figures, rows - 1, top=max((*stage.history, 1e-9)))
            for at, part in enumerate(drawn):
                lines.append((*(blank if at else row), Cell("  "), Cell(part, "graph")))
            lines.append(())
    return tuple(lines)


def _that_fit(width: int, longest: int) -> list[_Column]:
    """Return the columns for a pane; a long name of a stage takes the place of the one that tells least."""
    columns = [column for column in _COLUMNS if width >= column.from_width]
    if sum(column.width for column in columns) + longest >= width:
        columns = [column for column in columns if column.title != "wait"]
    return columns


def workers_title(snapshot: Snapshot) -> str:
    """Return what stands in the border under the stages: how many workers there are, and how many are wanted."""
    if snapshot.run is None or snapshot.worker_plan is None:
        return ""
    wanted = snapshot.worker_plan.workers
    busy = sum(worker.state in _BUSY for worker in snapshot.workers)
    there = len(snapshot.workers)
    pool = f"workers {busy}/{there} busy"
    return pool if there == wanted else f"{pool}, {wanted} wanted"


def _row(stage: StageView, name: int, columns: list[_Column], busiest: float) -> Line:
    idle = stage.items_per_s <= 0 and stage.busy_share <= 0
    tone: Tone = "quiet" if idle else ""
    name_tone: Tone = "accent" if stage.busy_share == busiest > 0 else tone
    return (
        cell(stage.stage, name, name_tone),
        *(cell(column.text(stage), column.width, tone, right=True) for column in columns),
    )
