"""Whether a Matroska file is whole, judged by the heads of its elements: FFmpeg passes over what it cannot read."""

from dataclasses import dataclass
from typing import BinaryIO

_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_TOP = frozenset(
    {0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367, 0xEC, 0xBF, _CLUSTER}
)
"""SeekHead, Info, Tracks, Cues, Attachments, Chapters, Tags, Void, CRC-32."""
_INSIDE = frozenset({0xE7, 0xAB, 0xA7, 0xA3, 0xA0, 0xAF, 0x5854, 0xEC, 0xBF})
"""Timestamp, PrevSize, Position, SimpleBlock, BlockGroup, EncryptedBlock, SilentTracks, Void, CRC-32."""
_MOST_HEADS = 500_000
_HEAD_BYTES = 12


@dataclass(frozen=True, slots=True)
class Structure:
    """`missing_bytes` lie behind the end of the file; `broken`: an element is not followed by another one."""

    missing_bytes: int
    broken: bool


def structure(name: str, *, deep: bool) -> Structure:
    """Return what the heads of the elements say; with `deep` all are read, else the first two. Raises OSError."""
    with open(name, "rb") as file:
        size = file.seek(0, 2)
        first = _head(file, 0)
        segment = _head(file, first[2]) if first and first[0] == _EBML and first[2] is not None else None
        if segment is None or segment[0] != _SEGMENT:
            return Structure(0, broken=False)
        end = size if segment[2] is None else segment[2]
        return Structure(max(0, end - size), deep and _broken(file, segment[1], min(end, size)))


def _broken(file: BinaryIO, place: int, end: int) -> bool:
    cluster_end: int | None = None
    inside = False
    for _ in range(_MOST_HEADS):
        if place >= end:
            return False
        if inside and cluster_end is not None and place >= cluster_end:
            if place > cluster_end:
                return True
            inside = False
        head = _head(file, place)
        if head is None:
            return True
        name, data, after = head
        if name == _CLUSTER and not (inside and cluster_end is not None):
            inside, cluster_end, place = True, after, data
        elif after is not None and (name in _INSIDE if inside and name not in _TOP else name in _TOP):
            inside = inside and (name in _INSIDE)
            place = after
        else:
            return True
    return False


def _head(file: BinaryIO, place: int) -> tuple[int, int, int | None] | None:
    """Return name, place of the data, and end of the element at `place` (None = unknown); None if there is none."""
    file.seek(place)
    data = file.read(_HEAD_BYTES)
    name_bytes = 9 - data[0].bit_length() if data else 9
    if name_bytes > 4 or len(data) <= name_bytes:
        return None
    size_bytes = 9 - data[name_bytes].bit_length()
    if size_bytes > 8 or len(data) < name_bytes + size_bytes:
        return None
    most = (1 << 7 * size_bytes) - 1
    size = int.from_bytes(data[name_bytes : name_bytes + size_bytes], "big") & most
    begin = place + name_bytes + size_bytes
    return int.from_bytes(data[:name_bytes], "big"), begin, None if size == most else begin + size
