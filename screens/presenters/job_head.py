"""The head of the screen of one video: which it is, how it goes or went, its picture, its sound and its file."""

from pipeline.job_facts import JobFacts, StreamFacts
from pipeline.model import BAD, JobState
from pipeline.snapshot import JobRow
from pipeline.text import clock, plural
from screens.presenters.transcode import deed
from screens.presenters.words import JOB_SIGNS, bar, joined, number, percent, seconds_short, size
from screens.widgets.outside import Cell, Line, cell, line_width, sentence

_CALM = frozenset({JobState.DONE, JobState.QUEUED, JobState.SKIPPED, JobState.CANCELLED})


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
