"""Makes what comes from outside harmless in a table that a spreadsheet opens."""

from typing import Any

from pipeline.text import visible

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes a cell for a formula by."""


def plain_cell(value: Any) -> Any:
    """Return a value as a cell: control characters of a text as symbols, and no text that would be reckoned out."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
