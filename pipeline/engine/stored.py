"""Values as SQLite can hold them, and back; how many of them stand in a list."""

import os
from collections.abc import Sequence


def storable(text: str) -> str | bytes:
    """Return what SQLite can hold of a text: one that quotes a file name which is not UTF-8 is kept as bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape") if _is_a_name(text) else text.encode("utf-8", "backslashreplace")
    return text


def _is_a_name(text: str) -> bool:
    """Whether all surrogates in a text stand for bytes, as `os.fsdecode` makes them."""
    return not any("\ud800" <= char <= "\udfff" and not "\udc80" <= char <= "\udcff" for char in text)


def text_of(stored: str | bytes) -> str:
    """Return what `storable` was given, as far as it can be had again."""
    return os.fsdecode(stored)


def signed(number: int) -> int:
    """Return an unsigned 64-bit number (an inode may be one) as the signed one that SQLite can hold."""
    return number - (1 << 64) if number >= 1 << 63 else number


def unsigned(number: int) -> int:
    """Return what `signed` was given."""
    return number + (1 << 64) if number < 0 else number


def marks(values: Sequence[object]) -> str:
    """Return the placeholders of a list of values."""
    return ", ".join("?" * len(values))
