"""Judges with plain PyAV, and nothing of ours, whether a video that is called whole has quietly lost pictures.

The rule. A job that ended as `done` must have decoded as many pictures as a plain decode of the damaged file gives,
and every picture that the damaged file itself still promises. It promises one
  packet    by a packet of the video with data that is not hidden; where the undamaged file has more packets than
            pictures (nothing changed, a picture only referred to), or packets without times (a raw stream is cut into
            packets by guess), only if the decoder refused more than it did there;
  index     by an index that lists every packet (MOV, AVI) and listed no more than there were before;
  track     by what the container says of the end of this track alone (MOV, AVI, the tags of Matroska);
  header    by a length of the whole file that no stream reaches, except for a lone picture, which may be shown for any
            time: a length that was guessed from the size is consistent with what is left, and promises nothing;
  place     by a place that could not be read, or a packet that the demuxer marks as damaged.
Track, header and place count only if fewer pictures came than the undamaged file has, and not if it fell short of them
as well. What no file can tell is no quiet loss: a transport stream that ends early at a packet's bound, a gap in the
times (rates vary), a header that promises less than before, sound that goes on (it often is longer), a sample table
beyond an edit list that hides its end.

    python media_judge.py     reads a path a line from stdin, prints a Look as JSON a line
"""

import json
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import av
from av.error import FFmpegError
from av.stream import Disposition

SLACK_S, TRACK_SLACK_S, SLACK_STEPS = 0.5, 0.15, 4
BELIEVED_S = 7 * 86_400.0
MOST_S = 60.0
"""A look that takes longer ends there."""
_ERRORS = (FFmpegError, UnicodeError, ValueError, LookupError, AttributeError, OverflowError)


@dataclass(slots=True)
class Look:
    """What a file promises, and what a plain decode of it gives; times are in seconds of the file's own clock."""

    trouble: str = ""
    """Why it could not be opened."""
    container: str = ""
    codec: str = ""
    listed: int = 0
    """Entries of the index when the file is opened, but for those without data: these repeat a picture."""
    packets: int = 0
    """Packets of the video with data that are not hidden."""
    timed: int = 0
    """Those of them that have a time."""
    met: int = 0
    """Packets of the video, hidden ones too."""
    frames: int = 0
    shown_s: float = 0.0
    """Time of the last picture."""
    marked: int = 0
    """Packets that the demuxer marks as damaged."""
    breaks: int = 0
    """Places that could not be read."""
    errors: int = 0
    """Packets that the decoder refused."""
    damaged: int = 0
    """Pictures that the decoder marks."""
    step_s: float = 0.0
    start_s: float = 0.0
    track_end_s: float = 0.0
    header_end_s: float = 0.0
    packets_end_s: float = 0.0
    """The end of the last packet of any stream; one without data repeats a picture."""

    @property
    def last_s(self) -> float:
        """The end of the last picture."""
        return (max(self.shown_s, self.start_s) if self.frames else self.start_s) + self.step_s

    @property
    def reached_s(self) -> float:
        """Where the last of all streams ends."""
        return max(self.last_s, self.packets_end_s)


def look(path: str) -> Look:
    """Open, read and decode the file as plainly as PyAV can."""
    seen = Look()
    try:
        with av.open(path, options={"protocol_whitelist": "file"}, metadata_errors="replace") as container:
            _look(container, seen)
    except _ERRORS as error:
        seen.trouble = f"{type(error).__name__}: {error}"
    return seen


def _look(container: av.container.InputContainer, seen: Look) -> None:
    seen.container = container.format.name
    moving = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    stream = next((one for one in moving if one.codec_context is not None), None)
    if stream is None:
        seen.trouble = "no video"
        return
    seen.codec = stream.codec_context.name
    seen.listed = sum(1 for entry in stream.index_entries if entry.size)
    rate = stream.average_rate or stream.guessed_rate
    seen.step_s = min(1.0, float(1 / rate)) if rate else 0.04
    starts = [float(one.start_time * one.time_base) for one in container.streams if one.start_time is not None]
    seen.start_s = min(starts, default=0.0)
    if container.duration and container.duration > 0:
        seen.header_end_s = container.duration / 1e6
    seen.track_end_s = _track_end_s(container, stream)
    stream.codec_context.thread_count = 1
    begun = time.monotonic()
    breaks = 0
    while breaks < 8 and time.monotonic() - begun < MOST_S:
        try:
            for packet in container.demux():
                _packet(packet, stream, seen)
                if time.monotonic() - begun > MOST_S:
                    break
            break
        except _ERRORS:
            breaks += 1
    seen.breaks = breaks
    _decode(stream, None, seen)


