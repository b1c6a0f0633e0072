"""FFmpeg's words for colours, fields and tags, by its numbers."""

from collections.abc import Mapping

MATRICES = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    14: "ictcp",
}
PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
TRANSFERS = {
    1: "bt709",
    4: "gamma22",
    5: "gamma28",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}
UNSPECIFIED = 2
"""The number of a colour that is not told."""
FIELDS = {2: "tff", 3: "bff", 4: "bff", 5: "tff"}
"""By the field that is shown first: a container names the one that is stored first, and then the one shown first."""

TEXT_SUBTITLES = frozenset({"subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "text", "microdvd", "subviewer"})

OF_THE_CONTAINER = frozenset(
    {
        *("major_brand", "minor_version", "compatible_brands", "encoder", "encoding_tool", "duration", "vconsole"),
        *("timecode", "handler_name", "vendor_id", "rotate", "software"),
    }
)
"""Tags that tell of the source's container and would be false of the output."""

PLAIN_NAMES = {
    "com.apple.quicktime.location.iso6709": "location",
    "com.apple.quicktime.creationdate": "date",
    "com.apple.quicktime.make": "make",
    "com.apple.quicktime.model": "model",
}
"""What phones write, in lower case, and the names by which other containers hold it, if they can."""

MARK_KEYS = ("vconsole", "encoder", "encoding_tool")
"""Tags in which the mark of a file that vconsole made may be found."""


def range_of(number: int, pixel_format: str) -> str:
    """Return tv or pc, empty where neither the number nor the pixel format says."""
    if pixel_format.startswith("yuvj"):
        return "pc"
    return {1: "tv", 2: "pc"}.get(number, "")


def number_of(names: Mapping[int, str], name: str) -> int:
    """Return FFmpeg's number of a colour's name, UNSPECIFIED where it has none."""
    return next((number for number, known in names.items() if known == name), UNSPECIFIED)


def mark_in(metadata: Mapping[str, str]) -> str:
    """Return what vconsole wrote into a file that it made, empty for another one."""
    tags = {key.lower(): value for key, value in metadata.items()}
    found = (tags.get(key, "") for key in MARK_KEYS)
    return next((value for value in found if value.startswith("vconsole ")), "")


def format_of(container: str, brand: str, head: bytes) -> str:
    """Return mp4, mov, mkv or webm where a file is one of these, else FFmpeg's name of its format."""
    if container.startswith("mov,"):
        return "mov" if brand in ("qt  ", "") else "mp4"
    if container == "matroska,webm":
        return "webm" if b"\x42\x82\x84webm" in head else "mkv"
    return container
