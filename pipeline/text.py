"""Text for people: what comes from outside made safe to show, counts with their nouns, lengths of time."""

import unicodedata

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(text: str | bytes, limit: int = 0) -> str:
    """Return `text` with every control, bidi, format and surrogate character as a visible symbol.

    Bytes are decoded as file names are. With `limit`, the middle of a longer text is replaced by an ellipsis.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    if not text.isascii() or not text.isprintable():
        text = "".join(_symbol(char) for char in text)
    if limit and len(text) > limit:
        head = (limit - 1) // 2
        text = f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"
    return text


def plural(count: int, noun: str) -> str:
    """Return the count with its noun, e.g. `1 frame`, `1,200 frames`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def clock(seconds: float) -> str:
    """Return a length of time as `m:ss`, `h:mm:ss` or `d h`."""
    whole = max(0, round(seconds))
    if whole >= 100 * 3600:
        return f"{whole // 86400} d {whole % 86400 // 3600} h"
    hours, rest = divmod(whole, 3600)
    minutes, second = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{second:02}" if hours else f"{minutes}:{second:02}"


def _symbol(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if char in _BIDI or unicodedata.category(char) in _INVISIBLE:
        return f"<{code:04X}>"
    return char


def precise(value: float) -> str:
    """Return a length of time with three digits that matter, e.g. `1.23 ms`."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}" if value / size < 1000 else f"{value / size:,.0f} {unit}"
    return f"{value / 1e-9:.3g} ns"
