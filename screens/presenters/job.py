"""What the screen of one video says in words: its head, its streams, and all that is known of its work."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pipeline.job_facts import AttemptFacts, ClassFacts, JobFacts, SpeechFact, StreamFacts, TextFact
from pipeline.model import BAD, TERMINAL, JobState
from pipeline.snapshot import JobRow
from pipeline.text import clock, plural
from screens.presenters.transcode import deed, transcode_sheet
from screens.presenters.words import JOB_SIGNS, NONE, bar, joined, number, percent, seconds_short, size
from screens.widgets.outside import Cell, Line, Tone, cell, line_width, sentence, wrap

_CALM = frozenset({JobState.DONE, JobState.QUEUED, JobState.SKIPPED, JobState.CANCELLED})
_LABEL = 10
_BAR = 12
_LIKELIEST = 4
"""Classes of a video that are told with their probabilities."""
_DATED = 46
"""Width from which an attempt is told with its date."""


def job_head(facts: JobFacts | None, row: JobRow | None, name: str, width: int) -> tuple[Line, ...]:
    """Return four lines: which video in which state, how it goes or went, its picture, its sound and file.

    `row` is the job in the newest snapshot, None if its run is not there; it is newer than `facts`.
    """
    state = row.state if row else facts.state if facts else None
    sign, tone = JOB_SIGNS[state] if state else ("", "quiet")
    left: Line = (Cell(f"{sign} {state or 'not known'}  ", tone),)
    right: Line = ()
    if facts:
        right = (Cell(f"  run {facts.run_id} · {facts.kind} · {facts.preset}", "quiet"),)
    if line_width((*left, *right)) > width // 2 + 10:
        right = ()
    title = cell(name.strip() or name, max(8, width - line_width((*left, *right))), "strong")
    return (*left, title, *right), _going(facts, row, width), *_streams(facts, row, width)


def _going(facts: JobFacts | None, row: JobRow | None, width: int) -> Line:
    if row and row.state is JobState.RUNNING:
        done, rest = bar(row.progress, min(30, width // 3))
        parts = [percent(row.progress), row.stage or "starting"]
        parts += [f"{number(row.rate)}× real time"] if row.rate > 0 else []
        parts += [row.parts_over] if row.chunks else [f"worker {row.worker + 1}"] if row.worker >= 0 else []
        parts += [f"waits for {row.waiting_for}"] if row.waiting_for else []
        return done, rest, Cell("  "), sentence(" · ".join(parts), max(8, width - min(30, width // 3) - 2))
    state = row.state if row else facts.state if facts else None
    if facts and state in BAD:
        return (sentence(facts.message or (row.note if row else ""), width, "bad"),)
    if state is JobState.DONE and facts and facts.timeline:
        kept = (plural(facts.timeline.scenes_total, "scene"), f"{plural(facts.timeline.frames_total, 'frame')} kept")
        took = f"{'once took' if facts.reused else 'took'} {seconds_short(sum(s for _, s in facts.seconds))}"
        whole = ("whole already, not done again",) if facts.reused else ()
        label = facts.classes.label if facts.classes else ""
        return (Cell(joined((*whole, label, *kept, took if facts.seconds else ""), width)),)
    if state is JobState.DONE and facts and facts.transcode:
        whole = ("whole already, not done again",) if facts.reused else ()
        return (Cell(joined((*whole, deed(facts.transcode)), width)),)
    told = row.waiting_for or row.note if row else facts.reason if facts else ""
    return (sentence(told, width, "quiet" if state in _CALM else "warn"),)


def _streams(facts: JobFacts | None, row: JobRow | None, width: int) -> tuple[Line, Line]:
    streams = facts.streams if facts else None
    if streams is None:
        length = f"{clock(row.duration_s)} long; " if row and row.duration_s else ""
        told = "streams are known when the video is done" if facts else ""
        if facts and (row.state if row else facts.state) in BAD:
            told = "no stream is known: the video failed before its streams were noted"
        file = size(facts.size_bytes) if facts else ""
        return _labelled("video", f"{length}{told}", width), _labelled("file", file, width)
    return _labelled("video", joined(_video(streams), width - 7), width), _labelled(
        "sound", joined((*_sound(streams), *_file(streams)), width - 7), width
    )


def _labelled(label: str, text: str, width: int) -> Line:
    return cell(label, 7, "quiet"), sentence(text, max(4, width - 7))


def _video(streams: StreamFacts) -> tuple[str, ...]:
    if streams.only_header:
        told = (streams.video_codec or "codec not known", f"{streams.width}×{streams.height}" if streams.width else "")
        return (*(part for part in told if part), "by its header alone")
    pixels = f"{streams.pixel_format} {streams.bit_depth} bit" if streams.pixel_format else ""
    rate = f"{streams.fps:.5g} fps{' on average' if streams.variable_rate else ''}" if streams.fps else "no frame rate"
    return (
        streams.video_codec,
        f"{streams.width}×{streams.height}",
        rate,
        clock(streams.duration_s) if streams.duration_s else "a single picture",
        pixels,
        f"HDR {streams.hdr}" if streams.hdr else "",
        f"turned {streams.rotation_deg}°" if streams.rotation_deg else "",
        "interlaced" if streams.interlaced else "",
    )


def stream_words(streams: StreamFacts) -> tuple[str, str]:
    """Return the picture in one line, and sound and file in another."""
    sound = (*_sound(streams), *_file(streams))
    return " · ".join(filter(None, _video(streams))), " · ".join(filter(None, sound))


def _sound(streams: StreamFacts) -> tuple[str, ...]:
    if not streams.audio_codec:
        return ("not known" if streams.only_header else "none",)
    hertz = f"{streams.audio_rate_hz / 1000:g} kHz" if streams.audio_rate_hz else ""
    more = f"{streams.audio_streams} streams" if streams.audio_streams > 1 else ""
    return f"{streams.audio_codec} {streams.audio_layout}".strip(), hertz, more


def _file(streams: StreamFacts) -> tuple[str, ...]:
    rate = f"{bit_rate(streams.bits_per_s)} in all" if streams.bits_per_s else ""
    subtitles = plural(streams.subtitle_streams, "subtitle stream") if streams.subtitle_streams else ""
    return size(streams.size_bytes), rate, streams.container.partition(",")[0], subtitles


def bit_rate(bits_per_s: float) -> str:
    """Return a bit rate with a decimal unit, as encoders name it."""
    for unit, factor in (("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3)):
        if bits_per_s >= factor:
            return f"{bits_per_s / factor:.3g} {unit}"
    return f"{bits_per_s:.0f} bit/s"


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
