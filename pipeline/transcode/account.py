"""What a transcode job tells of itself, in the words of the ledger and the report; pure."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pipeline.outcome import loss_sentence
from pipeline.text import plural
from pipeline.transcode import words
from pipeline.transcode.facts import MediaFacts
from pipeline.transcode.order import Made
from pipeline.transcode.problems import Problem, problems_of
from pipeline.transcode.recipe import Recipe
from pipeline.transcode.settings import TranscodeSettings

DAMAGE = ("truncated", "corrupt", "undecodable", "sound_damaged")
"""Codes of problems that are damage."""
MOST_TOLD = 100
"""Entries of a list that are told at most."""


def known(content_id: str, facts: MediaFacts | None, settings: TranscodeSettings) -> dict[str, Any]:
    """Return what is told of every job: its source, as far as that is known."""
    if facts is None:
        return {"content_id": content_id}
    video = facts.video
    width, height = video.upright_size
    sound = facts.audio[0] if facts.audio else None
    return {
        "content_id": content_id,
        "duration_s": facts.duration_s,
        "width": width,
        "height": height,
        "fps": video.fps,
        "video_codec": video.codec,
        "audio_codec": sound.codec if sound else "",
        "container": facts.container,
        "probe": {
            "container": facts.container,
            "pixel_format": video.pixel_format,
            "bit_depth": video.bit_depth,
            "hdr": video.hdr,
            "colour_space": video.matrix,
            "full_range": video.range == "pc",
            "interlaced": video.interlaced,
            "variable_rate": video.variable,
            "rotation_deg": video.rotation_deg,
            "audio_layout": sound.layout if sound else "",
            "audio_rate_hz": sound.rate_hz if sound else 0,
            "audio_streams": len(facts.audio),
            "subtitle_streams": len(facts.subtitles),
        },
        "facts_in": _bounded(facts),
        "problems": _told(problems_of(facts, settings)),
    }


def finished(facts: MediaFacts, found: MediaFacts, plan: Recipe, made: Made | None) -> dict[str, Any]:
    """Return what is told of an output: what it is, what it lacks and what was lost on the way."""
    result: dict[str, Any] = {
        "action": "encoded" if plan.video.picture is not None else "remuxed",
        "reasons": list(plan.reasons[:MOST_TOLD]),
        "dropped": [*plan.dropped, *(made.dropped if made else []), *_lost_tags(facts, found)][:MOST_TOLD],
        "facts_out": _bounded(found),
        "problems_after": _told(problems_of(found, TranscodeSettings(video_codec="copy", audio_codec="copy"))),
        "lost_s": 0.0,
        "lost_frames": 0,
    }
    if made is None:
        return result
    result |= {"repeated": made.repeated, "left_out": made.left_out, "frames": made.frames}
    frames = made.lost + made.damaged
    lost_s = frames / facts.video.fps if facts.video.fps else 0.0
    if facts.damage.missing_bytes:  # No index says how many pictures these were; the header says how long.
        lost_s = max(lost_s, facts.damage.short_s)
    if frames or made.sound_errors or facts.damage.faults or facts.damage.missing_bytes:
        parts = [loss_sentence(lost_s, frames)] if frames else []
        if made.sound_errors:
            parts.append(f"{plural(made.sound_errors, 'place')} of the sound could not be read")
        if not parts:
            parts.append("parts of the file could not be read")
        loss = ", ".join(parts)
        step_s = 1 / facts.video.fps if facts.video.fps else 0.04
        spans = joined(made.losses, step_s)[:MOST_TOLD]
        result |= {"lost_s": lost_s, "lost_frames": frames, "loss": loss, "reason": loss, "lost": spans}
    return result


def _lost_tags(facts: MediaFacts, found: MediaFacts) -> list[str]:
    """Return the tags that the container of the output has no place for; some go by another name there."""
    names, values = {name for name, _ in found.tags}, {value for _, value in found.tags}
    lost = [
        name
        for name, value in facts.tags
        if names.isdisjoint({name, words.PLAIN_NAMES.get(name, name)}) and value not in values
    ]
    return [f"the {'tag' if len(lost) == 1 else 'tags'} {', '.join(lost[:MOST_TOLD])}"] if lost else []


def joined(losses: Sequence[tuple[float, str]], step_s: float) -> list[list[Any]]:
    """Return `[start_s, end_s, reason]` for each part that is lost; pictures next to each other are one part."""
    spans: list[list[Any]] = []
    for time_s, reason in losses:
        if spans and spans[-1][2] == reason and time_s <= spans[-1][1] + 0.6 * step_s:
            spans[-1][1] = max(spans[-1][1], time_s + step_s)
        else:
            spans.append([time_s, time_s + step_s, reason])
    return spans


def _told(problems: Sequence[Problem]) -> list[dict[str, str]]:
    return [asdict(problem) for problem in problems[:MOST_TOLD]]


def _bounded(facts: MediaFacts) -> dict[str, Any]:
    return {name: value[:MOST_TOLD] if isinstance(value, tuple) else value for name, value in asdict(facts).items()}
