"""Where an mp4 or mov file keeps its index, by its outermost boxes."""

import struct
from contextlib import suppress

_HEAD = struct.Struct(">I4s")
_LONG = struct.Struct(">Q")
_MOST_BOXES = 10_000


def lacks_index(path: bytes) -> bool:
    """Whether it is an mp4 or mov whose index is missing: its recording was not ended, or its end is cut off."""
    with suppress(OSError), open(path, "rb") as file:
        return file.read(8)[4:] in (b"ftyp", b"moof", b"mdat", b"wide") and index_place(path) in ("", "fragments")
    return False


def index_place(path: bytes) -> str:
    """Return where the index is: front | end | fragments, empty where there is none. Raises OSError."""
    seen: list[bytes] = []
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        place = 0
        while place + _HEAD.size <= size and len(seen) < _MOST_BOXES:
            file.seek(place)
            length, name = _HEAD.unpack(file.read(_HEAD.size))
            if name == b"moof":
                return "fragments"
            if name == b"moov" and b"mdat" in seen:
                return "end"
            seen.append(name)
            if length == 1:
                long = file.read(_LONG.size)
                length = _LONG.unpack(long)[0] if len(long) == _LONG.size else 0
            if length < _HEAD.size:
                break
            place += length
    return "front" if b"moov" in seen else ""
