"""Looks at the terminal: what of the console it can show."""

import codecs
from collections.abc import Mapping

from pipeline.health import Check, Grade

GROUP = "terminal"
LEAST, DESIGNED = (60, 20), (80, 24)
"""Columns and lines with which the console still works, and for which it is laid out."""
COLOURS = {"truecolor": "16 million", "256": "256", "standard": "16"}
"""What Rich calls the colours of a terminal -> how many they are."""


def terminal(
    environ: Mapping[str, str], size: tuple[int, int] | None, colours: str, encoding: str
) -> tuple[Check, ...]:
    """Return what the terminal can do; `size` is None where there is none, `colours` is Rich's name of its colours."""
    kind = environ.get("TERM", "")
    if size is None:
        return (Check(GROUP, "terminal", Grade.OK, "none: the headless commands need none"),)
    if kind in {"", "dumb", "unknown"}:
        found = f"TERM is {kind!r}: the console cannot be shown, the headless commands work"
        return (Check(GROUP, "terminal", Grade.WARNING, found, "Use a terminal that sets TERM, e.g. xterm-256color."),)
    return (
        Check(GROUP, "terminal", Grade.OK, f"{kind}{_inside(environ)}"),
        _size(size),
        _colours(environ, colours),
        _letters(encoding),
        _clipboard(environ),
    )


def _inside(environ: Mapping[str, str]) -> str:
    places = {"TMUX": "tmux", "STY": "screen", "SSH_CONNECTION": "SSH"}
    found = [name for variable, name in places.items() if environ.get(variable)]
    return f", inside {' and '.join(found)}" if found else ""


def _size(size: tuple[int, int]) -> Check:
    found = f"{size[0]} x {size[1]}"
    if size[0] < LEAST[0] or size[1] < LEAST[1]:
        fix = f"Make the window larger: {DESIGNED[0]} x {DESIGNED[1]} or more."
        return Check(GROUP, "size", Grade.WARNING, f"{found}: some of the console does not fit", fix)
    return Check(GROUP, "size", Grade.OK, found)


def _colours(environ: Mapping[str, str], colours: str) -> Check:
    if environ.get("NO_COLOR"):
        return Check(GROUP, "colours", Grade.OK, "none, as NO_COLOR asks for")
    count = COLOURS.get(colours, "no")
    if colours in {"truecolor", "256"}:
        return Check(GROUP, "colours", Grade.OK, count)
    fix = "Set TERM=xterm-256color (in tmux: set -g default-terminal tmux-256color), or keep to the theme ansi."
    return Check(GROUP, "colours", Grade.WARNING, f"{count}: the themes are made for 256 or more", fix)


def _letters(encoding: str) -> Check:
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        name = encoding
    if name == "utf-8":
        return Check(GROUP, "characters", Grade.OK, "UTF-8")
    found = f"{encoding or 'unknown'}: bars, graphs and many file names cannot be shown"
    return Check(GROUP, "characters", Grade.WARNING, found, "Set a UTF-8 locale: export LC_ALL=C.UTF-8")


def _clipboard(environ: Mapping[str, str]) -> Check:
    found = "copying (OSC 52) cannot be tried from here"
    if environ.get("TMUX"):
        found += "; tmux passes it on with: set -s set-clipboard on"
    return Check(GROUP, "clipboard", Grade.OK, found)
