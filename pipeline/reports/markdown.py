"""Markdown in which a text from outside means nothing but itself."""

from collections.abc import Iterable, Iterator, Sequence

from pipeline.text import visible

SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\`*_[]<>|#~&"})


def text(value: str) -> str:
    """Return a text whose characters mean nothing to Markdown, nor to what shows it."""
    return visible(value.replace("\n", " ")).translate(SPECIAL)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> Iterator[str]:
    """Yield the lines of a table; the first `words` columns are words, the others figures, which stand to the right."""
    yield f"| {' | '.join(headings)} |"
    yield f"|{' --- |' * words}{' ---: |' * (len(headings) - words)}"
    for row in rows:
        yield f"| {' | '.join(text(cell) for cell in row)} |"
    yield ""
