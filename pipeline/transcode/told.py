"""Reads what a transcode job told of itself: before and after side by side, in words."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline.job_facts import Compared, Oddity, TranscodeFacts
from pipeline.text import clock, plural

Facts = Mapping[str, Any]


def transcode_facts(result: Mapping[str, Any]) -> TranscodeFacts:
    """Return what the result of a job says. Raises LookupError, TypeError, ValueError if it is none of ours."""
    before, after = result.get("facts_in") or {}, result.get("facts_out") or {}
    problems = tuple(_oddities(result.get("problems", [])))
    known = {oddity.sentence for oddity in problems}
    return TranscodeFacts(
        action=str(result.get("action", "")),
        encoder=str(result.get("encoder", "")),
        ratio=float(result.get("ratio", 0.0)),
        x_real_time=float(result.get("x_real_time", 0.0)),
        compared=tuple(_compared(before, after)) if before else (),
        problems=problems,
        left=tuple(one for one in _oddities(result.get("problems_after", [])) if one.sentence not in known),
        dropped=tuple(map(str, result.get("dropped", []))),
        fallback=str(result.get("fallback", "")),
        loss=str(result.get("loss", "")),
        notes=tuple(map(str, result.get("notes", []))),
    )


def _oddities(problems: list[Mapping[str, str]]) -> Iterator[Oddity]:
    for problem in problems:
        yield Oddity(problem["code"], problem["sentence"], problem["will"])


def _compared(before: Facts, after: Facts) -> Iterator[Compared]:
    for name, words in _WORDS.items():
        was, became = words(before), words(after) if after else ""
        if was or became:
            yield Compared(name, was, became)


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:,.2f} MiB" if size_bytes >= 2**20 else f"{size_bytes / 2**10:,.1f} KiB"


def _picture(facts: Facts) -> str:
    video = facts["video"]
    turned = f", turned {video['rotation_deg']}°" if video["rotation_deg"] else ""
    shape = f", pixels {video['sar']}" if video["sar"] not in ("1:1", "") else ""
    return f"{video['width']}×{video['height']}{turned}{shape}"


def _rate(facts: Facts) -> str:
    video = facts["video"]
    varies = ", varying" if video["variable"] else ""
    return f"{video['fps']:.5g} fps{varies}{', interlaced' if video['interlaced'] else ''}"


def _colour(facts: Facts) -> str:
    video = facts["video"]
    told = (video["pixel_format"], video["range"], video["matrix"], video["transfer"])
    return " ".join(part for part in told if part)


def _sound(facts: Facts) -> str:
    tracks = facts["audio"]
    if not tracks:
        return "none"
    first = tracks[0]
    more = f", {plural(len(tracks), 'track')}" if len(tracks) > 1 else ""
    return f"{first['codec']} {first['layout'] or first['channels']} {first['rate_hz'] / 1000:g} kHz{more}"


def _keyframes(facts: Facts) -> str:
    gap_s = facts["video"]["keyframe_gap_s"]
    return f"every {gap_s:.1f} s at most" if gap_s else ""


def _others(facts: Facts) -> str:
    counts = ((len(facts["subtitles"]), "subtitle track"), (len(facts["data"]), "data track"))
    told = [plural(count, noun) for count, noun in (*counts, (facts["chapters"], "chapter")) if count]
    return ", ".join(told)


_WORDS: dict[str, Callable[[Facts], str]] = {
    "container": lambda facts: f"{facts['format']}{', index at the end' if facts['index'] == 'end' else ''}",
    "size": lambda facts: _size(facts["size_bytes"]),
    "length": lambda facts: f"{clock(facts['duration_s'])} ({facts['duration_s']:.2f} s)",
    "video": lambda facts: f"{facts['video']['codec']} {facts['video']['profile']}".strip(),
    "picture": _picture,
    "frames": lambda facts: f"{facts['video']['frames']:,}",
    "rate": _rate,
    "colour": _colour,
    "keyframes": _keyframes,
    "sound": _sound,
    "besides": _others,
}
