"""What can be measured, a line each, with a mark where it is chosen."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from pipeline.lab import LabChoices
from screens.widgets.outside import Cell, Line, cell

_KIND = 10
_ROOMY = 44
_ABSENT = "–"


class Offer(NamedTuple):
    """One thing that can be measured."""

    kind: str
    """extractor | stage | preset | transcode | floors"""
    name: str
    here: bool = True
    """Whether a model's weights are on this machine."""


def offers(choices: LabChoices) -> tuple[Offer, ...]:
    """Return all there is, what is here first."""
    return (
        *(Offer("extractor", key, here) for key, here in choices.extractors),
        *(Offer("stage", name) for name in choices.stages),
        *(Offer("preset", name) for name in choices.presets),
        *(Offer("transcode", name) for name in choices.transcodes),
        Offer("floors", "this machine"),
    )


def absent_sign(width: int) -> str:
    """Return what explains the sign of a model that is not here, empty where a line has room for the words."""
    return "" if width >= _ROOMY else f" ({_ABSENT})"


def offer_lines(all_of: Sequence[Offer], chosen: Collection[Offer], width: int) -> tuple[Line, ...]:
    """Return a line each: the kind where it is another than above, the mark, the name, and whether it is here."""
    lines: list[Line] = []
    absent = "not here" if width >= _ROOMY else _ABSENT
    room = len(absent) + 1
    for index, one in enumerate(all_of):
        first = not index or all_of[index - 1].kind != one.kind
        mark = Cell("● " if one in chosen else "· ", "accent" if one in chosen else "quiet")
        name = cell(one.name, max(4, width - _KIND - 2 - room), "strong" if one in chosen else "")
        state = cell("" if one.here else absent, room, "quiet", right=True)
        lines.append((cell(one.kind if first else "", _KIND, "quiet"), mark, name, state))
    return tuple(lines)
