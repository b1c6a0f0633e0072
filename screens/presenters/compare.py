"""Two runs side by side: what they did, the rate of each stage, and the settings and versions that differ."""

from collections.abc import Mapping, Sequence

from pipeline.history import RunDetails, StageTime
from pipeline.model import BAD, JobState, Stage
from pipeline.text import clock
from screens.ports import Refusal
from screens.presenters.run_table import moment
from screens.presenters.runs import machine_facts
from screens.presenters.words import NONE, RUN_SIGNS, number
from screens.widgets.outside import Cell, Line, Tone, cell, wrap

Facts = RunDetails | Refusal | None
"""What is known of a run: None until it is read."""

_NAME = 26
_CHANGE = 9


def comparison(one: Facts, other: Facts, now_s: float, width: int) -> tuple[Line, ...]:
    """Return the comparison of two runs, A and B; of a run that is not read yet or cannot be, only that."""
    for facts in (one, other):
        if facts is None:
            return ((Cell("reading both runs…", "quiet"),),)
        if isinstance(facts, Refusal):
            return tuple((Cell(row, "bad"),) for row in wrap(f"✗ {facts.message} {facts.remedy}", width))
    assert isinstance(one, RunDetails)
    assert isinstance(other, RunDetails)
    return (
        *_row(("", f"A  run {one.run.run_id}", f"B  run {other.run.run_id}"), width, "strong"),
        *_beside(_outcome(one), _outcome(other), width),
        *_row(("× real time", _times(one.rate), _times(other.rate)), width, change=_change(one.rate, other.rate)),
        (),
        *_stages(one.stages, other.stages, width),
        (),
        *_different("settings that differ", _settings(one), _settings(other), width),
        (),
        *_reported(one, other, width),
        (),
        *_beside(_places(one, now_s), _places(other, now_s), width),
    )


def _beside(left: Mapping[str, str], right: Mapping[str, str], width: int) -> list[Line]:
    return [line for name in left for line in _row((name, left[name], right[name]), width)]


def _outcome(facts: RunDetails) -> dict[str, str]:
    run = facts.run
    return {
        "state": f"{RUN_SIGNS[run.state][0]} {run.state}",
        "kind, preset": f"{run.kind} · {run.preset}",
        "videos": f"{run.total:,}",
        "done, failed": f"{run.count(JobState.DONE, JobState.PARTIAL):,}, {run.count(*BAD):,}",
        "took": clock(run.elapsed_s) if run.elapsed_s else NONE,
    }


def _places(facts: RunDetails, now_s: float) -> dict[str, str]:
    run = facts.run
    return {
        "video made": clock(facts.made_video_s) if facts.made_video_s else NONE,
        "frames": f"{facts.frames:,}",
        "began": moment(run.started_s, now_s) if run.started_s else NONE,
        "videos in": ", ".join(run.inputs) or NONE,
        "outputs in": run.out,
    }


def _stages(one: Sequence[StageTime], other: Sequence[StageTime], width: int) -> list[Line]:
    left, right = ({time.stage: time.rate for time in times} for times in (one, other))
    stages = [stage for stage in Stage if stage in left or stage in right]
    if not stages:
        return [(Cell("no stage has made anything in either run", "quiet"),)]
    lines: list[Line] = [(Cell("seconds of video per second in the stage", "quiet"),)]
    for stage in stages:
        rates = left.get(stage, 0.0), right.get(stage, 0.0)
        lines += _row((stage, _times(rates[0]), _times(rates[1])), width, change=_change(*rates))
    return lines


def _settings(facts: RunDetails) -> dict[str, str]:
    return {one.name: one.value for one in facts.settings}


def _reported(one: RunDetails, other: RunDetails, width: int) -> list[Line]:
    untold = [facts for facts in (one, other) if facts.untold]
    if not untold:
        left, right = ({**dict(facts.versions), **machine_facts(facts)} for facts in (one, other))
        return _different("versions and machine that differ", left, right, width)
    lines: list[Line] = [(Cell("versions and machine", "quiet"),)]
    for facts in untold:
        lines += [(Cell(row),) for row in wrap(f"not known of run {facts.run.run_id}. {facts.untold}", width)]
    return lines


def _different(title: str, left: Mapping[str, str], right: Mapping[str, str], width: int) -> list[Line]:
    names = [name for name in {**left, **right} if left.get(name) != right.get(name)]
    if not names:
        return [(Cell(f"{title}: none", "quiet"),)]
    lines: list[Line] = [(Cell(title, "quiet"),)]
    for name in names:
        lines += _row((name, left.get(name, NONE), right.get(name, NONE)), width)
    return lines


def _row(texts: tuple[str, str, str], width: int, tone: Tone = "", *, change: str = "") -> list[Line]:
    """Return a name and two values beside each other, over as many lines as the longer one needs."""
    name = min(_NAME, max(12, width // 3))
    column = max(8, (width - name - _CHANGE) // 2)
    left, right = (wrap(text, column - 2) for text in texts[1:])
    height = max(len(left), len(right))
    lines: list[Line] = []
    for index in range(height):
        parts = (rows[index] if index < len(rows) else "" for rows in (left, right))
        head = cell(texts[0] if index == 0 else "", name, "quiet")
        end = (cell(change, _CHANGE, "accent", right=True),) if change and index == 0 else ()
        lines.append((head, *(cell(part, column, tone) for part in parts), *end))
    return lines


def _times(rate: float) -> str:
    return f"{number(rate)}×" if rate > 0 else NONE


def _change(before: float, after: float) -> str:
    """Return how many times as fast the second is, or nothing where one is not known."""
    return f"B {after / before:.2f}×" if before > 0 and after > 0 else ""
