"""Damages files by chance: any mutant can be made again from its seed and its number."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from excerpts import Excerpt

MOST_FLIPS = 1000
END_BYTES = 600
"""How much at either end of a file counts as its header or its index."""
SIZES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mdat", b"moof", b"traf", b"trun", b"free", b"ftyp", b"edts")
SIZES += (b"LIST", b"movi", b"idx1", b"strl", b"strf", b"00dc", b"01wb", b"JUNK", b"IHDR", b"IDAT", b"DKIF")
SIZES += (b"\x1f\x43\xb6\x75", b"\xa3", b"\x16\x54\xae\x6b", b"\x1c\x53\xbb\x6b", b"\xae", b"\x18\x53\x80\x67")
TABLES = (b"stco", b"co64", b"stsz", b"stsc", b"stss", b"idx1", b"trun", b"tfra", b"\x1c\x53\xbb\x6b", b"avih", b"strh")
TIMES = (b"stts", b"ctts", b"mdhd", b"mvhd", b"tkhd", b"elst", b"tfdt", b"\xe7", b"\x44\x89", b"\x2a\xd7\xb1", b"strh")
TIMES += (b"\x00\x00\x01\xe0", b"\x00\x00\x01\xc0", b"OggS", b"trun", b"\x09", b"\x47\x41\x00", b"\x00\x00\x01\xba")
"""Names (of boxes, chunks, elements, packets) near which sizes, tables of places and times are kept."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A damaged file: what it was made from and what was done to it; `spliced` holds the end of another file."""

    number: int
    original: Excerpt
    other: Excerpt | None
    done: tuple[str, ...]
    data: bytes

    @property
    def name(self) -> str:
        return f"{self.number:06}.{self.original.suffix}"


def mutant(originals: Sequence[Excerpt], seed: int, number: int) -> Mutant:
    """Return mutant `number` of `seed`; rare kinds of media are as likely as common ones are, or nearly so."""
    chance = random.Random(f"{seed}:{number}")
    original = _choose(originals, chance)
    data, done, other = bytearray(original.data), [], None
    for _ in range(chance.choice((1, 1, 1, 2))):
        name = chance.choice([*DAMAGES, "spliced"])
        if name == "spliced":
            other = _choose(originals, chance)
            data[_place(data, chance) :] = other.data[_place(other.data, chance) :]
        else:
            DAMAGES[name](data, chance)
        done.append(name)
    return Mutant(number, original, other, tuple(done), bytes(data))


def _choose(originals: Sequence[Excerpt], chance: random.Random) -> Excerpt:
    if chance.random() < 0.5:
        return chance.choice(originals)
    kind = chance.choice(sorted({one.kind for one in originals}))
    return chance.choice([one for one in originals if one.kind == kind])


def _place(data: bytes | bytearray, chance: random.Random) -> int:
    return chance.randrange(len(data)) if data else 0


def _length(most: int, chance: random.Random) -> int:
    """Return a length up to `most`, short ones as likely as long ones."""
    return min(most, int(2 ** chance.uniform(0, max(1, most).bit_length())))


def _flip(data: bytearray, first: int, end: int, count: int, chance: random.Random) -> None:
    for _ in range(count if first < end else 0):
        data[chance.randrange(first, end)] ^= 1 << chance.randrange(8)


def _flips(data: bytearray, chance: random.Random) -> None:
    _flip(data, 0, len(data), _length(MOST_FLIPS, chance), chance)


def _few_flips(data: bytearray, chance: random.Random) -> None:
    _flip(data, 0, len(data), chance.randint(1, 4), chance)


def _head(data: bytearray, chance: random.Random) -> None:
    _flip(data, 0, min(END_BYTES, len(data)), chance.randint(1, 8), chance)


def _tail(data: bytearray, chance: random.Random) -> None:
    _flip(data, max(0, len(data) - END_BYTES), len(data), chance.randint(1, 8), chance)


def _overwritten(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 4)):
        place = _place(data, chance)
        length = _length((len(data) - place) // 4, chance)
        fill = chance.choice((b"\0" * length, b"\xff" * length, chance.randbytes(length)))
        data[place : place + length] = fill


def _truncated(data: bytearray, chance: random.Random) -> None:
    del data[_place(data, chance) :]


def _middle_removed(data: bytearray, chance: random.Random) -> None:
    place = _place(data, chance)
    del data[place : place + _length(len(data) - place, chance)]


def _middle_twice(data: bytearray, chance: random.Random) -> None:
    place = _place(data, chance)
    data[place:place] = data[place : place + _length((len(data) - place) // 2, chance)]


def _near(names: Sequence[bytes], before: int, after: int) -> Callable[[bytearray, random.Random], None]:
    """Return a damage of numbers up to `before` bytes before and `after` bytes behind one of the names."""

    def damage(data: bytearray, chance: random.Random) -> None:
        there = [name for name in names if name in data]
        for _ in range(chance.randint(1, 3) if there else 0):
            name = chance.choice(there)
            place = data.find(name, _place(data, chance))
            place = place if place >= 0 else data.find(name)
            if place < 0:
                continue
            at = chance.randrange(max(0, place - before), min(len(data), place + len(name) + after) or 1)
            width = min(chance.choice((1, 2, 4)), len(data) - at)
            value = int.from_bytes(data[at : at + width], "big")
            changed = chance.choice((value + 1, value - 1, value * 2, value + 0x1000, 0, -1, chance.getrandbits(32)))
            data[at : at + width] = (changed % 256**width).to_bytes(width, "big")
        if not there:
            _few_flips(data, chance)

    return damage


DAMAGES: dict[str, Callable[[bytearray, random.Random], None]] = {
    "flips": _flips,
    "few flips": _few_flips,
    "head": _head,
    "tail": _tail,
    "overwritten": _overwritten,
    "truncated": _truncated,
    "middle removed": _middle_removed,
    "middle twice": _middle_twice,
    "sizes": _near(SIZES, 4, 8),
    "tables": _near(TABLES, 0, 120),
    "times": _near(TIMES, 0, 64),
}
"""What may be done to a file besides splicing it with another."""
