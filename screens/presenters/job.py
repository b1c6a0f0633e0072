"""What the screen of one video says below its head: all that is known of the work on it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pipeline.job_facts import AttemptFacts, ClassFacts, JobFacts, SpeechFact, TextFact
from pipeline.model import BAD, TERMINAL
from pipeline.text import clock, plural
from screens.presenters.transcode import transcode_sheet
from screens.presenters.words import JOB_SIGNS, NONE, bar, joined, percent, seconds_short, size
from screens.widgets.outside import Cell, Line, Tone, cell, line_width, sentence, wrap

_LABEL = 10
_BAR = 12
_LIKELIEST = 4
"""Classes of a video that are told with their probabilities."""
_DATED = 46
"""Width from which an attempt is told with its date."""


def job_body(facts: JobFacts, width: int) -> tuple[Line, ...]:
    """Return all that is known of the work on a video: failure, stages, attempts, outputs, source, log."""
    sheet = transcode_sheet(facts.transcode, width) if facts.transcode else []
    found = (_text(facts, width), _speech(facts, width))
    classes = _classes(facts.classes, width) if facts.classes else []
    blocks = (_failure(facts, width), sheet, classes, _stages(facts, width), *found, _chunks(facts, width))
    lines: list[Line] = []
    for block in (*blocks, _attempts(facts, width), _outputs(facts, width), _log(facts, width)):
        lines += [*([()] if lines and block else []), *block]
    return tuple(lines)


def _failure(facts: JobFacts, width: int) -> list[Line]:
    if facts.failure is None or facts.state not in BAD:
        return []
    return [
        *field("what", facts.message, width, "bad"),
        *field("class", f"{facts.failure.replace('_', ' ')}, in {facts.stage or 'no stage yet'}", width),
        *field("remedy", facts.remedy, width, "good"),
    ]


def _classes(classes: ClassFacts, width: int) -> list[Line]:
    """Return the likeliest classes of the video, and below them that of each scene where there are several."""
    by = "words" if classes.method == "words" else f"examples ({classes.method})"
    lines: list[Line] = [(sentence(f"class: {classes.label or 'none is likely enough'}", width, "strong"),)]
    lines += [(Cell("  "), Cell(row, "quiet")) for row in wrap(f"by {by}, vectors of {classes.model}", width - 2)]
    shares = classes.shares[:_LIKELIEST]
    name_width = min(max((len(one.name) for one in shares), default=0), width // 2)
    for one in shares:
        gauge = bar(one.probability, min(_BAR, max(0, width - name_width - 9)))
        figure = cell(percent(one.probability), 5, right=True)
        lines.append((Cell("  "), cell(one.name, name_width), figure, Cell("  "), *gauge))
    if len(classes.scenes) > 1:
        for scene in classes.scenes:
            told = f"{scene.label or NONE} {percent(scene.probability)}" if scene.probability else NONE
            span = f"{clock(scene.start_s)}-{clock(scene.end_s)}"
            lines.append((Cell("  "), sentence(f"{span}  {told}", max(8, width - 2))))
    return lines


def _stages(facts: JobFacts, width: int) -> list[Line]:
    if not facts.seconds:
        told = "no stage was timed" if facts.state in TERMINAL else "their seconds are known when the video is done"
        return [_title("stages"), *((Cell(f"  {row}", "quiet"),) for row in wrap(told, max(8, width - 2)))]
    longest = max(seconds for _, seconds in facts.seconds) or 1.0
    lines = [_title("stages, of an earlier run" if facts.reused else "stages")]
    for stage, seconds in facts.seconds:
        gauge = bar(seconds / longest, min(_BAR, max(0, width - 20)))
        lines.append((cell(f"  {stage}", _LABEL + 1), cell(seconds_short(seconds), 7, right=True), Cell("  "), *gauge))
    return lines


def has_words(facts: JobFacts) -> bool:
    """Whether anything is known to be said or shown in the video."""
    return facts.timeline is not None and bool(facts.timeline.text or facts.timeline.speech)


def found_words(facts: JobFacts, wanted: str, width: int) -> tuple[Line, ...]:
    """Return what is said or shown with the words that are wanted, with its times."""
    text, speech = _text(facts, width, wanted), _speech(facts, width, wanted)
    return *text, *([()] if text and speech else []), *speech


def _text(facts: JobFacts, width: int, wanted: str = "") -> list[Line]:
    """Return the on-screen text, where it was asked for."""
    if facts.timeline is None or facts.timeline.text is None:
        return []
    return _timed("on-screen text", facts.timeline.text, width, wanted, "none was read")


def _speech(facts: JobFacts, width: int, wanted: str = "") -> list[Line]:
    """Return what is said, where it was asked for."""
    if facts.timeline is None or facts.timeline.speech is None:
        return []
    language = f", in {facts.timeline.language}" if facts.timeline.language else ""
    return _timed(f"speech{language}", facts.timeline.speech, width, wanted, "none was heard")


def _timed(title: str, known: Sequence[TextFact | SpeechFact], width: int, wanted: str, none: str) -> list[Line]:
    """Return a title, and below it the words with their times, those that are wanted where any are."""
    found = [one for one in known if wanted.casefold() in one.text.casefold()]
    lines: list[Line] = [_title(f"{title}: {len(found):,} of {len(known):,}" if wanted else title)]
    if not known:
        lines.append((Cell(f"  {none}", "quiet"),))
    for one in found:
        told = f"{clock(one.start_s)}-{clock(one.end_s)}  {one.text}"
        lines += [(Cell("  "), Cell(row)) for row in wrap(told, max(8, width - 2))]
    return lines


def _chunks(facts: JobFacts, width: int) -> list[Line]:
    """Return the chunks that a long video is done in, each with its attempts."""
    if not facts.chunks:
        return []
    lines = [_title("chunks")]
    for chunk in facts.chunks:
        sign, tone = JOB_SIGNS[chunk.state]
        span = f"{clock(chunk.start_s)}-{clock(chunk.end_s)}"
        told = joined((str(chunk.state), plural(chunk.attempts, "attempt"), chunk.message), max(8, width))
        left: Line = (cell(f"  {chunk.number + 1}", 6, "quiet"), cell(sign, 2, tone), cell(span, 18, "quiet"))
        lines.append((*left, sentence(told, max(4, width - line_width(left)), tone)))
    return lines


def _attempts(facts: JobFacts, width: int) -> list[Line]:
    if not facts.attempts:
        why = "  none: the output was whole already" if facts.reused else "  none yet"
        return [_title("attempts"), (Cell(why, "quiet"),)]
    return [_title("attempts"), *(attempt_row(attempt, width) for attempt in facts.attempts)]


def attempt_row(attempt: AttemptFacts, width: int) -> Line:
    """Return one attempt: its number, when it began, how long it took, how it ended."""
    over = attempt.ended_s > 0
    tone: Tone = "quiet" if not over else "good" if attempt.outcome == "done" else "warn"
    outcome = attempt.outcome.replace("_", " ") if over else "running"
    words = f"{outcome}: {attempt.failure.replace('_', ' ')}" if attempt.failure else outcome
    took = seconds_short(attempt.ended_s - attempt.started_s) if over else NONE
    when = _when(attempt.started_s) if width >= _DATED else _when(attempt.started_s)[-8:]
    words = f"chunk {attempt.chunk + 1}: {words}" if attempt.chunk >= 0 else words
    left: Line = (cell(f"  {attempt.number}", 5, "quiet"), Cell(f"{when} "), cell(took, 7, right=True), Cell("  "))
    return (*left, sentence(words, max(4, width - line_width(left)), tone))


def _outputs(facts: JobFacts, width: int) -> list[Line]:
    lines = [_title("files")]
    for output in facts.outputs:
        told = "missing" if output.missing else size(output.size_bytes)
        lines += field(f"  {output.kind}", f"{output.path} ({told})", width, "warn" if output.missing else "")
    if facts.timeline_note:
        lines += field("  features" if not facts.outputs else "", facts.timeline_note, width, "warn")
    if facts.outputs and not facts.saved_as and facts.transcode is None:
        lines += field("  pictures", "The preset saves none; those shown are decoded from the video.", width, "quiet")
    lines += field("  source", f"{facts.source} ({size(facts.size_bytes)})", width)
    return lines


def _log(facts: JobFacts, width: int) -> list[Line]:
    lines: list[Line] = [_title("log")]
    for attempt in facts.attempts:
        lines += _entry(attempt.started_s, f"attempt {attempt.number} began", width)
        if attempt.ended_s > 0:
            message = f": {attempt.message}" if attempt.message else ""
            lines += _entry(attempt.ended_s, f"{attempt.outcome.replace('_', ' ')}{message}", width)
    if facts.timeline:
        for part in facts.timeline.lost:
            lines += field("  lost", f"{part.start_s:.1f} to {part.end_s:.1f} s: {part.reason}", width, "warn")
    if facts.reason:
        lines += field("  note", facts.reason, width)
    for text in facts.detail.splitlines():
        lines += [(Cell("  "), Cell(row, "quiet")) for row in wrap(text, max(8, width - 2))]
    return lines if len(lines) > 1 else [*lines, (Cell("  empty: nothing was tried", "quiet"),)]


def _entry(at_s: float, text: str, width: int) -> list[Line]:
    first, *rest = wrap(text, max(8, width - 12))
    head: Line = (cell(f"  {_when(at_s)[-8:]}", 12, "quiet"), Cell(first))
    return [head, *((Cell(" " * 12), Cell(row)) for row in rest)]


def _title(text: str) -> Line:
    return (Cell(text, "strong"),)


def _when(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def field(label: str, text: str, width: int, tone: Tone = "") -> list[Line]:
    """Return a label, and beside it a text in as many lines as it takes."""
    label_width = _LABEL + 2
    rows = wrap(text, max(8, width - label_width))
    heads = [label] + [""] * (len(rows) - 1)
    return [(cell(head, label_width, "quiet"), Cell(row, tone)) for head, row in zip(heads, rows, strict=True)]
