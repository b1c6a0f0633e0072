"""The lines of the settings room: the list by section, one setting in detail, and what is typed just now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.text import plural
from screens.presenters.advisor import Advice
from screens.presenters.words import NONE
from screens.sheet import Effect, Key, Layer, Saved, Setting, Sheet
from screens.widgets.outside import Cell, Line, Tone, cell, fit, sentence, wrap

_NAME, _ORIGIN = 21, 12
_LABEL, _SHORT_LABEL = 14, 9
_NARROW = 48
"""Panes under this width use short words for who says something."""

_SHORT: dict[str, str] = {"environment": "environ", "command line": "option"}

EFFECTS: dict[Effect, str] = {
    "now": "at once",
    "run": "with the next new run; a run that is under way or resumed keeps its own",
    "start": "at the next start of vconsole",
}
"""When a saved setting is taken up."""

_WHEN: dict[Effect, str] = {"now": "At once", "run": "With the next new run", "start": "At the next start"}


@dataclass(frozen=True, slots=True)
class Section:
    """The heading of some rows."""

    name: str
    explanation: str


Row = Section | Setting


def rows(sheet: Sheet, edits: Mapping[Key, str], preset: str, needle: str) -> tuple[Row, ...]:
    """Return the settings that contain `needle`, each group under its section."""
    found: list[Row] = []
    for name, explanation in sheet.sections:
        own = [one for one in sheet.settings if ".".join(one.key[:-1]) == name]
        shown = [one for one in own if _matches(one, edits.get(one.key), preset, needle.casefold())]
        if shown:
            found += [Section(name or "top of the file", explanation), *shown]
    return tuple(found)


def _matches(setting: Setting, edit: str | None, preset: str, needle: str) -> bool:
    heard = setting.heard(preset)[-1]
    unsaved = "" if edit is None else f"unsaved {edit}"
    return needle in f"{setting.dotted} {setting.explanation} {heard.value} {heard.origin} {unsaved}".casefold()


def row(one: Row, edit: str | None, preset: str, width: int) -> Line:
    """Return one row: the name, the value that counts, and who says so."""
    if isinstance(one, Section):
        return Cell(f"{one.name} ", "strong"), sentence(one.explanation, max(0, width - len(one.name) - 1), "quiet")
    heard = one.heard(preset)[-1]
    narrow = width < _NARROW
    origin_width = 8 if narrow else _ORIGIN
    value_width = max(4, width - _NAME - origin_width - 4)
    if edit is not None:
        value, origin = edit or one.default, "unsaved"
    else:
        value, origin = heard.value, (_SHORT.get(heard.origin, heard.origin) if narrow else heard.origin)
    tone: Tone = "warn" if edit is not None else "quiet" if origin == "default" else "accent"
    mark = "*" if edit is not None else " "
    return (
        Cell(f"{mark} ", "warn"),
        cell(one.key[-1], _NAME),
        Cell(" "),
        Cell(fit(value or NONE, value_width, sentence=True), "" if tone == "quiet" else "strong"),
        Cell(" "),
        cell(origin, origin_width, tone),
    )


def about(
    sheet: Sheet, edits: Mapping[Key, str], preset: str, advice: Sequence[Advice], width: int
) -> tuple[Line, ...]:
    """Return the head of the screen: where edits go, what is unsaved, and as which preset reads."""
    there = "" if sheet.digest else "  (made when you save)"
    saved: Cell = Cell(f"{plural(len(edits), 'change')} not saved", "warn") if edits else Cell("all saved", "quiet")
    first: Line = (Cell("settings ", "strong"), saved, Cell("  in ", "quiet"))
    left = max(0, width - sum(len(part.text) for part in first) - len(there))
    first = (*first, Cell(fit(sheet.path, left).rstrip()), Cell(there, "quiet"))
    differ = [one for one in advice if one.value != value_with(sheet, edits, one.key, preset)]
    hint = f"; the advisor has another value for {len(differ)}" if differ else ""
    return first, (sentence(f"as a run with preset {preset} reads them{hint}", width, "quiet"),)


def value_with(sheet: Sheet, edits: Mapping[Key, str], key: Key, preset: str) -> str:
    """Return what a setting would be with the edits in the file; empty for one that is not known."""
    for setting in sheet.settings:
        if setting.key == key:
            above = setting.above_file(preset)
            edit = edits.get(key)
            return setting.heard(preset)[-1].value if above or edit is None else edit or setting.default
    return ""


def details(one: Row, edit: str | None, preset: str, advice: Sequence[Advice], width: int) -> tuple[Line, ...]:
    """Return all that is known of the selected row."""
    if isinstance(one, Section):
        return ((Cell(fit(one.name, width), "strong"),), *_text(one.explanation, width))
    lines: list[Line] = [(Cell(fit(one.dotted, width), "strong"),), *_text(one.explanation, width), ()]
    lines += _labelled("may be", one.allowed, width)
    heard = one.heard(preset)
    for layer in heard:
        where = "" if layer.origin in ("default", "file") else f"  {layer.where}"
        counts = layer is heard[-1]
        lines += _labelled(layer.origin, f"{layer.value or 'unset'}{where}", width, "" if counts else "quiet")
    for layer in one.layers:
        if layer.origin == "preset" and layer.where != preset:
            lines += _labelled("preset", f"{layer.value}  {layer.where}", width, "quiet")
    if edit is not None:
        lines += _labelled("unsaved", edit or f"the default, {one.default or 'unset'}", width, "warn")
    lines += [(), *_text(f"Saved, it counts {EFFECTS[one.effect]}.", width, "quiet")]
    above = one.above_file(preset)
    if above is not None:
        lines += _text(f"! {overridden(above)}", width, "warn")
    own = [advised for advised in advice if advised.key == one.key]
    for advised in own:
        lines += [(), (Cell("advisor: ", "strong"), Cell(advised.value, "accent")), *_text(advised.reason, width)]
    return tuple(lines)


def overridden(above: Layer) -> str:
    """Return the sentence that says who wins over the file."""
    if above.origin == "preset":
        return f"The preset {above.where} says {above.value} and wins over what is saved in the file."
    return f"{above.where} ({above.origin}) says {above.value} and wins over what is saved in the file."


def typing(setting: Setting, problem: str, preset: str, width: int) -> tuple[Line, ...]:
    """Return what is said below the text that is typed."""
    if problem:
        return tuple((Cell(text, "bad"),) for text in wrap(f"✗ {problem}", width))
    above = setting.above_file(preset)
    if above is not None:
        return _text(f"! {overridden(above)}", width, "warn")
    return _text(f"{setting.allowed}; empty = the default. Enter takes it, Esc does not.", width, "quiet")


def saved_notice(edited: Sequence[Setting], saved: Saved, preset: str) -> str:
    """Return what to tell after the file was written: where, when it counts, and what does not get its way."""
    kept = f"The file as it was is kept beside it as {saved.backup}." if saved.backup else "The file is new."
    told = [f"Saved {plural(len(edited), 'change')}. {kept}"]
    for effect, when in _WHEN.items():
        names = [setting.dotted for setting in edited if setting.effect == effect]
        told += [f"{when}: {', '.join(names)}."] if names else []
    told += [f"{one.dotted}: {overridden(above)}" for one in edited if (above := one.above_file(preset))]
    return " ".join(told)


def _labelled(label: str, text: str, width: int, tone: Tone = "") -> list[Line]:
    column = _LABEL if width >= _NARROW else _SHORT_LABEL
    first, *rest = wrap(text, max(8, width - column))
    shown = label if width >= _NARROW else _SHORT.get(label, label)
    lines: list[Line] = [(cell(shown, column, "quiet"), Cell(first, tone))]
    return lines + [(Cell(" " * column), Cell(part, tone)) for part in rest]


def _text(text: str, width: int, tone: Tone = "") -> tuple[Line, ...]:
    return tuple((Cell(part, tone),) for part in wrap(text, max(8, width)))
