"""Short excerpts of real media, to be damaged: packet copies of about a second, and small files as they are."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile

import av
from av.error import FFmpegError

WHOLE_BYTES = 60_000
"""Files up to this size are taken as they are."""
MOST_BYTES = 400_000
"""No excerpt is larger; a file that no muxer takes again gives its first so many bytes."""
MOST_PACKETS = 30
MOST_PIXELS = 8_000_000
"""Pictures of an excerpt have so many pixels together, but there are at least LEAST_PACKETS of them."""
LEAST_PACKETS = 5
MOST_READ = 4000
"""Packets of all streams that are read for one excerpt."""
FOLDERS = ("videos", "odd", "ocr", "speech")
FEW = {"ocr": 12, "speech": 6}
"""Of folders without videos only every so manyth file is taken."""
FORMS: dict[str, tuple[str, dict[str, str]]] = {
    "mp4": ("mp4", {}),
    "front.mp4": ("mp4", {"movflags": "faststart"}),
    "fragments.mp4": ("mp4", {"movflags": "frag_keyframe+empty_moov", "min_frag_duration": "200000"}),
    "mkv": ("matroska", {}),
    "webm": ("webm", {}),
    "ts": ("mpegts", {}),
    "avi": ("avi", {}),
    "flv": ("flv", {}),
    "mpg": ("mpeg", {}),
    "ogv": ("ogg", {}),
    "asf": ("asf", {}),
    "mov": ("mov", {}),
    "nut": ("nut", {}),
    "mxf": ("mxf", {}),
    "dv": ("dv", {}),
    "ivf": ("ivf", {}),
    "rm": ("rm", {}),
    "swf": ("swf", {}),
    "3gp": ("3gp", {}),
    "h264": ("h264", {}),
}
"""What an excerpt may be written as: suffix -> muxer and its options."""
ACROSS = ("front.mp4", "fragments.mp4", "mkv", "ts", "avi", "flv", "asf", "nut", "mov", "h264")
"""What the natural videos are written as besides the container they came in."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A short media file in memory; `kind` is its container and codec."""

    source: str
    suffix: str
    kind: str
    data: bytes


def excerpts(media: Path) -> list[Excerpt]:
    """Return excerpts of the media below `media`, the same ones in the same order every time."""
    found: list[Excerpt] = []
    for folder in FOLDERS:
        files = sorted(path for path in (media / folder).rglob("*") if path.is_file())
        for path in files[:: FEW.get(folder, 1)]:
            found += _of_file(media, path, across=folder == "videos")
    return found


def _of_file(media: Path, path: Path, *, across: bool) -> Iterator[Excerpt]:
    name = str(path.relative_to(media))
    suffix = path.suffix.lower().lstrip(".") or "bin"
    if path.stat().st_size <= WHOLE_BYTES:
        data = path.read_bytes()
        yield Excerpt(name, suffix, kind_of(data, suffix), data)
    else:
        data = copied(path, suffix) or path.read_bytes()[:MOST_BYTES]
        yield Excerpt(name, suffix, kind_of(data, suffix), data)
    for form in ACROSS if across and "edited" not in name else ():
        data = copied(path, form)
        if data:
            yield Excerpt(name, form, kind_of(data, form), data)


def copied(path: Path, form: str) -> bytes:
    """Return the first second or so of `path`, its packets written as `form`; empty where that cannot be done."""
    if form not in FORMS:
        return b""
    muxer, options = FORMS[form]
    with suppress(FFmpegError, ValueError, LookupError, AttributeError, TypeError):
        with av.open(str(path)) as source:
            streams = [*source.streams.video[:1], *source.streams.audio[:1]]
            packets = _first_packets(source, streams)
            if not any(packet.stream.type == "video" for packet in packets):
                return b""
            with NamedTemporaryFile(suffix=f".{form}") as target:  # An index goes in front only in a real file.
                with av.open(target.name, "w", format=muxer, options={"fflags": "+bitexact", **options}) as out:
                    ours = {stream.index: out.add_stream_from_template(stream) for stream in streams}
                    for packet in packets:
                        packet.stream = ours[packet.stream_index]
                        out.mux(packet)
                data = target.read()
        return data if len(data) <= MOST_BYTES else b""
    return b""


def _first_packets(source: av.container.InputContainer, streams: list[av.stream.Stream]) -> list[av.Packet]:
    video = source.streams.video[0]
    pixels = max(1, video.width * video.height)
    wanted = min(MOST_PACKETS, max(LEAST_PACKETS, MOST_PIXELS // pixels))
    packets: list[av.Packet] = []
    pictures = size = 0
    for number, packet in enumerate(source.demux(streams)):
        if packet.dts is not None and packet.size:
            packets.append(packet)
            size += packet.size
            pictures += packet.stream_index == video.index
        if pictures >= wanted or number > MOST_READ or size > MOST_BYTES:
            break
    return packets


def kind_of(data: bytes, suffix: str) -> str:
    """Return container and codec as FFmpeg names them, or the suffix of what it cannot open."""
    with suppress(FFmpegError, ValueError, LookupError, UnicodeError), av.open(BytesIO(data)) as container:
        video = container.streams.video
        codec = "no video"
        if video:
            codec = video[0].codec_context.name if video[0].codec_context is not None else "unknown"
        name = container.format.name if container.format.name != "mov,mp4,m4a,3gp,3g2,mj2" else f"mov ({suffix})"
        return f"{name}/{codec}"
    return f"{suffix}/unopened"
