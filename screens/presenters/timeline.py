"""The course of a video as three lines: its scenes with their cuts and lost parts, its kept frames, and the time."""

from pipeline.job_facts import TimelineFacts
from pipeline.text import clock
from screens.widgets.outside import Cell, Line, Tone, line_width

_LEGEND: Line = (
    Cell("┃", "strong"),
    Cell(" cut  ", "quiet"),
    Cell("•", "accent"),
    Cell(" kept  ", "quiet"),
    Cell("▲", "strong"),
    Cell(" shown", "quiet"),
)
_LOST: Line = (Cell("  "), Cell("×", "bad"), Cell(" lost", "quiet"))


def timeline(course: TimelineFacts, shown: int, width: int) -> tuple[Line, ...]:
    """Return the strip drawn to the width; `shown` is the place of the frame that is on the screen."""
    length_s = max([course.duration_s, *(scene.end_s for scene in course.scenes[-1:])])
    if length_s <= 0:
        return ((Cell("A single picture: there is no course of time.", "quiet"),),)
    return (
        _joined(_scenes(course, length_s, width)),
        _joined(_frames(course, shown, length_s, width)),
        _axis(course, length_s, width),
    )


def _place(time_s: float, length_s: float, width: int) -> int:
    return min(width - 1, max(0, int(time_s / length_s * width)))


def _scenes(course: TimelineFacts, length_s: float, width: int) -> list[Cell]:
    cells = [Cell("─", "track")] * width
    for number, scene in enumerate(course.scenes):
        first, last = _place(scene.start_s, length_s, width), _place(scene.end_s, length_s, width)
        tone: Tone = "graph" if number % 2 else "bar"
        cells[first : last + 1] = [Cell("━", tone)] * (last + 1 - first)
    for scene in course.scenes[1:]:
        cells[_place(scene.start_s, length_s, width)] = Cell("┃", "strong")
    for part in course.lost:
        first, last = _place(part.start_s, length_s, width), _place(part.end_s, length_s, width)
        cells[first : last + 1] = [Cell("×", "bad")] * (last + 1 - first)
    return cells


def _frames(course: TimelineFacts, shown: int, length_s: float, width: int) -> list[Cell]:
    cells = [Cell(" ")] * width
    for frame in course.frames:
        cells[_place(frame.time_s, length_s, width)] = Cell("•", "accent")
    if 0 <= shown < len(course.frames):
        cells[_place(course.frames[shown].time_s, length_s, width)] = Cell("▲", "strong")
    return cells


def _axis(course: TimelineFacts, length_s: float, width: int) -> Line:
    start, end = Cell("0:00", "quiet"), Cell(clock(length_s), "quiet")
    legend = (*_LEGEND, *(_LOST if course.lost else ()))
    left = width - line_width((start, end)) - line_width(legend)
    if left < 4:
        return start, Cell(" " * max(1, width - line_width((start, end)))), end
    return start, Cell(" " * (left // 2)), *legend, Cell(" " * (left - left // 2)), end


def _joined(cells: list[Cell]) -> Line:
    """Return the cells with neighbours of one tone made one."""
    joined: list[Cell] = []
    for part in cells:
        if joined and joined[-1].tone == part.tone:
            joined[-1] = Cell(joined[-1].text + part.text, part.tone)
        else:
            joined.append(part)
    return tuple(joined)
