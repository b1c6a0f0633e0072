"""Text from outside (file names, tags, library messages) made safe to show."""

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
