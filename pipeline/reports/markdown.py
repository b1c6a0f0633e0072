"""Markdown in which a text from outside means nothing but itself."""

from collections.abc import Iterable, Iterator, Sequence

SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\`*_[]<>|#~&"})


def text(value: str) -> str:
    """Return a text whose characters mean nothing to Markdown."""
    return value.translate(SPECIAL).replace("\n", " ")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], align: str = "---:") -> Iterator[str]:
    """Yield the lines of a table; all but the first column are figures and stand to the right, unless told else."""
    yield f"| {' | '.join(headings)} |"
    yield f"| --- |{f' {align} |' * (len(headings) - 1)}"
    for row in rows:
        yield f"| {' | '.join(text(cell) for cell in row)} |"
    yield ""
