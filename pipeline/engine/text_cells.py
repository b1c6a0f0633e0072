"""Texts as SQLite can hold them: one that quotes a file name which is not UTF-8 is kept as bytes."""


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