def _track_end_s(container: av.container.InputContainer, stream: Any) -> float:
    unit = float(stream.time_base or 0)
    if seconds := {"mov,mp4,m4a,3gp,3g2,mj2": stream.duration, "avi": stream.frames}.get(container.format.name):
        return float(seconds * unit)
    tag = stream.metadata.get("DURATION", "") if container.format.name == "matroska,webm" else ""
    with suppress(ValueError):
        hours, minutes, seconds = tag.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    return 0.0


def _packet(packet: Any, stream: Any, seen: Look) -> None:
    end_s = 0.0
    if packet.pts is not None and packet.time_base:
        end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
    if not packet.is_discard:
        seen.packets_end_s = max(seen.packets_end_s, end_s)
    if packet.stream_index != stream.index or not packet.size:
        return
    seen.met += 1
    seen.marked += packet.is_corrupt
    if not packet.is_discard:
        seen.packets += 1
        seen.timed += packet.pts is not None
    _decode(stream, packet, seen)


def _decode(stream: Any, packet: Any, seen: Look) -> None:
    try:
        frames = stream.codec_context.decode(packet)
    except EOFError:
        return
    except _ERRORS:
        seen.errors += 1
        return
    for frame in frames:
        seen.frames += 1
        seen.damaged += frame.is_corrupt
        if frame.pts is not None:
            seen.shown_s = max(seen.shown_s, float(frame.pts * stream.time_base))


def quiet_losses(before: Look, after: Look, decoded: int) -> list[str]:
    """Return how a job that ended as `done` with `decoded` pictures lost some without a word.

    `before` is the undamaged file, `after` the damaged one.
    """
    found = []
    got = max(decoded, after.frames)
    if decoded < after.frames:
        found.append(f"decode: a plain decode gives {after.frames} pictures, the job {decoded}")
    told = after.timed > got and before.packets <= before.frames
    if told or (after.packets > got and after.errors > before.errors):
        found.append(f"packets: {after.packets} promise pictures, {got} came, {after.errors} were refused")
    if after.container.startswith(("mov", "avi")) and max(after.met, got) < after.listed <= before.listed <= before.met:
        found.append(f"index: lists {after.listed}, {after.met} packets were met")
    if got >= before.frames:
        return found
    of_track = _short(before.last_s, before.track_end_s, before, TRACK_SLACK_S)
    if _short(after.last_s, after.track_end_s, after, TRACK_SLACK_S) and not of_track:
        found.append(f"track: ends at {after.track_end_s:.2f} s, the last picture at {after.last_s:.2f} s")
    reached_s, before_s = after.reached_s, before.reached_s
    lone = after.packets == 1 and after.packets_end_s <= after.shown_s
    if _short(reached_s, after.header_end_s, after) and not _short(before_s, before.header_end_s, before) and not lone:
        found.append(f"header: ends at {after.header_end_s:.2f} s, all streams by {reached_s:.2f} s")
    if after.breaks > before.breaks:
        found.append(f"place: {after.breaks} places could not be read, {got} of {before.frames} pictures came")
    if after.marked > before.marked:
        found.append(f"place: {after.marked} packets are marked, {got} of {before.frames} pictures came")
    return found


def _short(reached_s: float, end_s: float, seen: Look, slack_s: float = SLACK_S) -> bool:
    return reached_s + max(slack_s, SLACK_STEPS * seen.step_s) < end_s <= seen.start_s + BELIEVED_S


def main() -> None:
    """Look at every file named on stdin."""
    av.logging.set_level(None)
    for line in sys.stdin:
        with suppress(BrokenPipeError):
            print(json.dumps(asdict(look(line.rstrip("\n")))), flush=True)


if __name__ == "__main__":
    main()
