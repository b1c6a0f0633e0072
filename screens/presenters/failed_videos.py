"""The lines of the room of failures: headings and videos, and what is known of the selected one."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pipeline.job_facts import JobFacts
from pipeline.model import BAD
from pipeline.snapshot import JobRow, Snapshot
from pipeline.text import plural
from screens.actions import key_of
from screens.failure_groups import FailureGroups, Group, Heading
from screens.ports import Exported, Refusal
from screens.presenters.failures import failures_empty
from screens.presenters.job import attempt_row, field
from screens.presenters.job_head import stream_words
from screens.presenters.words import JOB_SIGNS, NONE, size
from screens.widgets.outside import Cell, Line, cell, line_width, sentence, spread

_WIDE = 70
_SAYINGS = 3
"""Different sentences that a group tells at most."""

Facts = JobFacts | Refusal | None
"""What the ledger said of a video; None while it has not answered."""


def group_words(group: Group) -> str:
    """Return class, stage and codec in a few words."""
    failure = group.failure.replace("_", " ") if group.failure else "no class"
    return f"{failure} · {group.stage or 'before the first stage'} · {group.codec or 'codec not known'}"


def title(snapshot: Snapshot, groups: FailureGroups, width: int) -> tuple[Line, Line]:
    """Return the two lines above the list."""
    run = snapshot.run
    if run is None:
        return (Cell("Failures", "strong"),), (Cell("No run is open.", "quiet"),)
    failed = run.count(*BAD)
    left: Line = (
        Cell("Failures", "strong"),
        Cell(f"  run {run.run_id}: {run.kind} · {run.preset}, {run.state}", "quiet"),
    )
    right: Line = (Cell(f"{failed:,} of {run.total:,} failed", "bad" if failed else "quiet"),)
    parts = [f"{plural(groups.group_count, 'group')}, {groups.sort}"] if groups.group_count else []
    if groups.needle:
        parts.append(f"filter leaves {plural(len(groups.job_ids), 'video')}")
    if groups.hidden:
        parts.append(f"{groups.hidden:,} dismissed, {key_of('failures.show')} shows them")
    elif groups.with_dismissed:
        parts.append(f"dismissed ones are shown, {key_of('failures.show')} hides them")
    return spread(left, right, width), (sentence(", ".join(parts), width, "quiet"),)


def heading_row(heading: Heading, width: int) -> Line:
    """Return the line above the videos of a group."""
    count = Cell(f"  {heading.videos:,}", "bad")
    words = sentence(group_words(heading.group), max(4, width - 2 - line_width((count,))), "strong")
    return Cell("▸ " if heading.folded else "▾ ", "accent"), words, count


def video_row(row: JobRow, width: int, *, dismissed: bool) -> Line:
    """Return one video: sign, name, attempts where there is room, and the sentence."""
    sign, tone = JOB_SIGNS[row.state]
    name = max(8, (width - 6) * 2 // 5)
    left: Line = (Cell("  "), cell(sign, 2, "quiet" if dismissed else tone), cell(row.name, name), Cell("  "))
    text = f"dismissed: {row.note}" if dismissed else row.note
    if width >= _WIDE:
        left = (*left, cell(f"{row.attempts}×", 4, "quiet", right=True), Cell("  "))
    return *left, sentence(text, max(4, width - line_width(left)), "quiet")


def list_empty(snapshot: Snapshot, groups: FailureGroups) -> tuple[Line, ...]:
    """Return what the empty list says."""
    if groups.needle:
        back = (Cell("  "), Cell(key_of("failures.back"), "accent"), Cell("  shows all of them", "quiet"))
        return (Cell("  No failed video contains "), Cell(f"“{groups.needle}”", "strong")), back
    if not groups.hidden:
        return failures_empty(snapshot)
    text = f"  All that failed ({plural(groups.hidden, 'video')}) is dismissed."
    return (Cell(text, "quiet"),), (
        Cell("  "),
        Cell(key_of("failures.show"), "accent"),
        Cell("  shows them again", "quiet"),
    )


def group_details(heading: Heading, rows: Sequence[JobRow], facts: Facts, width: int) -> tuple[Line, ...]:
    """Return what is known of a group: what (the first of) its videos say, and what to do."""
    said = Counter(row.note for row in rows).most_common(_SAYINGS)
    lines = [
        *field("group", group_words(heading.group), width, "strong"),
        *field("videos", f"{heading.videos:,}", width),
    ]
    for label, (text, count) in zip(("what", "", ""), said, strict=False):
        lines += field(label, f"{text} ({count:,})" if len(said) > 1 else text, width)
    lines += _remedy(facts, width)
    return tuple(lines)


def video_details(row: JobRow, facts: Facts, width: int) -> tuple[Line, ...]:
    """Return all that is known of a failed video: sentence, remedy, streams, place, attempts, technical detail."""
    sign, tone = JOB_SIGNS[row.state]
    where = f"in {row.stage}" if row.stage else "before the first stage"
    kind = row.failure.replace("_", " ") if row.failure else "no class"
    lines = [
        *field("video", row.name, width, "strong"),
        *field("state", f"{sign} {row.state}: {kind}, {where}", width, tone),
        *field("what", row.note, width),
        *_remedy(facts, width),
    ]
    if not isinstance(facts, JobFacts):
        return tuple(lines)
    if facts.streams is None:
        lines += field("streams", "not known: it failed before they were read", width)
    else:
        for label, text in zip(("picture", "sound"), stream_words(facts.streams), strict=True):
            lines += field(label, text, width)
    lines += field("file", f"{facts.source} ({size(facts.size_bytes)})", width)
    tries = f"{row.attempts:,}"
    if row.attempts < len(facts.attempts):
        tries += f" of {len(facts.attempts):,} count: the others ended by no fault of the video"
    lines += field("attempts", tries, width)
    lines += [attempt_row(attempt, width) for attempt in facts.attempts]
    for number, text in enumerate(facts.detail.splitlines()):
        lines += field("detail" if not number else "", text, width, "quiet")
    return tuple(lines)


def all_dismissed(rows: Sequence[JobRow], groups: FailureGroups) -> bool:
    """Return whether there are videos and all are dismissed already, so that the key takes them back."""
    return bool(rows) and groups.dismissed.issuperset(row.job_id for row in rows)


def exported(answer: Exported) -> str:
    """Return what was written and where."""
    paths = [Path(os.fsdecode(path)) for path in answer.paths]
    names = " and ".join(path.name for path in paths)
    return f"Wrote {plural(answer.videos, 'failed video')} as {names} in {paths[0].parent}"


def _remedy(facts: Facts, width: int) -> list[Line]:
    if isinstance(facts, Refusal):
        return field("facts", f"{facts.message} {facts.remedy}".strip(), width, "warn")
    return field("remedy", facts.remedy or NONE, width, "good") if facts else []
