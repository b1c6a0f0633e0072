"""What a transcode made of a video, as lines: before beside after, what was odd, what was done, what was left out."""

from pipeline.job_facts import Oddity, TranscodeFacts
from screens.presenters.words import number
from screens.widgets.outside import Cell, Line, Tone, cell, sentence, wrap

_LABEL = 12
_SIDE_BY_SIDE = 54
"""Width from which before and after stand beside each other."""
_ACTIONS = {"encoded": "encoded", "remuxed": "not encoded: its streams in a new file", "conforms": "left as it is"}


def transcode_sheet(facts: TranscodeFacts, width: int) -> list[Line]:
    """Return the sheet of one video; nothing where nothing is known yet."""
    if not facts.compared:
        return []
    return [
        *_deed(facts, width),
        *_table(facts, width),
        *_oddities("what was odd", facts.problems, width),
        *_oddities("odd about the output", facts.left, width),
        *_listed("left out", facts.dropped, width),
    ]


def deed(facts: TranscodeFacts) -> str:
    """Return in one line what was done."""
    told = [_ACTIONS.get(facts.action, facts.action or "no output")]
    told += [f"by {facts.encoder}"] if facts.encoder else []
    told += [f"{100 * facts.ratio:.0f} % of the size"] if facts.ratio else []
    told += [f"{number(facts.x_real_time)}× real time"] if facts.x_real_time else []
    return " · ".join(told)


def _deed(facts: TranscodeFacts, width: int) -> list[Line]:
    lines: list[Line] = [(Cell("transcode", "strong"),), *_rows("  ", deed(facts), width, "")]
    lines += _rows("  ", facts.fallback, width, "warn") if facts.fallback else []
    lines += [line for note in facts.notes for line in _rows("  ", note, width, "")]
    return lines + (_rows("  ", f"lost: {facts.loss}", width, "warn") if facts.loss else [])


def _table(facts: TranscodeFacts, width: int) -> list[Line]:
    half = (width - _LABEL) // 2 if width >= _SIDE_BY_SIDE else width - _LABEL
    lines: list[Line] = [()]
    if width >= _SIDE_BY_SIDE:
        lines.append((cell("", _LABEL), cell("before", half, "quiet"), cell("after", half, "quiet")))
    for name, before, after in facts.compared:
        tone: Tone = "quiet" if before == after or not after else ""
        was = (cell(f"  {name}", _LABEL, "quiet"), cell(before, half, tone))
        if width >= _SIDE_BY_SIDE:
            lines.append((*was, cell(after, half, tone)))
            continue
        lines.append(was)
        if after and after != before:
            lines.append((cell("        →", _LABEL, "quiet"), cell(after, half)))
    return lines


def _oddities(title: str, found: tuple[Oddity, ...], width: int) -> list[Line]:
    lines: list[Line] = [(), (Cell(title, "strong"),)] if found else []
    for oddity in found:
        lines += _rows("  ", oddity.sentence, width, "")
        lines.append((Cell("    "), sentence(f"→ {oddity.will}", max(8, width - 4), "quiet")))
    return lines


def _listed(title: str, texts: tuple[str, ...], width: int) -> list[Line]:
    lines: list[Line] = [(), (Cell(title, "strong"),)] if texts else []
    return lines + [line for text in texts for line in _rows("  ", text, width, "warn")]


def _rows(indent: str, text: str, width: int, tone: Tone) -> list[Line]:
    return [(Cell(indent), Cell(row, tone)) for row in wrap(text, max(8, width - len(indent)))]
